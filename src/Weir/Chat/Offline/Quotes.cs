using System.Text;

namespace Weir.Chat.Offline;

/// <summary>
/// A server's text as a quotation: each line begins with <c>&gt; </c>, whatever kind of line break the server used, so nothing
/// in the text can end the quotation or pass for the model's own words.
/// </summary>
internal static class Quotes
{
    /// <summary>Longest text that is quoted. Characters.</summary>
    private const int MaxLength = 8000;

    public static string Of(string text)
    {
        var cut = text.Length > MaxLength ? text[..(char.IsHighSurrogate(text[MaxLength - 1]) ? MaxLength - 1 : MaxLength)] : text;
        var quoted = new StringBuilder(cut.Length + 64).Append("> ");
        var lines = cut.ReplaceLineEndings("\n").TrimEnd('\n');
        foreach (var c in lines)
        {
            if (c is '\n' or '\v')
            {
                quoted.Append("\n> ");
            }
            else if (!char.IsControl(c) || c == '\t')
            {
                quoted.Append(c);
            }
        }

        if (cut.Length < text.Length)
        {
            quoted.Append($"\n> … [cut: {text.Length - cut.Length} more characters]");
        }

        return quoted.ToString();
    }

    /// <summary>A server's own short words (a name, a description) inside a sentence: one line, no backticks.</summary>
    public static string Inline(string text, int maxLength = 120)
    {
        var line = string.Concat(text.Select(c => char.IsControl(c) || c is '\u2028' or '\u2029' or '`' ? ' ' : c)).Trim();
        return line.Length <= maxLength ? line : line[..(char.IsHighSurrogate(line[maxLength - 1]) ? maxLength - 1 : maxLength)] + "…";
    }
}
