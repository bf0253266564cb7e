using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;

namespace Weir.Input;

/// <summary>
/// The only reader of a request's body. What is read is bounded; what a client sends beyond the bound is discarded by Kestrel after the
/// answer and is held nowhere.
/// </summary>
internal static class RequestBody
{
    /// <summary>
    /// The whole body, or null where it is larger than <paramref name="maxBytes"/>. Not counted: for callers of whom few are read at once.
    /// </summary>
    /// <exception cref="BadHttpRequestException">400: it broke off, or its framing is wrong. 408: it came too slowly.</exception>
    public static ValueTask<ReadOnlyMemory<byte>?> ReadAsync(HttpRequest request, int maxBytes, CancellationToken ct) =>
        ReadAsync(request, maxBytes, take: null, ct);

    /// <summary>The same within a time, for a body that is read before its sender is known.</summary>
    /// <exception cref="BadHttpRequestException">As above; 408 also when <paramref name="within"/> has passed.</exception>
    public static async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(
        HttpRequest request, int maxBytes, TimeSpan within, TimeProvider time, CancellationToken ct)
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

    /// <summary>The same, counted.</summary>
    /// <param name="take">Is told how many more bytes are to be held, before they are, and may throw. A body that came whole with its
    /// request's head is not counted.</param>
    /// <exception cref="BadHttpRequestException">As above.</exception>
    public static async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(
        HttpRequest request, int maxBytes, Action<long>? take, CancellationToken ct)
    {
        if (request.ContentLength > maxBytes)
        {
            return null;
        }

        try
        {
            return await ReadAllAsync(request, (int)(request.ContentLength ?? maxBytes), maxBytes, take, ct);
        }
        catch (Exception e) when (e is IOException and not BadHttpRequestException)
        {
            throw new BadHttpRequestException("The body ended before it was complete.", StatusCodes.Status400BadRequest, e);
        }
    }

    /// <param name="announced">Where the body ends at the latest. Memory is taken as it comes, up to twice what has come.</param>
    private static async ValueTask<ReadOnlyMemory<byte>?> ReadAllAsync(
        HttpRequest request, int announced, int maxBytes, Action<long>? take, CancellationToken ct)
    {
        var reader = request.BodyReader;
        byte[] body = [];
        var length = 0;
        while (true)
        {
            var read = await reader.ReadAsync(ct);
            var needed = length + read.Buffer.Length;
            if (needed > maxBytes)
            {
                reader.AdvanceTo(read.Buffer.End);
                return null;
            }

            if (needed > body.Length)
            {
                var size = read.IsCompleted ? (int)needed : (int)Math.Max(needed, Math.Min(needed * 2, announced));
                if (length > 0 || !read.IsCompleted)
                {
                    Take(reader, read.Buffer.End, take, size - body.Length);
                }

                Array.Resize(ref body, size);
            }

            foreach (var part in read.Buffer)
            {
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

    /// <summary>
    /// Where there is no room, what was read is let go, so that Kestrel can discard the rest and the client sees the answer.
    /// </summary>
    private static void Take(PipeReader reader, SequencePosition end, Action<long>? take, long bytes)
    {
        try
        {
            take?.Invoke(bytes);
        }
        catch
        {
            reader.AdvanceTo(end);
            throw;
        }
    }
}
