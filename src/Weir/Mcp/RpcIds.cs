using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Weir.Configuration;

namespace Weir.Mcp;

/// <summary>
/// Compares the ids and progress tokens of JSON-RPC by value. <c>24</c>, <c>24.0</c> and <c>2.4e1</c> are one number, compared as decimals
/// and not as doubles, so also beyond 2^53; <c>"a"</c> and <c>"\u0061"</c> are one string. A number never equals a string. Whoever
/// answers an id writes it as its sender spelled it.
/// </summary>
internal static class RpcIds
{
    /// <summary>A number that is longer, or whose exponent is larger, equals only the same bytes.</summary>
    private const int MaxLength = 512;
    private const int MaxExponent = 1_000_000;

    /// <summary>A text that two tokens share exactly where they are the same id.</summary>
    /// <param name="token">The raw JSON token.</param>
    public static string KeyOf(ReadOnlySpan<byte> token)
    {
        if (token is [(byte)'"', ..])
        {
            return token.Contains((byte)'\\') ? $"\"{Unescape(token)}\"" : Encoding.UTF8.GetString(token);
        }

        return TryNormalize(token, out var number)
            ? string.Create(CultureInfo.InvariantCulture, $"{(number.IsNegative ? "-" : "")}{number.Digits}e{number.Exponent}")
            : Encoding.UTF8.GetString(token);
    }

    public static bool AreEqual(ReadOnlySpan<byte> one, ReadOnlySpan<byte> other) =>
        one.SequenceEqual(other) || string.Equals(KeyOf(one), KeyOf(other), StringComparison.Ordinal);

    /// <summary>Whether the token is a number without a fraction, however it is spelled.</summary>
    public static bool IsInteger(ReadOnlySpan<byte> token) => TryNormalize(token, out var number) && number.Exponent >= 0;

    /// <summary>The value of a number that is a whole one and fits; false for every other token.</summary>
    public static bool TryReadInteger(ReadOnlySpan<byte> token, out long value)
    {
        if (Utf8Parser.TryParse(token, out value, out var used) && used == token.Length && used > 0)
        {
            return true;
        }

        value = 0;
        return TryNormalize(token, out var number) && number.Exponent is >= 0 and < 20 && number.Digits.Length < 20
            && long.TryParse(
                (number.IsNegative ? "-" : "") + number.Digits + new string('0', number.Exponent), NumberStyles.AllowLeadingSign,
                CultureInfo.InvariantCulture, out value);
    }

    /// <summary>
    /// The value of an id or progress token that Weir gave, all of which are numbers. Some servers send a number back as a string.
    /// </summary>
    public static bool TryReadToken(ReadOnlySpan<byte> token, out long value) =>
        TryReadInteger(token is [(byte)'"', .. var inner, (byte)'"'] ? inner : token, out value);

    private static string Unescape(ReadOnlySpan<byte> token)
    {
        try
        {
            var reader = new Utf8JsonReader(token, new JsonReaderOptions { MaxDepth = JsonDepth.Message });
            reader.Read();
            return reader.GetString() ?? "";
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Half of a surrogate pair, or no string at all: it equals only the same bytes.
            return Encoding.UTF8.GetString(token);
        }
    }

    /// <summary>The digits of a number without zeros at either end, and its power of ten. Zero has neither, and no sign.</summary>
    private static bool TryNormalize(ReadOnlySpan<byte> token, out (bool IsNegative, string Digits, int Exponent) number)
    {
        number = (false, "0", 0);
        if (token.Length is 0 or > MaxLength || (token[0] != (byte)'-' && !char.IsAsciiDigit((char)token[0])))
        {
            return false;
        }

        var text = Encoding.ASCII.GetString(token);
        var e = text.AsSpan().IndexOfAny('e', 'E');
        var exponent = 0;
        if (e >= 0 && (!int.TryParse(text.AsSpan(e + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out exponent)
            || Math.Abs((long)exponent) > MaxExponent))
        {
            return false;
        }

        var mantissa = e < 0 ? text : text[..e];
        var point = mantissa.IndexOf('.', StringComparison.Ordinal);
        var fraction = point < 0 ? 0 : mantissa.Length - point - 1;
        var digits = mantissa.Replace("-", "", StringComparison.Ordinal).Replace(".", "", StringComparison.Ordinal).TrimStart('0');
        var significant = digits.TrimEnd('0');
        if (significant.Length > 0)
        {
            number = (mantissa[0] == '-', significant, exponent - fraction + digits.Length - significant.Length);
        }

        return true;
    }
}
