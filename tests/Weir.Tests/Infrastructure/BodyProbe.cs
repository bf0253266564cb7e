using System.Globalization;
using System.Text;

namespace Weir.Tests.Infrastructure;

/// <summary>One request whose body is sent as far as a test says, and whose answer must come although the body has not ended.</summary>
internal static class BodyProbe
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    /// <summary>The answer to a request whose body begins with so many bytes, and of which more is to come.</summary>
    public static Task<int> UnfinishedAsync(Uri server, string method, string path, string? bearer, int bytes) =>
        SendAsync(server, method, path, bearer, "Transfer-Encoding: chunked", bytes == 0 ? [] : Chunk(bytes));

    /// <summary>The answer to a request whose body is announced to be so long, and of which nothing has come.</summary>
    public static Task<int> AnnouncedAsync(Uri server, string method, string path, string? bearer, long bytes) =>
        SendAsync(server, method, path, bearer, $"Content-Length: {bytes}", []);

    /// <summary>The answer to a whole request of so many bytes.</summary>
    public static Task<int> WholeAsync(Uri server, string method, string path, string? bearer, int bytes) =>
        SendAsync(server, method, path, bearer, $"Content-Length: {bytes}", Filler(bytes));

    private static async Task<int> SendAsync(Uri server, string method, string path, string? bearer, string framing, byte[] body)
    {
        using var connection = await PipelinedConnection.OpenAsync(server.Port);
        using var timeout = new CancellationTokenSource(Timeout);
        var request = new FuzzedRequest(
            $"{method} {path} HTTP/1.1\r\nHost: {server.Authority}\r\n{(bearer is null ? "" : $"Authorization: Bearer {bearer}\r\n")}"
            + $"Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n{framing}\r\n\r\n",
            body);
        try
        {
            await connection.SendAsync([request], timeout.Token);
            return await connection.ReadAsync(request, timeout.Token, followStreams: false) is { } answer
                ? answer.Status
                : throw new IOException("The connection was closed.");
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            throw new InvalidOperationException($"{request.Head}with {body.Length} bytes of its body got no answer.", e);
        }
    }

    /// <summary>JSON that is not over.</summary>
    private static byte[] Filler(int bytes)
    {
        var body = new byte[bytes];
        body.AsSpan().Fill((byte)' ');
        if (bytes > 0)
        {
            body[0] = (byte)'{';
        }

        return body;
    }

    private static byte[] Chunk(int bytes) => [
        .. Encoding.ASCII.GetBytes(bytes.ToString("x", CultureInfo.InvariantCulture) + "\r\n"), .. Filler(bytes), .. "\r\n"u8,
    ];
}
