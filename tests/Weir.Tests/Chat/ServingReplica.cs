using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Weir.Configuration;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Chat;

/// <summary>Another replica of a test's Weir, in a process of its own, so that it can be killed.</summary>
internal sealed class ServingReplica : IAsyncDisposable
{
    private readonly Process _process;

    private ServingReplica(Process process, Uri url) => (_process, Url) = (process, url);

    public Uri Url { get; }

    public static async Task<ServingReplica> StartAsync(ChatWorld weir, params (string Name, string Value)[] environment)
    {
        var config = weir.Services.GetRequiredService<WeirConfig>();
        var port = FreePort();
        var start = new ProcessStartInfo(
            "dotnet", [Path.Combine(Repository.Root, "artifacts/bin/Weir.Server/release/weir.dll"), "serve", "--port", $"{port}"])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment =
            {
                ["WEIR_DATA_DIRECTORY"] = config.DataDirectory,
                ["WEIR_DATABASE_URL"] = config.Database.Url,
                ["WEIR_ENGINE_DATABASE_URL"] = config.Database.EngineUrl,
                ["WEIR_EGRESS_ALLOW"] = "127.0.0.1",
                ["WEIR_CHAT_DEADLINE_SECONDS"] = "60",
                // A process that has just begun compiles its code during its first turn.
                ["WEIR_CHAT_CONTEXT_MILLISECONDS"] = "20000",
            },
        };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        var replica = new ServingReplica(Process.Start(start)!, new Uri($"http://127.0.0.1:{port}"));
        // Read to the end, or a full pipe would stop it.
        replica._process.OutputDataReceived += static (_, _) => { };
        replica._process.ErrorDataReceived += static (_, _) => { };
        replica._process.BeginOutputReadLine();
        replica._process.BeginErrorReadLine();
        using var client = weir.Client();
        client.BaseAddress = replica.Url;
        await Until.AsyncTrue(() => AnswersAsync(client), "the replica serves");
        return replica;
    }

    /// <summary>SIGKILL: nothing in the process gets to clean up.</summary>
    public async Task KillAsync()
    {
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        _process.Dispose();
    }

    private static async Task<bool> AnswersAsync(HttpClient client)
    {
        try
        {
            return (await client.GetAsync("/readyz")).IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    /// <summary>One that nobody listens on at this moment.</summary>
    internal static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
