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
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan StartTimeout = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan ShortestPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    /// <summary>A node that ran so long is no longer one that cannot start.</summary>
    private static readonly TimeSpan Stable = TimeSpan.FromMinutes(1);

    private readonly string _directory;
    private readonly Uri _weir;
    private readonly NodeRegistry _registry;
    private readonly NodeDirectory _nodes;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stopping = new();

    /// <summary>Null while there is none that is ready.</summary>
    private volatile Process? _process;
    private Task _supervision = Task.CompletedTask;

    private NodeProcess(string directory, Uri weir, NodeRegistry registry, NodeDirectory nodes, TimeProvider time, ILogger logger) =>
        (_directory, _weir, _registry, _nodes, _time, _logger) = (directory, weir, registry, nodes, time, logger);

    /// <summary>Null while there is none that is ready.</summary>
    public int? ProcessId => _process?.Id;

    /// <summary>Returns when the node's own API answers.</summary>
    public static async Task<NodeProcess> StartAsync(
        string directory, Uri weir, NodeRegistry registry, NodeDirectory nodes, TimeProvider time, ILogger logger,
        CancellationToken cancellationToken)
    {
        var node = new NodeProcess(directory, weir, registry, nodes, time, logger);
        node._process = await node.LaunchAsync(cancellationToken);
        node._supervision = node.SuperviseAsync(node._stopping.Token);
        return node;
    }

    public async ValueTask DisposeAsync()
    {
        if (_stopping.IsCancellationRequested)
        {
            return;
        }

        await _stopping.CancelAsync();
        await _supervision.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        using var process = _process;
        _process = null;
        if (process is not null)
        {
            await StopAsync(process);
        }
    }

    private async Task StopAsync(Process process)
    {
        process.StandardInput.Close();
        using var timeout = new CancellationTokenSource(StopTimeout, _time);
        await process.WaitForExitAsync(timeout.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!process.HasExited)
        {
            _logger.LogError(
                "The node did not stop within {Seconds} seconds and is killed; its reaper ends the servers.", StopTimeout.TotalSeconds);
            process.Kill();
        }
    }

    /// <summary>Beside the executable when published; in its own project's output in the source tree.</summary>
    private static string FindProgram()
    {
        var here = AppContext.BaseDirectory;
        string[] places =
        [
            Path.Combine(here, "weir-node.dll"),
            Path.Combine(here, "../../Weir.NodeAgent/", Path.GetFileName(Path.TrimEndingDirectorySeparator(here)), "weir-node.dll"),
        ];
        return places.FirstOrDefault(File.Exists)
            ?? throw new WeirException(ErrorCode.NotFound, "weir-node.dll is not beside weir.", "Build src/Weir.NodeAgent too.");
    }

    /// <summary>A process that is ready; where that fails, none is left.</summary>
    private async Task<Process> LaunchAsync(CancellationToken cancellationToken)
    {
        var token = await IssueTokenAsync(cancellationToken);
        var start = new ProcessStartInfo(
            Dotnet.Path, [FindProgram(), "--data", _directory, "--weir-url", _weir.ToString(), "--name", NodeName, "--lifeline"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            UseShellExecute = false,
            WorkingDirectory = "/",
        };
        // The database's addresses and the project's secret are none of the node's business.
        foreach (var name in start.Environment.Keys.Where(name =>
            name.StartsWith("WEIR_", StringComparison.Ordinal) && !name.StartsWith("WEIR_NODE_", StringComparison.Ordinal)).ToArray())
        {
            start.Environment.Remove(name);
        }

        if (token is not null)
        {
            start.Environment["WEIR_NODE_TOKEN"] = token;
        }

        var process = Process.Start(start)!;
        try
        {
            await WaitUntilReadyAsync(process, cancellationToken);
            return process;
        }
        catch
        {
            // It would hold the directory against the next one.
            process.Kill();
            await process.WaitForExitAsync(CancellationToken.None);
            process.Dispose();
            throw;
        }
    }

    private async Task WaitUntilReadyAsync(Process process, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(StartTimeout, _time);
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        try
        {
            if (await process.StandardOutput.ReadLineAsync(timeout.Token) is null)
            {
                throw new WeirException(ErrorCode.Unavailable, "The node ended at once.", "Its last line above says why.");
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new WeirException(ErrorCode.Unavailable, $"The node was not ready within {StartTimeout.TotalSeconds} seconds.");
        }
    }

    /// <summary>A one-time token, unless this database knows the node already.</summary>
    private async Task<string?> IssueTokenAsync(CancellationToken cancellationToken)
    {
        var identity = Path.Combine(_directory, "state", "node.json");
        await _nodes.RefreshAsync(cancellationToken);
        if (File.Exists(identity))
        {
            if (await ReadNodeIdAsync(identity, cancellationToken) is { } id && _nodes.Nodes.ContainsKey(id))
            {
                return null;
            }

            // It is another database's node, with this file it would go on speaking as that; or the file is no use to anybody.
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

    /// <summary>Null where the file does not say.</summary>
    private static async Task<Guid?> ReadNodeIdAsync(string identity, CancellationToken cancellationToken)
    {
        try
        {
            using var document = JsonDocument.Parse(await File.ReadAllTextAsync(identity, cancellationToken));
            return document.RootElement is { ValueKind: JsonValueKind.Object } root && root.TryGetProperty("nodeId", out var id)
                && id.ValueKind == JsonValueKind.String && id.TryGetGuid(out var nodeId) ? nodeId : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>Starts the node again whenever there is none, whatever the reason, until Weir stops.</summary>
    private async Task SuperviseAsync(CancellationToken stopping)
    {
        var pause = ShortestPause;
        while (true)
        {
            if (_process is { } process)
            {
                var launched = _time.GetTimestamp();
                await process.WaitForExitAsync(stopping);
                pause = _time.GetElapsedTime(launched) > Stable ? ShortestPause : pause;
                _logger.LogError("The node ended with code {Code}. Starting it again.", process.ExitCode);
                _process = null;
                process.Dispose();
            }

            await Task.Delay(pause, _time, stopping);
            pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
            try
            {
                _process = await LaunchAsync(stopping);
            }
            catch (Exception e) when (!stopping.IsCancellationRequested)
            {
                // Nobody awaits this loop: what leaves it would end the node for good, and silently.
                _logger.LogError(e, "The node could not be started; the next try is in {Seconds} seconds.", pause.TotalSeconds);
            }
        }
    }
}
