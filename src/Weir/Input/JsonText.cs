using System.Text.Json;

namespace Weir.Input;

/// <summary>
/// What a text in JSON may hold: everything but U+0000 and half of a surrogate pair, which neither .NET nor PostgreSQL can take as text.
/// </summary>
internal static class JsonText
{
    /// <summary>
    /// Whether the current token, a string or a name in valid UTF-8, has only such escapes. Raw control characters are refused by the
    /// reader.
    /// </summary>
    /// <param name="allowNull">Whether <c>\u0000</c> is let through, for a reader that refuses it where it must.</param>
    public static bool IsWhole(ref readonly Utf8JsonReader json, bool allowNull = false)
    {
        if (!json.ValueIsEscaped)
        {
            return true;
        }

        var text = json.ValueSpan;
        var high = false;
        for (var i = 0; i < text.Length; i++)
        {
            var unit = -1;
            if (text[i] == (byte)'\\')
            {
                i++;
                if (text[i] == (byte)'u')
                {
                    unit = HexUnit(text.Slice(i + 1, 4));
                    i += 4;
                }
            }

            var low = unit is >= 0xDC00 and <= 0xDFFF;
            if ((unit == 0 && !allowNull) || low != high)
            {
                return false;
            }

            high = unit is >= 0xD800 and <= 0xDBFF;
        }

        return !high;
    }

    /// <summary>
    /// JSON in which each half of a surrogate pair has become U+FFFD, as every decoder shows it: what programs in JavaScript write when
    /// they cut a text in the middle of a character. The same memory where there is none.
    /// </summary>
    public static ReadOnlyMemory<byte> WithoutHalfPairs(ReadOnlyMemory<byte> json)
    {
        var text = json.Span;
        byte[]? mended = null;
        // Where an escaped high half stands that waits for its low one.
        var high = -1;
        for (var i = 0; i < text.Length;)
        {
            var next = text[i..].IndexOf((byte)'\\');
            if (next < 0 || i + next + 1 >= text.Length)
            {
                break;
            }

            i += next;
            var unit = text[i + 1] == (byte)'u' && i + 6 <= text.Length ? HexUnit(text.Slice(i + 2, 4)) : -1;
            var isLow = unit is >= 0xDC00 and <= 0xDFFF;
            if (high >= 0 && !(isLow && high == i - 6))
            {
                Replace(ref mended, json, high);
                high = -1;
            }

            if (isLow && high < 0)
            {
                Replace(ref mended, json, i);
            }

            high = unit is >= 0xD800 and <= 0xDBFF ? i : -1;
            i += unit >= 0 ? 6 : 2;
        }

        if (high >= 0)
        {
            Replace(ref mended, json, high);
        }

        return mended ?? json;
    }

    private static void Replace(ref byte[]? mended, ReadOnlyMemory<byte> json, int at)
    {
        mended ??= json.ToArray();
        "\\ufffd"u8.CopyTo(mended.AsSpan(at));
    }

    private static int HexUnit(ReadOnlySpan<byte> digits) =>
        System.Buffers.Text.Utf8Parser.TryParse(digits, out int unit, out _, 'x') ? unit : -1;
}
