using System.Text;
using Weir.Input;

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
        if (!IsEncoded(value))
        {
            return value;
        }

        return TextInput.FromBase64(value.AsSpan()[Prefix.Length..^Suffix.Length]) is { } bytes ? TextInput.FromUtf8(bytes) : null;
    }

    private static bool IsSafe(string value) =>
        value.Length > 0
        && value.Trim().Length == value.Length
        && value.All(c => c is '\t' or (>= ' ' and <= '~'))
        && !IsEncoded(value);

    /// <summary>Prefix and suffix share no character: <c>=?base64?=</c> is a plain value.</summary>
    private static bool IsEncoded(string value) => value.Length >= Prefix.Length + Suffix.Length
        && value.StartsWith(Prefix, StringComparison.Ordinal) && value.EndsWith(Suffix, StringComparison.Ordinal);
}
