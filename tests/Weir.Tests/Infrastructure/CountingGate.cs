using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Weir.Tests.Infrastructure;

/// <summary>
/// Stands between a driver and PostgreSQL and counts Sync messages: each is one round trip, and ends one implicit transaction. Counts the
/// bytes of the answers too.
/// </summary>
internal sealed class CountingGate : IDisposable
{
    private readonly int _target;
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private int _syncs;
    private long _answered;

    public CountingGate(int target)
    {
        _target = target;
        _listener.Start();
        _ = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public int Syncs => Volatile.Read(ref _syncs);

    /// <summary>Bytes that PostgreSQL has sent.</summary>
    public long Answered => Interlocked.Read(ref _answered);

    public void Dispose() => _listener.Dispose();

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync();
                var server = new TcpClient { NoDelay = true };
                await server.ConnectAsync(IPAddress.Loopback, _target);
                _ = CopyAsync(client.GetStream(), server.GetStream());
                _ = CopyAnswersAsync(server.GetStream(), client.GetStream());
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or InvalidOperationException)
        {
            // Closed.
        }
    }

    private async Task CopyAnswersAsync(NetworkStream from, NetworkStream to)
    {
        try
        {
            var buffer = new byte[16 * 1024];
            int read;
            while ((read = await from.ReadAsync(buffer)) > 0)
            {
                Interlocked.Add(ref _answered, read);
                await to.WriteAsync(buffer.AsMemory(0, read));
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // Closed from one side.
        }
    }

    /// <summary>The first message has no type; every other one is a type, a length that counts itself, and as much.</summary>
    private async Task CopyAsync(NetworkStream from, NetworkStream to)
    {
        try
        {
            await CopyMessageAsync(from, to, type: null);
            var type = new byte[1];
            while (true)
            {
                await from.ReadExactlyAsync(type);
                await CopyMessageAsync(from, to, type);
                if (type[0] == (byte)'S')
                {
                    Interlocked.Increment(ref _syncs);
                }
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // Closed from one side.
            to.Close();
        }
    }

    private static async Task CopyMessageAsync(NetworkStream from, NetworkStream to, byte[]? type)
    {
        var length = new byte[4];
        await from.ReadExactlyAsync(length);
        var body = new byte[BinaryPrimitives.ReadInt32BigEndian(length) - 4];
        await from.ReadExactlyAsync(body);
        await to.WriteAsync((byte[])[.. type ?? [], .. length, .. body]);
    }
}
