using System.Security.Cryptography;
using System.Text;

namespace Weir.Identity;

/// <summary>
/// The text of a key, <c>{prefix}{id}_{secret}_{check}</c>: an id of 16 characters, a secret of 43 (256 bits), a checksum of 6, so
/// that garbage costs no statement and a scanner can recognize a leaked key. The database holds SHA-256 of the secret only.
/// </summary>
internal static class KeyText
{
    /// <summary>The one text for a refused key, on every endpoint, whichever kind it is and whatever is wrong with it.</summary>
    public const string Refused = "The key is unknown, expired or revoked.";

    private const int IdLength = 16;
    private const int SecretLength = 43;
    private const int CheckLength = 6;
    private const int LengthWithoutPrefix = IdLength + 1 + SecretLength + 1 + CheckLength;
    private const string IdAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789";
    private const string SecretAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

    /// <summary>A new key: its text, shown once, and its parts for the function that makes it.</summary>
    public static (string Text, string Id, string Secret) Create(string prefix)
    {
        var id = RandomNumberGenerator.GetString(IdAlphabet, IdLength);
        var secret = RandomNumberGenerator.GetString(SecretAlphabet, SecretLength);
        var body = $"{prefix}{id}_{secret}";
        return ($"{body}_{Check(body)}", id, secret);
    }

    /// <summary>Null for what was never a key: wrong prefix, length, alphabet or checksum.</summary>
    public static (string Id, byte[] SecretHash)? Parse(string prefix, string text)
    {
        if (text.Length != prefix.Length + LengthWithoutPrefix || !text.StartsWith(prefix, StringComparison.Ordinal))
        {
            return null;
        }

        var body = text[..^(CheckLength + 1)];
        var id = body.Substring(prefix.Length, IdLength);
        var secret = body[^SecretLength..];
        var wellFormed = id.All(IdAlphabet.Contains)
            && secret.All(SecretAlphabet.Contains)
            && body[prefix.Length + IdLength] == '_'
            && text[^(CheckLength + 1)] == '_'
            && text.EndsWith(Check(body), StringComparison.Ordinal);
        return wellFormed ? (id, SHA256.HashData(Encoding.UTF8.GetBytes(secret))) : null;
    }

    private static string Check(string body)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(body));
        return string.Create(CheckLength, hash, (chars, bytes) =>
        {
            for (var i = 0; i < chars.Length; i++)
            {
                chars[i] = SecretAlphabet[bytes[i] % SecretAlphabet.Length];
            }
        });
    }
}
