using System.Security.Cryptography;
using System.Text;

namespace Weir.Server.Docs;

/// <summary>A page or the style, as it is sent.</summary>
/// <param name="Tag">Of the bytes, with its quotes.</param>
internal sealed record DocsFile(string ContentType, byte[] Body, string Tag)
{
    public static DocsFile Of(string contentType, string text)
    {
        var body = Encoding.UTF8.GetBytes(text);
        return new DocsFile(contentType, body, $"\"{Convert.ToHexStringLower(SHA256.HashData(body).AsSpan(0, 16))}\"");
    }
}
