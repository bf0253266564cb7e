using System.Text.Json;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Weir.Errors;
using Weir.Keys;
using Weir.Limits;
using Weir.Postgres;
using Weir.Upstream;

namespace Weir.Nodes;

/// <summary>A server that no node runs.</summary>
internal sealed record RemoteServer(Guid OrganizationId, Guid InstanceId, string Name, Uri Endpoint);

/// <summary>
/// Proves that a remote server answers MCP. Throws when it does not: an admin is shown the cause and message of an
/// <see cref="UpstreamException"/>.
/// </summary>
/// <param name="listing">Called when the server has opened a session, and its lists are next.</param>
internal delegate Task RemoteHandshake(RemoteServer server, Func<Task> listing, CancellationToken ct);

/// <summary>
/// Carries out what the outbox wants of nodes. The database hands out operations by lease, so replicas share them and a replica that dies
/// loses none; the node recognizes an operation that it has taken on already. No transaction is open while a node is asked.
/// </summary>
internal sealed class OperationsWorker(
    NodesQueries queries,
    NodeClient nodes,
    Keyring keyring,
    RemoteHandshake handshake,
    Guid replicaId,
    Func<double> chance,
    TimeProvider time,
    ILogger<OperationsWorker> logger) : BackgroundService
{
    /// <summary>So many operations run at once.</summary>
    private const int MaxRunning = 128;

    /// <summary>So many of one organization at one node, or at its remote servers: what hangs there delays nobody else.</summary>
    private const int Share = 8;

    /// <summary>
    /// So many are recorded at once, of one organization one: this waits for the organization's lock, on a connection that others need.
    /// </summary>
    private const int MaxRecording = 2;
    private const int Attempts = 6;
    private static readonly TimeSpan Every = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan FirstWait = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);

    private readonly PollPause _pause = new(Every, time);
    private readonly RoundRobinLimiter<Guid> _recording = new(MaxRecording);
    private RunningWork? _running;

    private RunningWork Running => _running ??= new RunningWork(Wake);

    /// <summary>Something may have been written to the outbox: look now.</summary>
    public void Wake() => _pause.End();

    /// <summary>Carries out what is due. Returns how many operations there were.</summary>
    public async Task<int> RunOnceAsync(CancellationToken ct)
    {
        var started = await StartDueAsync(ct);
        await Task.WhenAll(started);
        return started.Length;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await _pause.RepeatAsync(TryStartDueAsync, stoppingToken);
        // What was claimed is free again when its lease ends.
        await Running.EndAsync();
    }

    private async Task TryStartDueAsync(CancellationToken ct)
    {
        try
        {
            await StartDueAsync(ct);
        }
        catch (WeirException e)
        {
            logger.LogDebug(e, "The outbox could not be read.");
        }
    }

    private async Task<Task[]> StartDueAsync(CancellationToken ct)
    {
        var operations = await queries.ClaimAsync(replicaId, Lease, Running.Claimable(MaxRunning, Share), ct);
        return [.. operations.Select(o => Running.Start(o.OrganizationId, o.NodeId, () => RunAsync(o, ct)))];
    }

    private async Task RunAsync(ClaimedOperation operation, CancellationToken ct)
    {
        try
        {
            var status = operation.NodeId is { } nodeId ? await AskNodeAsync(nodeId, operation, ct) : await AskRemoteAsync(operation, ct);
            using var turn = await _recording.EnterAsync(operation.OrganizationId, ct);
            if (status is not null)
            {
                // What the node tells by its next heartbeat it may have told now.
                // A node speaks only of the instance that it was asked for, whatever it answers.
                await queries.RecordStateAsync(status with { Id = operation.InstanceId, Generation = operation.Generation }, ct);
            }

            await queries.RecordAsync(operation.Id, replicaId, "done", null, null, null, ct);
        }
        catch (NodeCallException e) when (e.Code == NodeErrors.StaleGeneration && operation.NodeId is { } ahead)
        {
            await OvertakeAsync(ahead, operation, e, ct);
        }
        catch (NodeCallException e)
        {
            await RecordFailureAsync(operation, e.Code, e.Message, e.IsRetryable, e.RetryAfter, ct);
        }
        catch (TemplateException e)
        {
            await RecordFailureAsync(operation, ServerTemplates.TemplateInvalid, e.Message, isRetryable: false, retryAfter: null, ct);
        }
        catch (WeirException e)
        {
            // The database is away. The lease ends, and the operation is carried out once more, which changes nothing.
            logger.LogWarning("Operation {Operation} could not be recorded: {Message}", operation.Id, e.Message);
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            // One answer that nobody foresaw must not end the worker for everybody; the lease ends, and it is tried again.
            logger.LogError(e, "Operation {Operation} failed in a way that Weir did not foresee.", operation.Id);
        }
    }

    /// <summary>
    /// The node has seen a later generation than this database has: it was restored. What is wanted is said anew, above what the node
    /// knows, and this operation is superseded by that one.
    /// </summary>
    private async Task OvertakeAsync(Guid nodeId, ClaimedOperation operation, NodeCallException refusal, CancellationToken ct)
    {
        try
        {
            var known = await nodes.GetAsync(Connection(nodeId, operation), operation.InstanceId, ct);
            await RecordFailureAsync(operation, refusal.Code, refusal.Message, isRetryable: true, refusal.RetryAfter, ct);
            await queries.OvertakeAsync(operation.InstanceId, operation.Generation, known.Generation, ct);
            Wake();
        }
        catch (NodeCallException e)
        {
            await RecordFailureAsync(operation, e.Code, e.Message, isRetryable: true, e.RetryAfter, ct);
        }
        catch (WeirException e)
        {
            logger.LogWarning("Operation {Operation} could not be recorded: {Message}", operation.Id, e.Message);
        }
    }

    private NodeConnection Connection(Guid nodeId, ClaimedOperation operation) =>
        operation.NodeApiUrl is { } url && operation.NodeSealedApiKey is { } sealedKey
            && NodeKeys.Open(keyring, nodeId, sealedKey) is { } key
            ? new NodeConnection(nodeId, nodeId.ToString(), new Uri(url), key, IsOnline: true)
            : throw new NodeCallException(NodeCallException.NodeKeyLost,
                "The node's key cannot be opened with this keyring, or was lost with it: register the node again.", isRetryable: true);

    /// <summary>The node's answer; null where nothing is left that it could speak of.</summary>
    private async Task<ServerStatus?> AskNodeAsync(Guid nodeId, ClaimedOperation operation, CancellationToken ct)
    {
        var node = Connection(nodeId, operation);
        switch (operation.Action)
        {
            case "restart":
                return await nodes.RestartAsync(node, operation.InstanceId, ct);
            case "delete":
                await DeleteAsync(node, operation.InstanceId, ct);
                return null;
            default:
                return await nodes.PutAsync(node, operation.InstanceId, Spec(operation), operation.Id, ct);
        }
    }

    private async Task DeleteAsync(NodeConnection node, Guid instanceId, CancellationToken ct)
    {
        try
        {
            await nodes.DeleteAsync(node, instanceId, ct);
        }
        catch (NodeCallException e) when (e.Code == NodeErrors.NotFound)
        {
            // It is gone already: an answer of before was lost, or the node never had it.
        }
    }

    private static ServerSpec Spec(ClaimedOperation operation)
    {
        var runs = operation.Action is "deploy" or "update";
        return new ServerSpec(
            operation.Generation,
            operation.OrganizationId,
            operation.InstanceName,
            runs ? "running" : "stopped",
            operation.Runtime ?? "",
            operation.Transport ?? "",
            operation.Share,
            operation.MaxSessions,
            operation.CallsAtOnce,
            operation.Package,
            operation.PackageVersion,
            operation.Bin,
            // What is to stop needs no arguments, and must stop even where they have become nonsense.
            runs ? ServerTemplates.Args(operation.Args, operation.Configuration) : [],
            runs ? ServerTemplates.Env(operation.Env, operation.Configuration) : []);
    }

    private async Task<ServerStatus?> AskRemoteAsync(ClaimedOperation operation, CancellationToken ct)
    {
        if (operation.Action is "stop" or "delete")
        {
            return operation.Action == "stop"
                ? new ServerStatus(operation.InstanceId, operation.Generation, ServerStates.Stopped, null, null) : null;
        }

        if (!Uri.TryCreate(operation.EndpointUrl, UriKind.Absolute, out var endpoint))
        {
            throw new NodeCallException(FailureCause.NoEndpoint.Name(), "The server has no URL.", isRetryable: false);
        }

        try
        {
            await RecordPhaseAsync(operation, ServerPhases.Handshake, ct);
            await handshake(
                new RemoteServer(operation.OrganizationId, operation.InstanceId, operation.InstanceName, endpoint),
                () => RecordPhaseAsync(operation, ServerPhases.Listing, ct), ct);
            return new ServerStatus(operation.InstanceId, operation.Generation, ServerStates.Running, null, null);
        }
        catch (UpstreamException e)
        {
            throw new NodeCallException(e.Cause.Name(), e.Message, isRetryable: !e.Cause.IsLasting(), e) { RetryAfter = e.RetryAfter };
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Something inside an answer is not what it must be, and was only met while it was read.
            throw new NodeCallException(FailureCause.ProtocolError.Name(), FailureCause.ProtocolError.Sentence(), isRetryable: true, e);
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            logger.LogError(e, "The handshake of operation {Operation} failed in a way that Weir did not foresee.", operation.Id);
            throw new NodeCallException(NodeErrors.Internal, FailureCodes.Sentence(NodeErrors.Internal), isRetryable: true, e);
        }
    }

    /// <summary>Only people read it, so what cannot be written now is not tried again.</summary>
    private async Task RecordPhaseAsync(ClaimedOperation operation, string phase, CancellationToken ct)
    {
        try
        {
            await queries.RecordPhaseAsync(operation.InstanceId, operation.Generation, phase, ct);
        }
        catch (WeirException e)
        {
            logger.LogDebug(e, "The phase of operation {Operation} could not be recorded.", operation.Id);
        }
    }

    private async Task RecordFailureAsync(
        ClaimedOperation operation, string code, string message, bool isRetryable, TimeSpan? retryAfter, CancellationToken ct)
    {
        // A deletion and a stop are never given up: until the node is back, the server's files stay there, or it runs on. What is wanted
        // later takes their place.
        var again = isRetryable && (operation.Attempt < Attempts || operation.Action is "delete" or "stop");
        logger.LogWarning(
            "Operation {Operation} ({Action} of {Instance}), attempt {Attempt}: {Code}: {Message}",
            operation.Id, operation.Action, operation.InstanceName, operation.Attempt, code, message);
        try
        {
            using var turn = await _recording.EnterAsync(operation.OrganizationId, ct);
            await queries.RecordAsync(
                operation.Id, replicaId, again ? "retry" : "failed", code, message,
                again ? time.GetUtcNow() + Longer(Wait(operation.Attempt), retryAfter) : null, ct);
        }
        catch (WeirException e)
        {
            logger.LogWarning("Operation {Operation} could not be recorded: {Message}", operation.Id, e.Message);
        }
    }

    private static TimeSpan Longer(TimeSpan wait, TimeSpan? asked) => asked > wait ? asked.Value : wait;

    /// <summary>
    /// Doubles from attempt to attempt; up to half of it is left to chance, so that what failed together does not return together.
    /// </summary>
    private TimeSpan Wait(int attempt) =>
        TimeSpan.FromMilliseconds(
            Math.Min(FirstWait.TotalMilliseconds * Math.Pow(2, attempt - 1), LongestWait.TotalMilliseconds) * (0.5 + (chance() / 2)));
}
