using System.Buffers;
using System.Globalization;
using System.Text;

namespace Weir.Definitions;

/// <summary>
/// Finds what a person who reads a text does not see, and a model does: control characters and ANSI escapes, direction controls,
/// invisible characters, tags. What scripts and emoji need is none of it: a joiner between two letters of Arabic or an Indic script
/// or between two emoji, a variation selector behind the character that it varies.
/// </summary>
internal static class HiddenText
{
    private static readonly SearchValues<char> OtherLineEnds = SearchValues.Create("\r\v\f\u0085\u2028\u2029");

    /// <summary>
    /// What hides in the text: <c>ansi</c>, <c>control</c>, <c>bidi</c>, <c>tag</c> or <c>invisible</c>, the first that is met;
    /// null: nothing.
    /// </summary>
    public static string? Find(string text)
    {
        if (text.AsSpan().IndexOfAnyExceptInRange(' ', '~') < 0)
        {
            return null;
        }

        var (before, previous) = (new Rune(' '), new Rune(' '));
        for (var i = 0; i < text.Length;)
        {
            // Half of a pair is none of ours: such a definition is refused before.
            _ = Rune.DecodeFromUtf16(text.AsSpan(i), out var rune, out var length);
            i += length;
            _ = Rune.DecodeFromUtf16(text.AsSpan(i), out var next, out _);
            if (Kind(rune, before, previous, next) is { } kind)
            {
                return kind;
            }

            (before, previous) = (previous, rune);
        }

        return null;
    }

    /// <summary>
    /// The text with what hides in it written out, as <c>[U+202E]</c>; control characters and terminal sequences, which show
    /// nothing, are left out.
    /// </summary>
    public static string Show(string text) => Rewrite(text, hidden => $"[U+{hidden.Value:X4}]");

    /// <summary>The text without what hides in it.</summary>
    public static string Remove(string text) => Rewrite(text, _ => "");

    /// <summary>Every way to end a line as <c>\n</c>, which none of these methods takes for hidden.</summary>
    public static string OneKindOfLineEnd(string text) =>
        text.AsSpan().IndexOfAny(OtherLineEnds) < 0 ? text : text.ReplaceLineEndings("\n").Replace('\v', '\n');

    private static string Rewrite(string text, Func<Rune, string> write)
    {
        if (Find(text) is null)
        {
            return text;
        }

        var rewritten = new StringBuilder(text.Length);
        var (before, previous) = (new Rune(' '), new Rune(' '));
        for (var i = 0; i < text.Length;)
        {
            _ = Rune.DecodeFromUtf16(text.AsSpan(i), out var rune, out var length);
            i += length;
            _ = Rune.DecodeFromUtf16(text.AsSpan(i), out var next, out _);
            switch (Kind(rune, before, previous, next))
            {
                case null:
                    rewritten.Append(rune.ToString());
                    break;
                case "ansi":
                    i += LengthOfSequence(text.AsSpan(i), isCsi: rune.Value == 0x9B);
                    break;
                case "control":
                    break;
                default:
                    rewritten.Append(write(rune));
                    break;
            }

            (before, previous) = (previous, rune);
        }

        return rewritten.ToString();
    }

    /// <summary>How much behind an escape belongs to it: <c>[31m</c>, or <c>]0;title</c> up to its end.</summary>
    private static int LengthOfSequence(ReadOnlySpan<char> rest, bool isCsi)
    {
        var start = isCsi ? 0 : 1;
        if (!isCsi && rest is not ['[' or ']', ..])
        {
            return 0;
        }

        if (!isCsi && rest[0] == ']')
        {
            var end = rest.IndexOfAny('\a', '\e', '\n');
            return end < 0 ? rest.Length : rest[end] == '\a' ? end + 1 : end;
        }

        var parameters = rest[start..].IndexOfAnyExceptInRange(' ', '?');
        return parameters < 0 ? rest.Length : rest[start + parameters] is >= '@' and <= '~' ? start + parameters + 1 : start + parameters;
    }

    private static string? Kind(Rune rune, Rune before, Rune previous, Rune next) => rune.Value switch
    {
        '\t' or '\n' => null,
        // Alone it lets a terminal write over what stands there.
        '\r' => next.Value == '\n' ? null : "control",
        0x1B or 0x9B => "ansi",
        < 0x20 or (>= 0x7F and <= 0x9F) => "control",
        0x061C or 0x200E or 0x200F or (>= 0x202A and <= 0x202E) or (>= 0x2066 and <= 0x2069) => "bidi",
        0x200C => JoinsLetters(previous, next) ? null : "invisible",
        0x200D => JoinsLetters(previous, next) || JoinsEmoji(before, previous, next) ? null : "invisible",
        >= 0xFE00 and <= 0xFE0F or >= 0x180B and <= 0x180D or >= 0xE0100 and <= 0xE01EF =>
            Varies(rune, previous, next) ? null : "invisible",
        >= 0xE0000 and <= 0xE0FFF => "tag",
        _ => IsInvisible(rune) ? "invisible" : null,
    };

    /// <summary>Persian and the scripts of India are not written without joiners.</summary>
    private static bool JoinsLetters(Rune previous, Rune next) => IsOfJoinedScript(previous) && IsOfJoinedScript(next);

    private static bool IsOfJoinedScript(Rune rune) => rune.Value is >= 0x0600 and < 0x1100 or >= 0x1780 and < 0x1900
        && (Rune.IsLetter(rune) || IsMark(rune))
        && !IsInvisible(rune) && rune.Value is not (>= 0x180B and <= 0x180D);

    private static bool JoinsEmoji(Rune before, Rune previous, Rune next) =>
        IsSymbol(next) && (IsSymbol(previous) || (previous.Value == 0xFE0F && IsSymbol(before)));

    private static bool Varies(Rune selector, Rune previous, Rune next) => selector.Value switch
    {
        0xFE0E or 0xFE0F => IsSymbol(previous) || previous.Value is 0x203C or 0x2049 or 0x2139 or 0x3030 or 0x303D
            || (next.Value == 0x20E3 && previous.Value is '#' or '*' or (>= '0' and <= '9')),
        >= 0x180B and <= 0x180D => previous.Value is >= 0x1820 and < 0x18B0,
        _ => IsHan(previous),
    };

    private static bool IsHan(Rune rune) =>
        rune.Value is >= 0x3400 and <= 0x4DBF or >= 0x4E00 and <= 0x9FFF or >= 0xF900 and <= 0xFAFF or >= 0x20000 and <= 0x3FFFF;

    private static bool IsSymbol(Rune rune) =>
        !rune.IsAscii
            && Rune.GetUnicodeCategory(rune) is UnicodeCategory.OtherSymbol or UnicodeCategory.MathSymbol or UnicodeCategory.ModifierSymbol;

    private static bool IsMark(Rune rune) =>
        Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark;

    /// <summary>
    /// Unicode's format characters but for the few that have a shape, and what else has none: fillers, joiners of graphemes, blank Braille.
    /// </summary>
    private static bool IsInvisible(Rune rune) => rune.Value switch
    {
        (>= 0x0600 and <= 0x0605) or 0x06DD or 0x070F or 0x0890 or 0x0891 or 0x08E2 or 0x110BD or 0x110CD => false,
        0x034F or 0x115F or 0x1160 or 0x17B4 or 0x17B5 or 0x180F or 0x2065 or 0x2800 or 0x3164 or 0xFFA0 or (>= 0xFFF0 and <= 0xFFF8) =>
            true,
        _ => Rune.GetUnicodeCategory(rune) is UnicodeCategory.Format,
    };
}
