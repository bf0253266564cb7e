using Microsoft.AspNetCore.Http;

namespace Weir.Input;

/// <summary>
/// The only reader of a request's body. What is read is bounded; what a client sends beyond the bound is discarded by Kestrel after the answer
/// and is held nowhere.
/// </summary>
internal static class RequestBody
{
    private const int FirstBuffer = 64 * 1024;

    /// <summary>The whole body, or null where it is larger than <paramref name="maxBytes"/>.</summary>
    /// <exception cref="BadHttpRequestException">400: it broke off, or its framing is wrong. 408: it came too slowly.</exception>
    public static async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(HttpRequest request, int maxBytes, CancellationToken ct)
    {
        if (request.ContentLength > maxBytes)
        {
            return null;
        }

        try
        {
            return await ReadAllAsync(request, maxBytes, ct);
        }
        catch (Exception e) when (e is IOException and not BadHttpRequestException)
        {
            throw new BadHttpRequestException("The body ended before it was complete.", StatusCodes.Status400BadRequest, e);
        }
    }

    /// <summary>The same within a time, for a body that is read before its sender is known.</summary>
    /// <exception cref="BadHttpRequestException">As above; 408 also when <paramref name="within"/> has passed.</exception>
    public static async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(HttpRequest request, int maxBytes, TimeSpan within, TimeProvider time, CancellationToken ct)
    {
        using var limit = new CancellationTokenSource(within, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, limit.Token);
        try
        {
            return await ReadAsync(request, maxBytes, either.Token);
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw new BadHttpRequestException(
                $"The body did not arrive within {within.TotalSeconds:0} seconds.", StatusCodes.Status408RequestTimeout, e);
        }
    }

    private static async ValueTask<ReadOnlyMemory<byte>?> ReadAllAsync(HttpRequest request, int maxBytes, CancellationToken ct)
    {
        var reader = request.BodyReader;
        var body = new byte[Math.Min(request.ContentLength ?? FirstBuffer, FirstBuffer)];
        var length = 0;
        while (true)
        {
            var read = await reader.ReadAsync(ct);
            if (length + read.Buffer.Length > maxBytes)
            {
                reader.AdvanceTo(read.Buffer.End);
                return null;
            }

            foreach (var part in read.Buffer)
            {
                if (length + part.Length > body.Length)
                {
                    // The announced length is believed only after a first buffer of it has come.
                    Array.Resize(ref body, (int)Math.Min(maxBytes, Math.Max(length + part.Length, request.ContentLength ?? body.Length * 2L)));
                }

                part.Span.CopyTo(body.AsSpan(length));
                length += part.Length;
            }

            reader.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted)
            {
                return body.AsMemory(0, length);
            }
        }
    }
}
