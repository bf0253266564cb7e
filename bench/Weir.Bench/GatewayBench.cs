namespace Weir.Bench;

/// <summary><c>weir bench gateway</c>: what Weir costs beside what it is in front of and beside others like it, in four parts.</summary>
internal static class GatewayBench
{
    public static async Task<int> RunAsync(BenchOptions options)
    {
        (string Name, Func<BenchOptions, Task> RunAsync)[] parts =
            [
                ("calls", GatewayCalls.RunAsync), ("streams", GatewayStreams.RunAsync), ("list", GatewayList.RunAsync),
                ("fair", GatewayFairness.RunAsync),
            ];
        var load = (await File.ReadAllTextAsync("/proc/loadavg")).Split(' ')[0];
        Console.WriteLine($"{Environment.ProcessorCount} cores shared by all processes; others' load before: {load}.");
        foreach (var (_, runAsync) in parts.Where(p => options.Only is null || options.Only == p.Name))
        {
            Console.WriteLine();
            await runAsync(options);
        }

        return 0;
    }
}
