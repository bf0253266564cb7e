using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Weir.Tests.Infrastructure;

/// <summary>One HTTP/1.1 connection that sends many requests before it reads the answers.</summary>
internal sealed class PipelinedConnection : IDisposable
{
    private readonly TcpClient _client = new() { NoDelay = true };
    private PipeReader _reader = null!;

    public static async Task<PipelinedConnection> OpenAsync(int port)
    {
        var connection = new PipelinedConnection();
        await connection._client.ConnectAsync(IPAddress.Loopback, port);
        connection._reader = PipeReader.Create(connection._client.GetStream());
        return connection;
    }

    public void Dispose() => _client.Dispose();

    public async Task SendAsync(IEnumerable<FuzzedRequest> requests, CancellationToken ct)
    {
        using var bytes = new MemoryStream();
        foreach (var request in requests)
        {
            bytes.Write(Encoding.Latin1.GetBytes(request.Head));
            bytes.Write(request.Body);
        }

        await _client.GetStream().WriteAsync(bytes.GetBuffer().AsMemory(0, (int)bytes.Length), ct);
    }

    /// <summary>Says that nothing more comes, so that a body which was announced longer than it is ends here.</summary>
    public void EndSending() => _client.Client.Shutdown(SocketShutdown.Send);

    /// <summary>The next answer; null when the server has closed the connection.</summary>
    /// <param name="followStreams">Whether an event stream is read to its end; else only its head is, and the connection is of no more
    /// use.</param>
    public async Task<(int Status, string Text, bool Closes)?> ReadAsync(
        FuzzedRequest request, CancellationToken ct, bool followStreams = true)
    {
        if (await UntilAsync("\r\n\r\n"u8.ToArray(), ct) is not { } head)
        {
            return null;
        }

        var lines = head.Split("\r\n");
        var status = int.Parse(lines[0].AsSpan(9, 3), CultureInfo.InvariantCulture);
        if (status == 100)
        {
            return await ReadAsync(request, ct, followStreams);
        }

        var headers = lines.Skip(1).Select(l => l.Split(": ", 2)).ToLookup(p => p[0], p => p[1], StringComparer.OrdinalIgnoreCase);
        if (!followStreams && headers["Content-Type"].Any(t => t.StartsWith("text/event-stream", StringComparison.Ordinal)))
        {
            return (status, head, true);
        }

        var body = request.Head.StartsWith("HEAD ", StringComparison.Ordinal) || status is 204 or 304 ? ""
            : headers["Transfer-Encoding"].Contains("chunked") ? await ChunksAsync(ct)
            : await ExactlyAsync(headers["Content-Length"].Select(int.Parse).SingleOrDefault(), ct);
        return (status, head + "\r\n\r\n" + body, headers["Connection"].Contains("close"));
    }

    private async Task<string> ChunksAsync(CancellationToken ct)
    {
        var body = new StringBuilder();
        while (true)
        {
            var size = int.Parse(await UntilAsync("\r\n"u8.ToArray(), ct) ?? throw new IOException("The answer broke off."),
                NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            body.Append(await ExactlyAsync(size, ct));
            await ExactlyAsync(2, ct);
            if (size == 0)
            {
                return body.ToString();
            }
        }
    }

    private async Task<string?> UntilAsync(byte[] delimiter, CancellationToken ct)
    {
        while (true)
        {
            var read = await _reader.ReadAsync(ct);
            if (Find(read.Buffer, delimiter) is { } found)
            {
                _reader.AdvanceTo(found.End);
                return found.Text;
            }

            if (read.IsCompleted)
            {
                return read.Buffer.IsEmpty ? null : throw new IOException("The answer broke off.");
            }

            _reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }

    private static (string Text, SequencePosition End)? Find(ReadOnlySequence<byte> buffer, byte[] delimiter)
    {
        var bytes = new SequenceReader<byte>(buffer);
        return bytes.TryReadTo(out ReadOnlySequence<byte> found, delimiter) ? (Encoding.Latin1.GetString(found), bytes.Position) : null;
    }

    private async Task<string> ExactlyAsync(int length, CancellationToken ct)
    {
        if (length == 0)
        {
            return "";
        }

        var read = await _reader.ReadAtLeastAsync(length, ct);
        if (read.Buffer.Length < length)
        {
            throw new IOException("The answer broke off.");
        }

        var part = read.Buffer.Slice(0, length);
        var text = Encoding.Latin1.GetString(part);
        _reader.AdvanceTo(part.End);
        return text;
    }
}
