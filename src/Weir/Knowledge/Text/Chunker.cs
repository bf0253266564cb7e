namespace Weir.Knowledge.Text;

/// <summary>
/// Cuts sections into pieces of at most so many characters, at the end of a paragraph, sentence, line or word, whichever comes late enough
/// in the piece. A piece repeats the end of the one before it, so that what stands across a cut is whole in one of them. The same text
/// gives the same pieces. Characters and no tokens: tokens are one model's, and a change of the model would cut everything anew.
/// </summary>
internal static class Chunker
{
    private static readonly string[] Ends = ["\n\n", ". ", "! ", "? ", "。", "\n", " "];

    /// <param name="size">Longest piece. Characters.</param>
    /// <param name="overlap">How much is repeated; less than half of <paramref name="size"/>. Characters.</param>
    public static IEnumerable<Chunk> Cut(IEnumerable<Section> sections, int size, int overlap) =>
        sections.SelectMany(section => Cut(section.Text, size, overlap).Select(text => new Chunk(section.Heading, text)));

    private static IEnumerable<string> Cut(string text, int size, int overlap)
    {
        var start = 0;
        while (start < text.Length)
        {
            var end = EndOf(text, start, size);
            if (text[start..end].Trim() is { Length: > 0 } piece)
            {
                yield return piece;
            }

            if (end == text.Length)
            {
                yield break;
            }

            start = StartAfter(text, start, end, overlap);
        }
    }

    private static int EndOf(string text, int start, int size)
    {
        if (text.Length - start <= size)
        {
            return text.Length;
        }

        var half = size / 2;
        foreach (var mark in Ends)
        {
            var at = text.LastIndexOf(mark, start + size - 1, half, StringComparison.Ordinal);
            if (at >= 0)
            {
                return at + mark.Length;
            }
        }

        return char.IsHighSurrogate(text[start + size - 1]) ? start + size - 1 : start + size;
    }

    /// <summary>Where the next piece starts: at a word within the overlap, if there is one, and always further on.</summary>
    private static int StartAfter(string text, int start, int end, int overlap)
    {
        var from = Math.Max(end - overlap, start + 1);
        for (var i = from; i < end; i++)
        {
            if (char.IsWhiteSpace(text[i - 1]) && !char.IsWhiteSpace(text[i]))
            {
                return i;
            }
        }

        return end;
    }
}
