using System.Buffers;
using Microsoft.AspNetCore.Http;

namespace Weir.Gateway;

/// <summary>Reads a request's body into one buffer, up to a limit.</summary>
internal static class BodyReader
{
    /// <summary>Null when the body is larger than <paramref name="maxBytes"/>. What comes then is read away, up to a bound, and kept nowhere.</summary>
    public static async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(HttpRequest request, int maxBytes, CancellationToken ct)
    {
        if (request.ContentLength > maxBytes)
        {
            await DrainAsync(request, maxBytes * 3L, ct);
            return null;
        }

        var reader = request.BodyReader;
        while (true)
        {
            var read = await reader.ReadAsync(ct);
            if (read.Buffer.Length > maxBytes)
            {
                reader.AdvanceTo(read.Buffer.End);
                await DrainAsync(request, maxBytes * 3L, ct);
                return null;
            }

            if (read.IsCompleted)
            {
                var body = read.Buffer.ToArray();
                reader.AdvanceTo(read.Buffer.End);
                return body;
            }

            reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }

    /// <summary>A client that is still sending sees the answer only when somebody takes what it sends; the connection of one that sends more breaks.</summary>
    private static async ValueTask DrainAsync(HttpRequest request, long most, CancellationToken ct)
    {
        var drained = 0L;
        while (drained <= most)
        {
            var read = await request.BodyReader.ReadAsync(ct);
            drained += read.Buffer.Length;
            request.BodyReader.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted)
            {
                return;
            }
        }
    }
}
