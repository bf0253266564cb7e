using System.Text;

namespace Weir.Mcp;

/// <summary>The protocol's encoding of a name in a header: plain ASCII as it is, all else as <c>=?base64?…?=</c>.</summary>
internal static class HeaderValues
{
    private const string Prefix = "=?base64?";
    private const string Suffix = "?=";

    public static string Encode(string value) =>
        IsSafe(value) ? value : Prefix + Convert.ToBase64String(Encoding.UTF8.GetBytes(value)) + Suffix;

    /// <summary>The name behind a header value; null for a sentinel whose base64 or UTF-8 is broken.</summary>
    public static string? Decode(string value)
    {
        if (!value.StartsWith(Prefix, StringComparison.Ordinal) || !value.EndsWith(Suffix, StringComparison.Ordinal))
        {
            return value;
        }

        var body = value[Prefix.Length..^Suffix.Length];
        var bytes = new byte[body.Length];
        return Convert.TryFromBase64String(body, bytes, out var written) && System.Text.Unicode.Utf8.IsValid(bytes.AsSpan(0, written))
            ? Encoding.UTF8.GetString(bytes, 0, written)
            : null;
    }

    private static bool IsSafe(string value) =>
        value.Length > 0
        && value.Trim().Length == value.Length
        && value.All(c => c is '\t' or (>= ' ' and <= '~'))
        && !(value.StartsWith(Prefix, StringComparison.Ordinal) && value.EndsWith(Suffix, StringComparison.Ordinal));
}
