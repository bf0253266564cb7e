using System.Globalization;

namespace Weir.Bench;

/// <summary>
/// tools/list for an agent with many servers and tools while three of the servers hang; one tools/list of few tools is beside it.
/// </summary>
internal static class GatewayList
{
    private const int Servers = 50;
    private const int Hanging = 3;
    private const int ToolsPerServer = 20;

    public static async Task RunAsync(BenchOptions options)
    {
        await using var world = await BenchWorld.StartAsync();
        var organization = await world.CreateOrganizationAsync("list");
        var servers = new List<Guid>();
        for (var n = 0; n < Servers; n++)
        {
            servers.Add(
                await world.DeployAsync(organization, $"server-{n}", new Uri(world.Upstream, $"/{(n < Hanging ? "hang" : "many")}/{n}")));
        }

        var key = await world.CreateAgentAsync(organization, "list", servers, """{"tools": {"*": {} } }""");
        await world.UntilKnownAsync(organization, Servers * ToolsPerServer);
        var many = LoadTarget.ListTools(world.Weir, key) with { Sign = $"\"server-{Servers - 1}__tool_{ToolsPerServer - 1}\"" };
        var few = LoadTarget.ListTools(world.Weir, world.Key);
        await LoadClient.RunAsync(few, 8, TimeSpan.FromSeconds(options.Warm));
        await LoadClient.RunAsync(many, 8, TimeSpan.FromSeconds(options.Warm * 3));
        await StopAsync(world.Upstream);

        Console.WriteLine(
            $"tools/list, modern, {Servers} servers with {Servers * ToolsPerServer} tools, {Hanging} of which hang; "
                + $"{options.Rounds * options.Seconds * 2} s each");
        Console.WriteLine();
        Console.WriteLine("| tools | connections | lists/s | p50 ms | p99 ms | CPU us/list: weir | postgres | failures |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|");
        foreach (var connections in (int[])[1, 8])
        {
            await MeasureAsync(world, "1", few, connections, options);
            await MeasureAsync(world, $"{Servers * ToolsPerServer}", many, connections, options);
        }

        Console.WriteLine();
        foreach (var line in (await world.ProfileAsync()).Where(l => l.Contains("catalog", StringComparison.Ordinal)))
        {
            Console.WriteLine("Of the database (function, calls, ms/call with what it calls, by itself): " + line);
        }
    }

    private static async Task MeasureAsync(BenchWorld world, string name, LoadTarget target, int connections, BenchOptions options)
    {
        var (weir, postgres) = (world.WeirUsage.CpuSeconds(), world.PostgresUsage.CpuSeconds());
        var load = await LoadClient.RunAsync(target, connections, TimeSpan.FromSeconds(options.Seconds * options.Rounds * 2));
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"| {name} | {connections} | {load.PerSecond:0} | {load.Percentile(0.5) * 1e3:0.00} | {load.Percentile(0.99) * 1e3:0.00} | "
                + $"{(world.WeirUsage.CpuSeconds() - weir) / load.Calls * 1e6:0} | "
                + $"{(world.PostgresUsage.CpuSeconds() - postgres) / load.Calls * 1e6:0} | {load.Failures} |"));
    }

    private static async Task StopAsync(Uri upstream)
    {
        // Loopback, and only of what this benchmark itself started.
#pragma warning disable RS0030
        using var client = new HttpClient();
#pragma warning restore RS0030
        (await client.PostAsync(new Uri(upstream, "/stop"), content: null)).EnsureSuccessStatusCode().Dispose();
    }
}
