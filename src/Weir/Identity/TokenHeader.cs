using System.Buffers.Text;
using System.Text;
using System.Text.Json;

namespace Weir.Identity;

/// <summary>The protected header of a signed token, as far as it decides which key verifies it. Nothing in it is trusted.</summary>
/// <param name="KeyId">The <c>kid</c>; empty where there is none.</param>
internal sealed record TokenHeader(string KeyId)
{
    private const int MaxDepth = 8;

    /// <summary>
    /// Null where the header is malformed, or has a <c>crit</c> member: it lists extensions that a recipient must understand or refuse
    /// (RFC 7515, section 4.1.11), and Weir understands none. An empty or malformed <c>crit</c> is invalid by the same section.
    /// </summary>
    public static TokenHeader? Read(string token)
    {
        var end = token.IndexOf('.', StringComparison.Ordinal);
        if (end <= 0 || !Base64Url.IsValid(token.AsSpan(0, end)))
        {
            return null;
        }

        try
        {
            var header = JsonElement.Parse(
                Encoding.UTF8.GetString(Base64Url.DecodeFromChars(token.AsSpan(0, end))),
                new JsonDocumentOptions { MaxDepth = MaxDepth, AllowDuplicateProperties = false });
            return header.ValueKind != JsonValueKind.Object || header.TryGetProperty("crit", out _) ? null
                : new TokenHeader(header.TryGetProperty("kid", out var kid) && kid.ValueKind == JsonValueKind.String ? kid.GetString()! : "");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Not JSON, or half of a surrogate pair, which is no text.
            return null;
        }
    }
}
