using System.Diagnostics;
using System.Security.Cryptography;
using System.Text.Json;
using Weir.Errors;
using Weir.Nodes;

namespace Weir.Server.Up;

/// <summary>
/// The node of <c>up</c>: a child process whose standard input is its lifeline, so that it ends with Weir. It is started again
/// when it ends by itself; the servers it ran are its own to reconcile.
/// </summary>
internal sealed class NodeProcess : IAsyncDisposable
{
    private const string NodeName = "local";

    private static readonly TimeSpan TokenLifetime = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(30);

    private readonly string _directory;
    private readonly Uri _weir;
    private readonly NodeRegistry _registry;
    private readonly NodeDirectory _nodes;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stopping = new();
    private Process _process;
    private Task _supervision = Task.CompletedTask;

    private NodeProcess(string directory, Uri weir, NodeRegistry registry, NodeDirectory nodes, TimeProvider time, ILogger logger) =>
        (_directory, _weir, _registry, _nodes, _time, _logger, _process) = (directory, weir, registry, nodes, time, logger, null!);

    /// <summary>Returns when the node's own API answers.</summary>
    public static async Task<NodeProcess> StartAsync(
        string directory, Uri weir, NodeRegistry registry, NodeDirectory nodes, TimeProvider time, ILogger logger, CancellationToken cancellationToken)
    {
        var node = new NodeProcess(directory, weir, registry, nodes, time, logger);
        await node.LaunchAsync(cancellationToken);
        node._supervision = node.SuperviseAsync(node._stopping.Token);
        return node;
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _supervision.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _process.StandardInput.Close();
        using var patience = new CancellationTokenSource(StopPatience, _time);
        await _process.WaitForExitAsync(patience.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!_process.HasExited)
        {
            _logger.LogError("The node did not stop within {Seconds} seconds and is killed; its reaper ends the servers.", StopPatience.TotalSeconds);
            _process.Kill();
        }

        _process.Dispose();
    }

    /// <summary>Beside the executable when published; in its own project's output in the source tree.</summary>
    private static string FindProgram()
    {
        var here = AppContext.BaseDirectory;
        string[] places = [Path.Combine(here, "weir-dtma.dll"), Path.Combine(here, "../../Weir.Dtma/", Path.GetFileName(Path.TrimEndingDirectorySeparator(here)), "weir-dtma.dll")];
        return places.FirstOrDefault(File.Exists) ?? throw new WeirException(ErrorCode.NotFound, "weir-dtma.dll is not beside weir.", "Build src/Weir.Dtma too.");
    }

    private async Task LaunchAsync(CancellationToken cancellationToken)
    {
        var token = await IssueTokenAsync(cancellationToken);
        var start = new ProcessStartInfo(Dotnet.Path, [FindProgram(), "--data", _directory, "--weir-url", _weir.ToString(), "--name", NodeName, "--lifeline"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            UseShellExecute = false,
            WorkingDirectory = "/",
        };
        // The database's addresses and the project's secret are none of the node's business.
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("WEIR_", StringComparison.Ordinal) && !name.StartsWith("WEIR_DTMA_", StringComparison.Ordinal)).ToArray())
        {
            start.Environment.Remove(name);
        }

        if (token is not null)
        {
            start.Environment["WEIR_DTMA_TOKEN"] = token;
        }

        _process = Process.Start(start)!;
        await WaitUntilReadyAsync(cancellationToken);
    }

    private async Task WaitUntilReadyAsync(CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(StartPatience);
        try
        {
            if (await _process.StandardOutput.ReadLineAsync(patience.Token) is null)
            {
                throw new WeirException(ErrorCode.Unavailable, "The node ended at once.", "Its last line above says why.");
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new WeirException(ErrorCode.Unavailable, $"The node was not ready within {StartPatience.TotalSeconds} seconds.");
        }
    }

    /// <summary>A one-time token, unless this database knows the node already.</summary>
    private async Task<string?> IssueTokenAsync(CancellationToken cancellationToken)
    {
        var identity = Path.Combine(_directory, "state", "node.json");
        await _nodes.RefreshAsync(cancellationToken);
        if (File.Exists(identity))
        {
            using var document = JsonDocument.Parse(await File.ReadAllTextAsync(identity, cancellationToken));
            if (document.RootElement.GetProperty("nodeId").TryGetGuid(out var id) && _nodes.Nodes.ContainsKey(id))
            {
                return null;
            }

            // It is another database's node: with this file it would go on speaking as that.
            File.Delete(identity);
        }

        var name = NodeName;
        while (true)
        {
            try
            {
                return await _registry.IssueTokenAsync(name, region: null, TokenLifetime, cancellationToken);
            }
            catch (WeirException e) when (e.Code == ErrorCode.Conflict)
            {
                // An earlier node of that name, whose directory is gone.
                name = $"{NodeName}-{RandomNumberGenerator.GetHexString(6, lowercase: true)}";
            }
        }
    }

    private async Task SuperviseAsync(CancellationToken stopping)
    {
        var pause = TimeSpan.FromSeconds(1);
        while (!stopping.IsCancellationRequested)
        {
            await _process.WaitForExitAsync(stopping);
            _logger.LogError("The node ended with code {Code}. Starting it again.", _process.ExitCode);
            await Task.Delay(pause, _time, stopping);
            pause = TimeSpan.FromSeconds(Math.Min(30, pause.TotalSeconds * 2));
            try
            {
                _process.Dispose();
                await LaunchAsync(stopping);
            }
            catch (WeirException e)
            {
                _logger.LogError("{Message}", e.Message);
            }
        }
    }
}
