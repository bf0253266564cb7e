using System.Globalization;
using System.Net.Sockets;

namespace Weir.Bench;

/// <summary>
/// tools/call of an echo: directly, through Weir's forwarder alone, through Weir, and through each peer. All take turns in every round.
/// </summary>
internal static class GatewayCalls
{
    private static readonly int[] Sizes = [64, 16 * 1024];
    private static readonly int[] Connections = [1, 32, 256];

    /// <summary>Who is measured.</summary>
    /// <param name="Usage">The gateway's own processes; null where there is none.</param>
    private sealed record Way(string Name, string InFrontOf, ProcessUsage? Usage, Func<int, Task<LoadTarget>> TargetAsync);

    private sealed record Measured(
        Way Way, int Bytes, int Connections, LoadResult Load, double Gateway, double Server, double Postgres, double Commits,
        double Megabytes);

    public static async Task RunAsync(BenchOptions options)
    {
        await using var world = await BenchWorld.StartAsync();
        var ways = await StartWaysAsync(world);
        foreach (var (way, bytes) in ways.SelectMany(w => Sizes.Select(b => (w, b))))
        {
            await TryAsync($"warming up, {way.Name}",
                async () => await LoadClient.RunAsync(await way.TargetAsync(bytes), 32, TimeSpan.FromSeconds(options.Warm)));
        }

        var all = new List<Measured>();
        for (var round = 1; round <= options.Rounds; round++)
        {
            foreach (var (bytes, connections) in Sizes.SelectMany(b => Connections.Select(c => (b, c))))
            {
                foreach (var way in ways)
                {
                    await TryAsync($"round {round}, {bytes} B, {connections} connections, {way.Name}", async () =>
                    {
                        all.Add(await MeasureAsync(world, way, bytes, connections, options.Seconds));
                        return all[^1].Load;
                    });
                }
            }
        }

        Print(ways, all, options);
    }

    /// <summary>Who closes the connection or does not answer has no figure; the others go on.</summary>
    private static async Task TryAsync(string what, Func<Task<LoadResult>> run)
    {
        try
        {
            var load = await run();
            Console.Error.WriteLine($"{what}: {load.PerSecond:0}/s, {load.Failures} failures");
        }
        catch (Exception e) when (e is IOException or TimeoutException or HttpRequestException or SocketException or TaskCanceledException)
        {
            Console.Error.WriteLine($"{what}: no figure, {e.Message}");
        }
    }

    private static async Task<Way[]> StartWaysAsync(BenchWorld world)
    {
        var port = BenchWorld.FreePort();
        var forwarder = await world.StartAsync(
            "forwarder", "dotnet", [typeof(BenchWorld).Assembly.Location, "forwarder", $"{port}", world.Upstream.ToString()], port);
        var forwarded = new Uri($"http://127.0.0.1:{port}/mcp");
        const string Bare = "the bare server";
        return
        [
            new("direct", "", null, bytes => Task.FromResult(LoadTarget.Call(world.Upstream, "echo", key: null, bytes))),
            new("Weir's forwarder alone", Bare, forwarder, bytes => Task.FromResult(LoadTarget.Call(forwarded, "echo", key: null, bytes))),
            new("Weir", Bare, world.WeirUsage, bytes => Task.FromResult(LoadTarget.Call(world.Weir, "bench__echo", world.Key, bytes))),
            .. (await Peer.StartAllAsync(world)).Select(p => new Way(p.Name, p.InFrontOf, p.Usage, p.TargetAsync)),
        ];
    }

    private static async Task<Measured> MeasureAsync(BenchWorld world, Way way, int bytes, int connections, int seconds)
    {
        var target = await way.TargetAsync(bytes);
        var counts = way.Usage == world.WeirUsage;
        var commits = counts ? (await world.CountAsync()).Commits : 0;
        ProcessUsage?[] usages = [way.Usage, world.UpstreamUsage, world.PostgresUsage];
        var before = usages.Select(u => u?.CpuSeconds() ?? 0).ToArray();
        var load = await LoadClient.RunAsync(target, connections, TimeSpan.FromSeconds(seconds));
        var cpu = usages.Select((u, i) => ((u?.CpuSeconds() ?? 0) - before[i]) / load.Calls * 1e6).ToArray();
        commits = counts ? (await world.CountAsync()).Commits - commits : 0;
        return new Measured(way, bytes, connections, load, cpu[0], cpu[1], cpu[2], (double)commits / load.Calls,
            way.Usage?.ResidentMegabytes() ?? world.UpstreamUsage.ResidentMegabytes());
    }

    private static void Print(Way[] ways, List<Measured> all, BenchOptions options)
    {
        Console.WriteLine(
            $"tools/call echo; {options.Rounds} interleaved rounds of {options.Seconds} s; medians over the rounds (of two: the larger)");
        foreach (var (bytes, connections) in Sizes.SelectMany(b => Connections.Select(c => (b, c))))
        {
            Console.WriteLine();
            Console.WriteLine(
                $"| {bytes} B, {connections} connections | in front of | calls/s | of direct | p50 ms | p99 ms | CPU us/call: gateway | "
                    + "bare server | postgres | commits/call | MB | failures |");
            Console.WriteLine("|---|---|---|---|---|---|---|---|---|---|---|---|");
            var direct = Of(ways[0]);
            foreach (var way in ways)
            {
                Row(way, Of(way), direct);
            }

            Measured[] Of(Way way) => [.. all.Where(m => m.Way == way && m.Bytes == bytes && m.Connections == connections)];
        }
    }

    private static void Row(Way way, Measured[] of, Measured[] direct)
    {
        if (of.Length == 0)
        {
            Console.WriteLine($"| {way.Name} | {way.InFrontOf} | no figure | | | | | | | | | |");
            return;
        }

        double M(Func<Measured, double> figure) => Median(of, figure);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"| {way.Name} | {way.InFrontOf} | {M(m => m.Load.PerSecond):0} | "
                + $"{M(m => m.Load.PerSecond) / Median(direct, m => m.Load.PerSecond):0.000} | {M(m => m.Load.Percentile(0.5) * 1e3):0.00} "
                + $"| {M(m => m.Load.Percentile(0.99) * 1e3):0.00} | {M(m => m.Gateway):0} | {M(m => m.Server):0} | {M(m => m.Postgres):0} "
                + $"| {M(m => m.Commits):0.000} | {M(m => m.Megabytes):0} | {of.Sum(m => m.Load.Failures)} |"));
    }

    private static double Median(Measured[] of, Func<Measured, double> figure)
    {
        var sorted = of.Select(figure).Order().ToArray();
        return sorted.Length == 0 ? double.NaN : sorted[sorted.Length / 2];
    }
}
