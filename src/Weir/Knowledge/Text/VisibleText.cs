using System.Globalization;
using System.Text;
using Weir.Definitions;

namespace Weir.Knowledge.Text;

/// <summary>
/// A document's text as a person who reads it sees it: without what hides in it, and without characters of private use, whose
/// meaning left with their font.
/// </summary>
internal static class VisibleText
{
    /// <summary>Hidden anywhere else; a document in Braille has it between its words.</summary>
    private const char BrailleBlank = '\u2800';

    public static string Of(string text)
    {
        var visible = new StringBuilder(text.Length);
        foreach (var rune in HiddenText.Remove(HiddenText.OneKindOfLineEnd(text).Replace(BrailleBlank, ' ')).EnumerateRunes())
        {
            if (Rune.GetUnicodeCategory(rune) != UnicodeCategory.PrivateUse)
            {
                visible.Append(rune);
            }
        }

        return visible.ToString();
    }

    /// <summary>One line: runs of white space are one blank.</summary>
    public static string Line(string text) => string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
}
