using System.Text.Json;
using Weir.Input;

namespace Weir.Identity;

/// <summary>The protected header of a signed token, as far as it decides which key verifies it. Nothing in it is trusted.</summary>
/// <param name="KeyId">The <c>kid</c>; empty where there is none.</param>
internal sealed record TokenHeader(string KeyId)
{
    private const int MaxLength = 8 * 1024;
    private static readonly JsonBounds Bounds = new(Depth: 8, Values: 256);

    /// <summary>
    /// Null where the header is malformed, or has a <c>crit</c> member: it lists extensions that a recipient must understand or refuse
    /// (RFC 7515, section 4.1.11), and Weir understands none. An empty or malformed <c>crit</c> is invalid by the same section.
    /// </summary>
    public static TokenHeader? Read(string token)
    {
        var end = token.IndexOf('.', StringComparison.Ordinal);
        if (end <= 0 || TextInput.FromBase64Url(token.AsSpan(0, end), MaxLength) is not { } bytes
            || !JsonInput.TryParse(bytes, Bounds, out var document, out _))
        {
            return null;
        }

        using (document)
        {
            var header = document.RootElement;
            return header.ValueKind != JsonValueKind.Object || header.TryGetProperty("crit", out _) ? null
                : new TokenHeader(
                    header.TryGetProperty("kid", out var kid) && kid.ValueKind == JsonValueKind.String ? kid.GetString()! : "");
        }
    }
}
