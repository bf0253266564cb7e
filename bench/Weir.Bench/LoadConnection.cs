using System.Buffers.Text;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Weir.Bench;

/// <summary>One connection of the load; over the transport of 2024-11-05 it is two, one of them for answers.</summary>
internal sealed class LoadConnection : IDisposable
{
    private readonly Socket _socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly Socket? _stream;
    private byte[] _request;
    private byte[] _buffer = new byte[64 * 1024];

    private LoadConnection(byte[] request, bool overSse) =>
        (_request, _stream) = (request, overSse ? new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true } : null);

    public static async Task<LoadConnection> OpenAsync(LoadTarget target, int number)
    {
        var connection = new LoadConnection(target.Request(number), target.OverSse);
        await connection._socket.ConnectAsync(IPAddress.Loopback, target.Url.Port);
        if (connection._stream is { } stream)
        {
            await stream.ConnectAsync(IPAddress.Loopback, target.Url.Port);
            await connection.BeginSseAsync(target.Url, stream);
        }

        return connection;
    }

    public async Task<ReadOnlyMemory<byte>> CallAsync()
    {
        await _socket.SendAsync(_request);
        var answer = await ReadAsync(_socket, IsComplete);
        return _stream is null ? answer : await ReadAsync(_stream, IsEvent);
    }

    public void Dispose()
    {
        _socket.Dispose();
        _stream?.Dispose();
    }

    /// <summary>The stream's first event says where to post; then a session begins there.</summary>
    private async Task BeginSseAsync(Uri url, Socket stream)
    {
        await stream.SendAsync(
            Encoding.ASCII.GetBytes($"GET {url.PathAndQuery} HTTP/1.1\r\nHost: {url.Authority}\r\nAccept: text/event-stream\r\n\r\n"));
        var first = Encoding.UTF8.GetString(
            (await ReadAsync(stream, bytes => bytes.EndsWith("\n\n\r\n"u8) && bytes.IndexOf("data: "u8) >= 0)).Span);
        var path = first[(first.IndexOf("data: ", StringComparison.Ordinal) + 6)..].Split('\n')[0].Trim();
        await _socket.SendAsync(LoadTarget.Post(url, path, LoadTarget.Initialize));
        await ReadAsync(_socket, IsComplete);
        await ReadAsync(stream, IsEvent);
        await _socket.SendAsync(LoadTarget.Post(url, path, LoadTarget.Initialized));
        await ReadAsync(_socket, IsComplete);
        _request = LoadTarget.Post(url, path, Encoding.UTF8.GetString(_request));
    }

    private delegate bool Test(ReadOnlySpan<byte> received);

    private async Task<ReadOnlyMemory<byte>> ReadAsync(Socket socket, Test isComplete)
    {
        var length = 0;
        while (true)
        {
            if (length == _buffer.Length)
            {
                Array.Resize(ref _buffer, _buffer.Length * 2);
            }

            var read = await socket.ReceiveAsync(_buffer.AsMemory(length));
            length += read == 0 ? throw new IOException("The server closed the connection.") : read;
            if (isComplete(_buffer.AsSpan(0, length)))
            {
                return _buffer.AsMemory(0, length);
            }
        }
    }

    /// <summary>One response: by its content length, or to the last chunk.</summary>
    private static bool IsComplete(ReadOnlySpan<byte> response)
    {
        var head = response.IndexOf("\r\n\r\n"u8);
        if (head < 0)
        {
            return false;
        }

        var at = Math.Max(response[..head].IndexOf("Content-Length: "u8), response[..head].IndexOf("content-length: "u8));
        return at >= 0
            ? Utf8Parser.TryParse(response[(at + 16)..], out int length, out _) && response.Length >= head + 4 + length
            : response.EndsWith("0\r\n\r\n"u8);
    }

    /// <summary>A chunk of the stream that ends a message.</summary>
    private static bool IsEvent(ReadOnlySpan<byte> received) => received.EndsWith("\n\n\r\n"u8) && received.IndexOf("\"jsonrpc\""u8) >= 0;
}
