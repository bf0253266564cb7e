using System.Net;
using System.Net.Sockets;

namespace Weir.Tests.Infrastructure;

/// <summary>One address for several local ports: each new connection goes to the first of them, in turn, that takes it.</summary>
internal sealed class TcpBalancer : IDisposable
{
    private readonly int[] _targets;
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private int _turn;

    public TcpBalancer(params int[] targets)
    {
        _targets = targets;
        _listener.Start();
        Url = new Uri($"http://{_listener.LocalEndpoint}");
        _ = AcceptAsync();
    }

    public Uri Url { get; }

    public void Dispose() => _listener.Dispose();

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                _ = ServeAsync(await _listener.AcceptSocketAsync());
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or InvalidOperationException)
        {
            // Disposed.
        }
    }

    private async Task ServeAsync(Socket client)
    {
        if (await ConnectAsync() is not { } server)
        {
            client.Dispose();
            return;
        }

        await Task.WhenAll(CopyAsync(client, server), CopyAsync(server, client));
    }

    private async Task<Socket?> ConnectAsync()
    {
        var first = Interlocked.Increment(ref _turn);
        for (var i = 0; i < _targets.Length; i++)
        {
            var server = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                await server.ConnectAsync(IPAddress.Loopback, _targets[(first + i) % _targets.Length]);
                return server;
            }
            catch (SocketException)
            {
                server.Dispose();
            }
        }

        return null;
    }

    private static async Task CopyAsync(Socket from, Socket to)
    {
        var buffer = new byte[16 * 1024];
        try
        {
            while (await from.ReceiveAsync(buffer) is var read and > 0)
            {
                await to.SendAsync(buffer.AsMemory(0, read));
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Broken off by one side.
        }
        finally
        {
            to.Dispose();
        }
    }
}
