using System.Buffers;
using System.Text;
using Weir.Definitions;

namespace Weir.Chat.Aggregation;

/// <summary>
/// Text that comes from outside, made fit to stand in a prompt. Its delimiter is the line: each begins with <c>| </c>, whatever
/// kind of line break the text used, so no text can leave its place, and nothing random is needed that would change the prompt from
/// turn to turn (docs/decisions/0058). What hides from people is taken out or shown.
/// </summary>
internal static class OutsideText
{
    public const string Mark = "| ";
    private const int MaxLabel = 120;

    /// <summary>
    /// One kind of line end; no control characters or terminal sequences; direction controls, tags and what is invisible written as
    /// <c>[U+202E]</c>; Markdown and HTML images and the control tokens of local models' templates broken.
    /// </summary>
    public static string Clean(string text) => Break(HiddenText.Show(HiddenText.OneKindOfLineEnd(text)));

    /// <summary>Every line marked.</summary>
    public static string Quote(string cleaned) => Mark + cleaned.TrimEnd('\n').Replace("\n", "\n" + Mark, StringComparison.Ordinal);

    /// <summary>The beginning of marked text; a mark at its end of which nothing follows is left out.</summary>
    public static string Cut(string quoted, int length)
    {
        var part = quoted.AsSpan(0, length).TrimEnd(' ');
        part = part.EndsWith("\n|") ? part[..^1] : part;
        return part.TrimEnd('\n').ToString();
    }

    /// <summary>
    /// A name or address from outside, inside a line of Weir's own: one line, without the quotation marks that it stands in.
    /// </summary>
    public static string Label(string text, int max = MaxLabel)
    {
        var line = Clean(text.Length > max * 2 ? text[..(max * 2)] : text).Replace('\n', ' ').Replace('"', '\'').Replace('[', '(')
            .Replace(']', ')').Trim();
        return line.Length <= max ? line : line[..(char.IsHighSurrogate(line[max - 1]) ? max - 1 : max)] + "…";
    }

    /// <summary>
    /// An image is fetched by whoever shows the answer, so its address can carry away what the model has read: quoted from
    /// here it is no image any more. A local model's template takes <c>&lt;|…|&gt;</c> in a text for its own.
    /// </summary>
    private static string Break(string text)
    {
        if (text.AsSpan().IndexOfAny("!<") < 0)
        {
            return text;
        }

        return new StringBuilder(text)
            .Replace("![", "!\\[")
            .Replace("<|", "< |")
            .ToString()
            .Replace("<img", "< img", StringComparison.OrdinalIgnoreCase);
    }
}
