using System.Buffers.Text;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Weir.Bench;

/// <summary>What one measurement saw.</summary>
/// <param name="Latencies">Seconds, sorted.</param>
internal sealed record LoadResult(int Calls, double Seconds, double[] Latencies, int Failures)
{
    public double PerSecond => Calls / Seconds;

    public double Percentile(double p) => Latencies.Length == 0 ? double.NaN : Latencies[(int)Math.Min(Latencies.Length - 1, Latencies.Length * p)];
}

/// <summary>Connections that each send the same request again and again and read the answer: as little client as possible, since it shares the cores.</summary>
internal static class LoadClient
{
    public static byte[] Request(Uri url, string tool, string? key)
    {
        var body = $$$"""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"{{{tool}}}","arguments":{"message":"{{{new string('x', 64)}}}"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"},"io.modelcontextprotocol/clientCapabilities":{} } } }""";
        var head = $"POST {url.AbsolutePath} HTTP/1.1\r\nHost: {url.Authority}\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
            + $"MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: {tool}\r\n"
            + (key is null ? "" : $"Authorization: Bearer {key}\r\n")
            + $"Content-Length: {Encoding.UTF8.GetByteCount(body)}\r\n\r\n";
        return Encoding.UTF8.GetBytes(head + body);
    }

    public static async Task<LoadResult> RunAsync(Uri url, byte[] request, int connections, TimeSpan duration)
    {
        var end = Stopwatch.GetTimestamp() + (long)(duration.TotalSeconds * Stopwatch.Frequency);
        var started = Stopwatch.GetTimestamp();
        var workers = Enumerable.Range(0, connections).Select(_ => Task.Run(() => WorkAsync(url, request, end))).ToArray();
        var results = await Task.WhenAll(workers);
        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        var latencies = results.SelectMany(r => r.Latencies).Order().ToArray();
        return new LoadResult(latencies.Length, seconds, latencies, results.Sum(r => r.Failures));
    }

    private static async Task<(List<double> Latencies, int Failures)> WorkAsync(Uri url, byte[] request, long end)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, url.Port);
        var buffer = new byte[64 * 1024];
        var latencies = new List<double>(100_000);
        var failures = 0;
        while (Stopwatch.GetTimestamp() < end)
        {
            var sent = Stopwatch.GetTimestamp();
            await socket.SendAsync(request);
            var length = await ReadAsync(socket, buffer);
            latencies.Add(Stopwatch.GetElapsedTime(sent).TotalSeconds);
            if (buffer.AsSpan(0, length).IndexOf("\"content\""u8) < 0)
            {
                failures++;
            }
        }

        return (latencies, failures);
    }

    /// <summary>One response: by its content length, or to the last chunk.</summary>
    private static async Task<int> ReadAsync(Socket socket, byte[] buffer)
    {
        var length = 0;
        while (true)
        {
            var read = await socket.ReceiveAsync(buffer.AsMemory(length));
            length += read == 0 ? throw new IOException("The server closed the connection.") : read;
            if (IsComplete(buffer.AsSpan(0, length)))
            {
                return length;
            }
        }
    }

    private static bool IsComplete(ReadOnlySpan<byte> response)
    {
        var head = response.IndexOf("\r\n\r\n"u8);
        if (head < 0)
        {
            return false;
        }

        var at = response[..head].IndexOf("Content-Length: "u8);
        return at >= 0
            ? Utf8Parser.TryParse(response[(at + 16)..], out int length, out _) && response.Length >= head + 4 + length
            : response.EndsWith("0\r\n\r\n"u8);
    }
}
