using System.Net;
using System.Net.Sockets;

namespace Weir.Bench;

/// <summary>What many idle streams cost Weir in memory: each is a client that listens for changed lists and hears of none.</summary>
internal static class GatewayStreams
{
    /// <summary>As many as one agent may have.</summary>
    private const int StreamsPerAgent = 16;

    public static async Task RunAsync(BenchOptions options)
    {
        await using var world = await BenchWorld.StartAsync();
        var organization = await world.CreateOrganizationAsync("streams");
        var server = await world.DeployAsync(organization, "streams", world.Upstream);
        var keys = new List<string>();
        for (var agent = 0; agent * StreamsPerAgent < options.Streams; agent++)
        {
            keys.Add(await world.CreateAgentAsync(organization, $"agent {agent}", [server], """{"tools": {"echo": {} } }"""));
        }

        var before = world.WeirUsage.ResidentMegabytes();
        var sockets = new List<Socket>();
        try
        {
            var started = TimeProvider.System.GetTimestamp();
            foreach (var batch in Enumerable.Range(0, options.Streams).Chunk(32))
            {
                sockets.AddRange(await Task.WhenAll(batch.Select(n => ListenAsync(world.Weir, keys[n / StreamsPerAgent]))));
            }

            var opened = TimeProvider.System.GetElapsedTime(started);
            var after = world.WeirUsage.ResidentMegabytes();
            await Task.Delay(TimeSpan.FromSeconds(20), TimeProvider.System, CancellationToken.None);
            var cpu = world.WeirUsage.CpuSeconds();
            await Task.Delay(TimeSpan.FromSeconds(10), TimeProvider.System, CancellationToken.None);
            Console.WriteLine(
                $"{sockets.Count} idle streams of {keys.Count} agents, opened in {opened.TotalSeconds:0} s. Weir: {before:0} MB before, "
                    + $"{after:0} MB when the last was open, "
                + $"{world.WeirUsage.ResidentMegabytes():0} MB half a minute later (aim: under 300); then "
                + $"{(world.WeirUsage.CpuSeconds() - cpu) * 100:0} ms of processor a second.");
        }
        finally
        {
            sockets.ForEach(s => s.Dispose());
        }
    }

    /// <summary>A stream that was acknowledged.</summary>
    private static async Task<Socket> ListenAsync(Uri url, string key)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, url.Port);
        await socket.SendAsync(LoadTarget.Listen(url, key));
        var buffer = new byte[8192];
        var length = 0;
        while (buffer.AsSpan(0, length).IndexOf("data:"u8) < 0)
        {
            var read = await socket.ReceiveAsync(buffer.AsMemory(length)).AsTask().WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System);
            length += read;
            if (read == 0 || !buffer.AsSpan().StartsWith("HTTP/1.1 200"u8))
            {
                throw new IOException("A stream was refused: " + System.Text.Encoding.UTF8.GetString(buffer, 0, length));
            }
        }

        return socket;
    }
}
