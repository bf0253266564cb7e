using System.Globalization;
using System.Text;

namespace Weir.Knowledge.Text;

/// <summary>Takes out of a text what a person who reads it does not see: controls, direction controls, tags, and invisible fillers.</summary>
internal static class VisibleText
{
    public static string Of(string text)
    {
        var visible = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            switch (rune.Value)
            {
                case '\n' or '\t':
                    visible.Append((char)rune.Value);
                    break;
                case '\r' or '\f' or '\v' or 0x2028 or 0x2029:
                    // \r\n is one end of a line
                    if (rune.Value != '\r')
                    {
                        visible.Append('\n');
                    }

                    break;
                default:
                    if (!IsHidden(rune))
                    {
                        visible.Append(rune);
                    }

                    break;
            }
        }

        return visible.ToString();
    }

    /// <summary>One line: runs of white space are one blank.</summary>
    public static string Line(string text) => string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

    // Joiners (U+200C, U+200D) and variation selectors stay: scripts and emoji are written with them.
    private static bool IsHidden(Rune rune) => rune.Value switch
    {
        0x200C or 0x200D => false,
        0x00AD or 0x061C or 0x115F or 0x1160 or 0x3164 or 0xFFA0 => true,
        >= 0xE0000 and <= 0xE0FFF => true,
        _ => Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.PrivateUse,
    };
}
