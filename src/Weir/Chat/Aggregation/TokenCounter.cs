using Microsoft.ML.Tokenizers;

namespace Weir.Chat.Aggregation;

/// <summary>
/// Counts tokens as the encoding <c>cl100k_base</c> has them. Other models' encodings differ by some percent, the newer ones mostly
/// to fewer tokens. Text is counted by windows: one "word" of a hundred thousand letters would cost the square of its length, and
/// what is over a budget need not be counted to its end. A cut word counts one token too many, never one too few.
/// </summary>
internal sealed class TokenCounter
{
    private const int Window = 512;

    /// <summary>A megabyte of vocabulary, read when it is first needed and shared.</summary>
    private static readonly Lazy<TiktokenTokenizer> Shared = new(() => TiktokenTokenizer.CreateForEncoding("cl100k_base"));

    private readonly Lazy<TiktokenTokenizer> _encoding = Shared;

    public int Count(string text) => Count(text, int.MaxValue);

    /// <summary>The count; where it is more than <paramref name="enough"/>, some number above that.</summary>
    public int Count(ReadOnlySpan<char> text, int enough)
    {
        var tokens = 0;
        while (text.Length > 0 && tokens <= enough)
        {
            var length = WindowOf(text);
            tokens += _encoding.Value.CountTokens(text[..length]);
            text = text[length..];
        }

        return tokens;
    }

    /// <summary>How many of the text's first characters have no more tokens than that; never half a character.</summary>
    public int Fit(ReadOnlySpan<char> text, int tokens)
    {
        var fits = 0;
        while (fits < text.Length && tokens > 0)
        {
            var window = text.Slice(fits, WindowOf(text[fits..]));
            var count = _encoding.Value.CountTokens(window);
            if (count > tokens)
            {
                var part = _encoding.Value.GetIndexByTokenCount(window, tokens, out _, out _);
                return fits + (part > 0 && char.IsHighSurrogate(window[part - 1]) ? part - 1 : part);
            }

            tokens -= count;
            fits += window.Length;
        }

        return fits;
    }

    private static int WindowOf(ReadOnlySpan<char> text) =>
        text.Length <= Window ? text.Length : char.IsHighSurrogate(text[Window - 1]) ? Window - 1 : Window;
}
