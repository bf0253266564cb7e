using System.Diagnostics;

namespace Weir.Bench;

/// <summary>Another gateway from npm, as <c>bench/peers</c> pins it.</summary>
/// <param name="InFrontOf">What it was given: some only front a server on stdio.</param>
internal sealed record Peer(string Name, string InFrontOf, ProcessUsage Usage, Func<int, Task<LoadTarget>> TargetAsync)
{
    private const string Stdio = "a Node echo on stdio";

    /// <summary>Those that can be had and started; the others are named on the error stream.</summary>
    public static async Task<IReadOnlyList<Peer>> StartAllAsync(BenchWorld world)
    {
        var directory = Path.Combine(Repository.Root, "bench", "peers");
        if (!await InstallAsync(directory))
        {
            Console.Error.WriteLine("npm ci failed in bench/peers: no peer is measured.");
            return [];
        }

        var peers = new List<Peer>();
        foreach (var (name, start) in new (string, Func<Task<Peer>>)[]
        {
            ("mcp-proxy", () => ProxyAsync(world, directory)), ("supergateway", () => SupergatewayAsync(world, directory)),
            ("mcp-hub", () => HubAsync(world, directory)),
        })
        {
            try
            {
                peers.Add(await start());
            }
            catch (TimeoutException e)
            {
                Console.Error.WriteLine($"{name} is not measured: {e.Message}");
            }
        }

        return peers;
    }

    private static async Task<Peer> ProxyAsync(BenchWorld world, string directory)
    {
        var (port, url) = Place();
        var usage = await world.StartAsync("mcp-proxy", Bin(directory, "mcp-proxy"),
            ["--host", "127.0.0.1", "--port", $"{port}", "--server", "stream", "--", "node", Echo(directory)], port);
        return new Peer("mcp-proxy", Stdio, usage, bytes => LoadTarget.CallInSessionAsync(url, "echo", bytes));
    }

    /// <summary>Stateful, because else it starts a process for each request.</summary>
    private static async Task<Peer> SupergatewayAsync(BenchWorld world, string directory)
    {
        var (port, url) = Place();
        string[] arguments = [
            "--stdio", $"node {Echo(directory)}", "--outputTransport", "streamableHttp", "--stateful", "--port", $"{port}", "--logLevel",
            "none",
        ];
        var usage = await world.StartAsync("supergateway", Bin(directory, "supergateway"), arguments, port);
        return new Peer("supergateway", Stdio, usage, bytes => LoadTarget.CallInSessionAsync(url, "echo", bytes));
    }

    /// <summary>It offers its clients only the transport of 2024-11-05.</summary>
    private static async Task<Peer> HubAsync(BenchWorld world, string directory)
    {
        var (port, url) = Place();
        var config = Path.Combine(world.Directory, "mcp-hub.json");
        await File.WriteAllTextAsync(config, $$$"""{"mcpServers":{"bench":{"url":"{{{world.Upstream}}}"} } }""");
        var usage = await world.StartAsync("mcp-hub", Bin(directory, "mcp-hub"), ["--port", $"{port}", "--config", config], port);
        return new Peer("mcp-hub", "the bare server", usage, bytes => Task.FromResult(LoadTarget.CallOverSse(url, "bench__echo", bytes)));
    }

    private static (int Port, Uri Url) Place()
    {
        var port = BenchWorld.FreePort();
        return (port, new Uri($"http://127.0.0.1:{port}/mcp"));
    }

    private static string Bin(string directory, string name) => Path.Combine(directory, "node_modules", ".bin", name);

    private static string Echo(string directory) => Path.Combine(directory, "echo.mjs");

    private static async Task<bool> InstallAsync(string directory)
    {
        var packages = new FileInfo(Path.Combine(directory, "node_modules", ".package-lock.json"));
        if (packages.Exists && packages.LastWriteTimeUtc >= File.GetLastWriteTimeUtc(Path.Combine(directory, "package-lock.json")))
        {
            return true;
        }

        using var npm = Process.Start(
            new ProcessStartInfo("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]) { WorkingDirectory = directory })!;
        await npm.WaitForExitAsync();
        return npm.ExitCode == 0;
    }
}
