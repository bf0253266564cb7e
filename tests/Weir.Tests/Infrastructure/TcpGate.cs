using System.Net;
using System.Net.Sockets;

namespace Weir.Tests.Infrastructure;

/// <summary>
/// A way to a local port that a test can close: open connections break, new ones are refused. Or freeze: everything stays open
/// and nothing gets through, until it thaws and all of it does.
/// </summary>
public sealed class TcpGate : IDisposable
{
    private readonly int _target;
    private readonly Lock _lock = new();
    private readonly List<Socket> _open = [];
    private TcpListener _listener;
    private int _held;
    private TaskCompletionSource _flows = Flowing();

    public TcpGate(int target)
    {
        _target = target;
        _listener = new TcpListener(IPAddress.Loopback, 0);
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _ = AcceptAsync(_listener);
    }

    public int Port { get; }

    /// <summary>How many messages, either way, wait for the thaw.</summary>
    public int Held => Volatile.Read(ref _held);

    public void Freeze() => _flows = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Thaw() => _flows.TrySetResult();

    public void Close()
    {
        Thaw();
        _listener.Stop();
        lock (_lock)
        {
            foreach (var socket in _open)
            {
                socket.Dispose();
            }

            _open.Clear();
        }
    }

    public void Open()
    {
        _listener = new TcpListener(IPAddress.Loopback, Port);
        _listener.Start();
        _ = AcceptAsync(_listener);
    }

    public void Dispose() => Close();

    private static TaskCompletionSource Flowing()
    {
        var flows = new TaskCompletionSource();
        flows.SetResult();
        return flows;
    }

    private async Task AcceptAsync(TcpListener listener)
    {
        try
        {
            while (true)
            {
                var client = await listener.AcceptSocketAsync();
                var server = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                await server.ConnectAsync(IPAddress.Loopback, _target);
                lock (_lock)
                {
                    _open.AddRange([client, server]);
                }

                _ = CopyAsync(client, server);
                _ = CopyAsync(server, client);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or InvalidOperationException)
        {
            // Closed.
        }
    }

    private async Task CopyAsync(Socket from, Socket to)
    {
        var buffer = new byte[16 * 1024];
        try
        {
            while (await from.ReceiveAsync(buffer) is var read and > 0)
            {
                Interlocked.Increment(ref _held);
                await Volatile.Read(ref _flows).Task;
                Interlocked.Decrement(ref _held);
                await to.SendAsync(buffer.AsMemory(0, read));
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Closed from one side.
        }
        finally
        {
            to.Dispose();
        }
    }
}
