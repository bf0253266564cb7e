using Weir.Limits;

namespace Weir.Server.Http;

/// <summary>
/// An answer that is in memory as a whole. It is sent in parts, because Kestrel copies all that it is given before it waits for the client.
/// </summary>
internal static class LargeBody
{
    public static async Task WriteAsync(HttpContext http, ReadOnlyMemory<byte> body)
    {
        for (var rest = body; !rest.IsEmpty; rest = rest[Math.Min(rest.Length, CallerBytes.Uncounted)..])
        {
            await http.Response.Body.WriteAsync(rest[..Math.Min(rest.Length, CallerBytes.Uncounted)], http.RequestAborted);
        }
    }
}
