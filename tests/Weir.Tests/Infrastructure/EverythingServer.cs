using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Weir.Tests.Infrastructure;

/// <summary>The unmodified <c>@modelcontextprotocol/server-everything</c> on one of its HTTP transports, as a process of its own.</summary>
public sealed class EverythingServer : IAsyncDisposable
{
    private readonly Process _process;

    private EverythingServer(Process process, Uri url) => (_process, Url) = (process, url);

    public Uri Url { get; }

    /// <param name="transport"><c>sse</c> (2024-11-05) or <c>streamableHttp</c>.</param>
    public static async Task<EverythingServer> StartAsync(string transport)
    {
        var port = Chat.ServingReplica.FreePort();
        var process =
            Process.Start(new ProcessStartInfo("node", ["node_modules/@modelcontextprotocol/server-everything/dist/index.js", transport])
        {
            WorkingDirectory = Repository.PathOf("tests/clients"),
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            Environment = { ["PORT"] = port.ToString(System.Globalization.CultureInfo.InvariantCulture) },
        })!;
        process.OutputDataReceived += static (_, _) => { };
        process.ErrorDataReceived += static (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        var server = new EverythingServer(process, new Uri($"http://127.0.0.1:{port}/{(transport == "sse" ? "sse" : "mcp")}"));
        await Until.AsyncTrue(() => ListensAsync(port), "server-everything listens");
        return server;
    }

    public async ValueTask DisposeAsync()
    {
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private static async Task<bool> ListensAsync(int port)
    {
        using var socket = new TcpClient();
        try
        {
            await socket.ConnectAsync(IPAddress.Loopback, port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
