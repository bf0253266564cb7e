using System.Globalization;

namespace Weir.Bench;

/// <summary>
/// <c>weir bench call</c>: tools/call of a 64-byte echo on a bare server, directly and through Weir with key, admission and record
/// on. All measurements take turns in every round, because a shared machine changes its speed from minute to minute: read the ratios.
/// </summary>
internal static class CallBench
{
    private static readonly int[] Connections = [1, 32];

    public static async Task<int> RunAsync(BenchOptions options)
    {
        await using var world = await BenchWorld.StartAsync();
        var idle = world.WeirUsage.ResidentMegabytes();
        var direct = LoadTarget.Call(world.Upstream, "echo", key: null);
        var through = LoadTarget.Call(world.Weir, "bench__echo", world.Key);
        foreach (var connections in Connections)
        {
            await LoadClient.RunAsync(direct, connections, TimeSpan.FromSeconds(2));
            await LoadClient.RunAsync(through, connections, TimeSpan.FromSeconds(4));
        }

        var rounds = new List<(int Connections, Measured Direct, Measured Weir)>();
        for (var round = 1; round <= options.Rounds; round++)
        {
            foreach (var connections in Connections)
            {
                var a = await MeasureAsync(world, direct, connections, options.Seconds);
                var b = await MeasureAsync(world, through, connections, options.Seconds);
                rounds.Add((connections, a, b));
                Console.Error.WriteLine(
                    $"round {round}, {connections} connections: direct {a.Load.PerSecond:0}/s, Weir {b.Load.PerSecond:0}/s, failures "
                        + $"{a.Load.Failures + b.Load.Failures}");
            }
        }

        Print(rounds, options, idle, world);
        Console.WriteLine();
        Console.WriteLine("| function of the database | calls | ms/call, all | ms/call, itself |");
        Console.WriteLine("|---|---|---|---|");
        foreach (var line in await world.ProfileAsync())
        {
            Console.WriteLine(line);
        }

        return rounds.Sum(r => r.Direct.Load.Failures + r.Weir.Load.Failures) == 0 ? 0 : 1;
    }

    private static async Task<Measured> MeasureAsync(BenchWorld world, LoadTarget target, int connections, int seconds)
    {
        var (commits, admissions, completions) = await world.CountAsync();
        ProcessUsage[] usages = [world.UpstreamUsage, world.WeirUsage, world.PostgresUsage];
        var before = usages.Select(u => u.CpuSeconds()).ToArray();
        var load = await LoadClient.RunAsync(target, connections, TimeSpan.FromSeconds(seconds));
        var cpu = usages.Select((u, i) => (u.CpuSeconds() - before[i]) / load.Calls * 1e6).ToArray();
        var after = await world.CountAsync();
        return new Measured(
            load, cpu, (double)(after.Commits - commits) / load.Calls, (double)(after.Admissions - admissions) / load.Calls,
            (double)(after.Completions - completions) / load.Calls);
    }

    private static void Print(
        List<(int Connections, Measured Direct, Measured Weir)> rounds, BenchOptions options, double idle, BenchWorld world)
    {
        Console.WriteLine(
            $"tools/call echo, 64 B; {options.Rounds} interleaved rounds of {options.Seconds} s; medians over the rounds; "
                + $"{Environment.ProcessorCount} cores shared by all processes");
        Console.WriteLine();
        Console.WriteLine(
            "| connections | | calls/s | p50 ms | p99 ms | CPU us/call: bare server | weir | postgres | commits/call | admit "
                + "statements/call | complete statements/call |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|---|---|");
        foreach (var connections in Connections)
        {
            var of = rounds.Where(r => r.Connections == connections).ToArray();
            Row(connections, "direct", [.. of.Select(r => r.Direct)]);
            Row(connections, "through Weir", [.. of.Select(r => r.Weir)]);
            Console.WriteLine(
                $"| {connections} | **ratio, difference** | "
                    + $"**{Median(of.Select(r => r.Weir.Load.PerSecond / r.Direct.Load.PerSecond)):0.00}** | "
                    + $"**+{Median(of.Select(r => (r.Weir.Load.Percentile(0.5) - r.Direct.Load.Percentile(0.5)) * 1e3)):0.00}** | "
                    + $"+{Median(of.Select(r => (r.Weir.Load.Percentile(0.99) - r.Direct.Load.Percentile(0.99)) * 1e3)):0.00} | | | | "
                    + "| | |");
        }

        Console.WriteLine();
        Console.WriteLine($"Resident memory of weir: {idle:0} MB before the load, {world.WeirUsage.ResidentMegabytes():0} MB after it.");
    }

    private static void Row(int connections, string name, Measured[] all) => Console.WriteLine(string.Create(
        CultureInfo.InvariantCulture,
        $"| {connections} | {name} | {Median(all.Select(m => m.Load.PerSecond)):0} | "
            + $"{Median(all.Select(m => m.Load.Percentile(0.5) * 1e3)):0.00} | "
            + $"{Median(all.Select(m => m.Load.Percentile(0.99) * 1e3)):0.00} | {Median(all.Select(m => m.Cpu[0])):0} | "
            + $"{Median(all.Select(m => m.Cpu[1])):0} | {Median(all.Select(m => m.Cpu[2])):0} | {Median(all.Select(m => m.Commits)):0.000} "
            + $"| {Median(all.Select(m => m.Admissions)):0.000} | {Median(all.Select(m => m.Completions)):0.000} |"));

    private static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted[sorted.Length / 2];
    }

    private sealed record Measured(LoadResult Load, double[] Cpu, double Commits, double Admissions, double Completions);
}
