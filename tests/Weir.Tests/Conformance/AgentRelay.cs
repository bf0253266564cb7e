using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Weir.Tests.Conformance;

/// <summary>
/// Between the conformance suite, which can send no key, and Weir: puts the agent's key into each request's head and copies every
/// other byte, both ways, as it comes. Its own port becomes the port behind it; Host, Origin and all that the suite forges pass as they
/// are, and who hangs up on one side is hung up on at the other.
/// </summary>
internal sealed class AgentRelay : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly int _target;
    private readonly string _header;

    public AgentRelay(int target, string key)
    {
        (_target, _header) = (target, $"Authorization: Bearer {key}\r\n");
        _listener.Start();
        _ = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public void Dispose() => _listener.Dispose();

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                _ = ServeAsync(await _listener.AcceptTcpClientAsync());
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or InvalidOperationException)
        {
            // Disposed.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using var near = client;
        using var far = new TcpClient { NoDelay = true };
        near.NoDelay = true;
        try
        {
            await far.ConnectAsync(IPAddress.Loopback, _target);
            var requests = CopyRequestsAsync(near.GetStream(), far.GetStream());
            var responses = far.GetStream().CopyToAsync(near.GetStream());
            await await Task.WhenAny(requests, responses);
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
        {
            // One side hung up.
        }
    }

    private async Task CopyRequestsAsync(Stream from, Stream to)
    {
        var reader = PipeReader.Create(from);
        while (await HeadAsync(reader) is { } head)
        {
            var firstLine = head.IndexOf("\r\n", StringComparison.Ordinal) + 2;
            await to.WriteAsync(
                Encoding.Latin1.GetBytes(head.Insert(firstLine, _header).Replace($":{Port}\r", $":{_target}\r", StringComparison.Ordinal)));
            await CopyBodyAsync(reader, to, LengthOf(head));
        }
    }

    private static async Task<string?> HeadAsync(PipeReader reader)
    {
        while (true)
        {
            var read = await reader.ReadAsync();
            if (Head(read.Buffer) is { } head)
            {
                reader.AdvanceTo(head.End);
                return head.Text;
            }

            if (read.IsCompleted)
            {
                return null;
            }

            reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }

    private static (string Text, SequencePosition End)? Head(ReadOnlySequence<byte> buffer)
    {
        var bytes = new SequenceReader<byte>(buffer);
        return bytes.TryReadTo(out ReadOnlySequence<byte> head, "\r\n\r\n"u8)
            ? (Encoding.Latin1.GetString(head) + "\r\n\r\n", bytes.Position) : null;
    }

    /// <summary>The suite sends whole bodies; a chunked one would need more of a relay than this.</summary>
    private static long LengthOf(string head)
    {
        var headers = head.Split("\r\n").Skip(1).Select(line => line.Split(':', 2)).Where(pair => pair.Length == 2)
            .ToLookup(pair => pair[0], pair => pair[1].Trim(), StringComparer.OrdinalIgnoreCase);
        return headers["Transfer-Encoding"].Any()
            ? throw new IOException("The relay does not read chunks.") : headers["Content-Length"].Select(long.Parse).SingleOrDefault();
    }

    private static async Task CopyBodyAsync(PipeReader reader, Stream to, long length)
    {
        while (length > 0)
        {
            var read = await reader.ReadAsync();
            var part = read.Buffer.Slice(0, Math.Min(length, read.Buffer.Length));
            foreach (var segment in part)
            {
                await to.WriteAsync(segment);
            }

            length -= part.Length;
            reader.AdvanceTo(part.End);
            if (read.IsCompleted && length > 0)
            {
                throw new IOException("The body broke off.");
            }
        }
    }
}
