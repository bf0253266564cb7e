using System.Globalization;
using System.Text;
using Weir.Catalog;

namespace Weir.Knowledge.Text;

/// <summary>A document's text as a person who reads it sees it: without what hides in it, and without characters of private use, whose
/// meaning left with their font.</summary>
internal static class VisibleText
{
    public static string Of(string text)
    {
        var visible = new StringBuilder(text.Length);
        foreach (var rune in HiddenText.Remove(OneKindOfSpace(text)).EnumerateRunes())
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

    // The blank of Braille is hidden elsewhere; a document in Braille has it between its words.
    private static string OneKindOfSpace(string text) => text.ReplaceLineEndings("\n").Replace('\v', '\n').Replace('\u2800', ' ');
}
