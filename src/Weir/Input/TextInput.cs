using System.Buffers.Text;
using System.Text;
using System.Text.Unicode;

namespace Weir.Input;

/// <summary>
/// Texts from headers, query strings, tokens and paths, as values. Null, or false, is what is refused; nothing here throws.
/// </summary>
internal static class TextInput
{
    /// <summary>Whether PostgreSQL can hold it as text: no U+0000, and no half of a surrogate pair.</summary>
    public static bool IsStorable(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '\0' || char.IsLowSurrogate(text[i]))
            {
                return false;
            }

            if (char.IsHighSurrogate(text[i]) && !(++i < text.Length && char.IsLowSurrogate(text[i])))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>The text of bytes in UTF-8; null where they are none.</summary>
    public static string? FromUtf8(ReadOnlySpan<byte> utf8) => Utf8.IsValid(utf8) ? Encoding.UTF8.GetString(utf8) : null;

    /// <summary>The bytes behind base64 (of the alphabet with + and /, padded); null where it is none.</summary>
    public static byte[]? FromBase64(ReadOnlySpan<char> text)
    {
        var bytes = new byte[text.Length];
        return Convert.TryFromBase64Chars(text, bytes, out var written) ? bytes[..written] : null;
    }

    /// <summary>
    /// The bytes behind base64url without padding, of at most <paramref name="maxLength"/> characters; null where it is none.
    /// </summary>
    public static byte[]? FromBase64Url(ReadOnlySpan<char> text, int maxLength)
    {
        if (text.Length > maxLength || !Base64Url.IsValid(text, out var length))
        {
            return null;
        }

        var bytes = new byte[length];
        return Base64Url.TryDecodeFromChars(text, bytes, out var written) ? bytes[..written] : null;
    }
}
