using System.Globalization;

namespace Weir.Bench;

/// <summary>
/// What one organization's flood of 64 connections does to another's calls, 100 a second on one connection: with the limits as Weir has
/// them by default, and without any. The same flood at the bare server, past Weir, shows what the machine alone makes of it.
/// </summary>
internal static class GatewayFairness
{
    private const int Flooding = 64;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);

    public static async Task RunAsync(BenchOptions options)
    {
        Console.WriteLine("One organization's calls while another floods with 64 connections; all rounds together");
        Console.WriteLine();
        Console.WriteLine(
            "| limits | the flood | its calls/s | denied | the other's calls | p50 ms | p99 ms | p99, times alone | failures |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|");
        await MeasureAsync("as by default", new Dictionary<string, string>(StringComparer.Ordinal), options);
        await MeasureAsync("none", BenchWorld.Unlimited, options);
    }

    private static async Task MeasureAsync(string limits, IReadOnlyDictionary<string, string> settings, BenchOptions options)
    {
        await using var world = await BenchWorld.StartAsync(settings);
        var other = await world.CreateOrganizationAsync("other");
        var key = await world.CreateAgentAsync(
            other, "other", [await world.DeployAsync(other, "other", world.Upstream)], """{"tools": {"echo": {} } }""");
        await world.UntilKnownAsync(other, 1);
        var calm = LoadTarget.Call(world.Weir, "other__echo", key);
        (string Name, LoadTarget? Target)[] floods =
            [
                ("none", null), ("of the bare server", LoadTarget.Call(world.Upstream, "echo", key: null)),
                ("of Weir", LoadTarget.Call(world.Weir, "bench__echo", world.Key)),
            ];
        await LoadClient.RunAsync(floods[2].Target!, Flooding, TimeSpan.FromSeconds(options.Warm * 2));
        await LoadClient.RunAsync(calm, 1, TimeSpan.FromSeconds(options.Warm));
        var seen = floods.ToDictionary(f => f.Name, _ => new List<(LoadResult Calm, LoadResult? Flood)>(), StringComparer.Ordinal);
        for (var round = 1; round <= options.Rounds; round++)
        {
            foreach (var (name, target) in floods)
            {
                seen[name].Add(await RunAsync(calm, target, TimeSpan.FromSeconds(options.Seconds * 3)));
            }
        }

        var alone = double.NaN;
        foreach (var (name, _) in floods)
        {
            var latencies = seen[name].SelectMany(s => s.Calm.Latencies).Order().ToArray();
            var all = new LoadResult(latencies.Length, 0, latencies, seen[name].Sum(s => s.Calm.Failures));
            alone = double.IsNaN(alone) ? all.Percentile(0.99) : alone;
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"| {limits} | {name} | {seen[name].Average(s => s.Flood?.PerSecond ?? 0):0} | "
                    + $"{seen[name].Sum(s => s.Flood?.Failures ?? 0)} | {all.Calls} | {all.Percentile(0.5) * 1e3:0.00} | "
                    + $"{all.Percentile(0.99) * 1e3:0.00} | {all.Percentile(0.99) / alone:0.0} | {all.Failures} |"));
        }
    }

    private static async Task<(LoadResult Calm, LoadResult? Flood)> RunAsync(LoadTarget calm, LoadTarget? flood, TimeSpan duration)
    {
        var flooding = flood is null ? null : LoadClient.RunAsync(flood, Flooding, duration);
        var result = await LoadClient.RunAsync(calm, 1, duration, Pause);
        return (result, flooding is null ? null : await flooding);
    }
}
