using System.Collections.Concurrent;
using System.Text.Json;
using Weir.NodeAgent.Bridge;
using Weir.NodeAgent.Linux;
using Weir.NodeAgent.Processes;
using Weir.NodeAgent.State;
using Weir.Nodes;

namespace Weir.NodeAgent.Servers;

/// <summary>A refusal of the node's API, with its code of <see cref="NodeErrors"/> and HTTP status.</summary>
internal sealed class NodeException(int status, string code, string message) : Exception(message)
{
    public int Status { get; } = status;

    public string Code { get; } = code;
}

/// <summary>
/// All instances of the node: what should be, on disk before it is acknowledged, and the ones that run. An instance's changes
/// happen one after another; different instances do not wait for each other.
/// </summary>
internal sealed class ServerRegistry(StateStore store, ServerContext context)
{
    private readonly ConcurrentDictionary<Guid, ServerEntry> _entries = new();
    private readonly Lock _admission = new();
    private volatile bool _draining;

    /// <summary>Called after each change of a state.</summary>
    public Action? Changed { get; set; }

    public int Count => _entries.Count;

    public ServerStatus[] All => _entries.Values.Select(e => e.Status).ToArray();

    /// <summary>Starts what should run according to the disk. Its children of before were ended when the node was.</summary>
    public void Reconcile()
    {
        foreach (var stored in store.Load())
        {
            var entry = new ServerEntry(stored, store, new InstanceLog(context.DataDirectory, stored.Id, context.Time)) { IsNew = false };
            _entries[stored.Id] = entry;
            if (stored.Spec.Desired == Desired.Running && stored.State != ServerStates.Failed)
            {
                var hasRun = stored.State is ServerStates.Running or ServerStates.Degraded;
                Start(entry, hasRun ? new InstanceFailure(NodeErrors.NodeRestarted, "The node was restarted.") : null);
            }
            else if (stored.Spec.Desired == Desired.Stopped)
            {
                Report(entry, entry.Epoch, ServerStates.Stopped, null, null);
            }
        }
    }

    public ServerStatus Get(Guid id) => Find(id).Status;

    public ISessionHost? Host(Guid id) => Find(id).Instance?.Host;

    public LogLine[] Logs(Guid id, int tail, DateTimeOffset? since) => Find(id).Log.Read(tail, since);

    /// <summary>Takes on a desired state. When it returns, the state is on disk; reaching it goes on by itself.</summary>
    public async Task<ServerStatus> PutAsync(Guid id, ServerSpec spec, string? operationId)
    {
        ServerSpecRules.Check(spec);
        var entry = await TurnAsync(() => Admit(id, spec));
        try
        {
            var before = entry.Stored;
            if (!entry.IsNew && spec.Generation < before.Spec.Generation)
            {
                throw new NodeException(
                    409, NodeErrors.StaleGeneration, $"Generation {spec.Generation} is older than {before.Spec.Generation}.");
            }

            if (!entry.IsNew && operationId is not null && operationId == before.OperationId)
            {
                return SameSpec(spec, before.Spec)
                    ? entry.Status
                    : throw new NodeException(409, NodeErrors.OperationReused, "This operation asked for something else before.");
            }

            entry.Renew(before with
            {
                Spec = spec,
                OperationId = operationId,
                // What is being stopped is still what it was.
                State = spec.Desired == Desired.Running ? ServerStates.Starting : before.State,
                ErrorCode = null,
                Error = null,
            });
            Apply(entry, trouble: null);
            return entry.Status;
        }
        finally
        {
            entry.Mutex.Release();
        }
    }

    public async Task<ServerStatus> RestartAsync(Guid id)
    {
        var entry = await TurnAsync(() => Find(id));
        try
        {
            var stored = entry.Stored;
            if (stored.Spec.Desired == Desired.Running)
            {
                var hasRun = stored.State is ServerStates.Running or ServerStates.Degraded;
                var trouble = hasRun ? new InstanceFailure(NodeErrors.Restarting, "The server is being restarted.") : null;
                entry.Renew(stored with
                {
                    State = hasRun ? ServerStates.Degraded : ServerStates.Starting, ErrorCode = trouble?.Code, Error = trouble?.Message,
                });
                Apply(entry, trouble);
            }

            return entry.Status;
        }
        finally
        {
            entry.Mutex.Release();
        }
    }

    /// <summary>
    /// Weir does not place it here: a restored database knows nothing of it, or wants it elsewhere. It is ended, and its files stay, until
    /// Weir asks for it again. Nothing happens to a later generation, which Weir has asked for since.
    /// </summary>
    public async Task LeaveAsync(ServerGeneration placed)
    {
        if (!_entries.ContainsKey(placed.Id))
        {
            return;
        }

        var entry = await TurnAsync(() => Find(placed.Id));
        try
        {
            var stored = entry.Stored;
            if (stored.Spec.Generation == placed.Generation && stored.Spec.Desired != Desired.Stopped)
            {
                context.Log.LogWarning("Weir does not place instance {Id} on this node: it is stopped, and its files stay.", placed.Id);
                entry.Renew(
                    stored
                        with { Spec = stored.Spec with { Desired = Desired.Stopped }, OperationId = null, ErrorCode = null, Error = null });
                Apply(entry, trouble: null);
            }
        }
        finally
        {
            entry.Mutex.Release();
        }
    }

    /// <summary>
    /// Ends it and removes all that it has on this node. Throws, and keeps it, when it could not be ended or its directory is not removed
    /// yet: the next attempt goes on from there.
    /// </summary>
    public async Task DeleteAsync(Guid id)
    {
        var entry = await TurnAsync(() => Find(id));
        try
        {
            await entry.Work;
            if (!await StopAsync(entry))
            {
                throw new NodeException(500, NodeErrors.StopFailed, "The server's processes could not be ended.");
            }

            var spec = entry.Stored.Spec;
            NeverStartAgain(entry);
            SweepUser(spec.OrganizationId);
            await RemoveDirectoryAsync(id, spec.OrganizationId);
            entry.Log.Delete();
            store.Delete(id);
            _entries.TryRemove(id, out _);
        }
        finally
        {
            entry.Mutex.Release();
        }

        Changed?.Invoke();
    }

    /// <summary>So that a node which is restarted before its directory is removed does not start it.</summary>
    private void NeverStartAgain(ServerEntry entry)
    {
        try
        {
            var stored = entry.Stored;
            entry.Renew(stored with { Spec = stored.Spec with { Desired = Desired.Stopped }, State = ServerStates.Stopped });
        }
        catch (IOException e)
        {
            context.Log.LogError(e, "The state of instance {Id} is not on disk; it is deleted all the same.", entry.Stored.Id);
        }
    }

    private async Task RemoveDirectoryAsync(Guid id, Guid organization)
    {
        try
        {
            await context.Directories.DeleteAsync(id, organization);
            context.TempLinks.Remove(id);
        }
        catch (IOException e)
        {
            context.Log.LogWarning(e, "The directory of instance {Id} is not removed yet.", id);
            throw new NodeException(
                500, NodeErrors.RemovalIncomplete, "The instance's directory is not removed yet; the node's log says why.");
        }
    }

    /// <summary>Ends all children; what should run stays written down.</summary>
    public async Task DrainAsync()
    {
        _draining = true;
        await Task.WhenAll(_entries.Values.Select(async entry =>
        {
            await entry.Work;
            await StopAsync(entry);
            entry.Log.Dispose();
        }));
    }

    /// <summary>
    /// The entry, once it is this caller's turn. One that was deleted while the caller waited is looked for anew: two entries of one
    /// instance would write the same files.
    /// </summary>
    private async Task<ServerEntry> TurnAsync(Func<ServerEntry> find)
    {
        while (true)
        {
            var entry = find();
            await entry.Mutex.WaitAsync();
            if (_entries.TryGetValue(entry.Stored.Id, out var current) && ReferenceEquals(current, entry))
            {
                return entry;
            }

            entry.Mutex.Release();
        }
    }

    private ServerEntry Find(Guid id) =>
        _entries.TryGetValue(id, out var entry)
            ? entry : throw new NodeException(404, NodeErrors.NotFound, "There is no such server on this node.");

    /// <summary>
    /// The entry of an instance, a new one if need be. An instance stays its organization's; without isolation, so does the node.
    /// </summary>
    private ServerEntry Admit(Guid id, ServerSpec spec)
    {
        lock (_admission)
        {
            if (_draining)
            {
                throw new NodeException(503, NodeErrors.Internal, "The node is shutting down.");
            }

            if (_entries.TryGetValue(id, out var known))
            {
                return known.Stored.Spec.OrganizationId == spec.OrganizationId
                    ? known
                    : throw new NodeException(409, NodeErrors.InvalidArgument, "An instance does not change its organization.");
            }

            if (context.Uids is null && _entries.Values.Any(e => e.Stored.Spec.OrganizationId != spec.OrganizationId))
            {
                throw new NodeException(
                    409, NodeErrors.SecondOrganization,
                    "This node has no isolation (it is not root) and serves another organization already.");
            }

            var stored = new StoredServer(id, spec, null, ServerStates.Starting, null, null);
            var entry = new ServerEntry(stored, store, new InstanceLog(context.DataDirectory, id, context.Time));
            return _entries.GetOrAdd(id, entry);
        }
    }

    private void Apply(ServerEntry entry, InstanceFailure? trouble) => entry.Work = ApplyAsync(entry, entry.Epoch, trouble, entry.Work);

    private async Task ApplyAsync(ServerEntry entry, int epoch, InstanceFailure? trouble, Task before)
    {
        await before;
        if (entry.Epoch != epoch || _draining)
        {
            return; // What was wanted after it waits behind it.
        }

        var spec = entry.Stored.Spec;
        if (!await StopAsync(entry))
        {
            Report(entry, epoch, ServerStates.Degraded, NodeErrors.StopFailed, "The server's processes could not be ended.");
        }
        else if (spec.Desired == Desired.Stopped)
        {
            SweepUser(spec.OrganizationId);
            Report(entry, epoch, ServerStates.Stopped, null, null);
        }
        else
        {
            Start(entry, trouble);
        }
    }

    private static async Task<bool> StopAsync(ServerEntry entry)
    {
        if (entry.Instance is { } instance && !await instance.StopAsync())
        {
            return false;
        }

        entry.Instance = null;
        return true;
    }

    private void Start(ServerEntry entry, InstanceFailure? trouble)
    {
        var epoch = entry.Epoch;
        entry.Instance = new ServerInstance(
            entry.Stored.Id, entry.Stored.Spec, trouble, context, entry.Log,
            (state, code, error) => Report(entry, epoch, state, code, error),
            phase => ReportPhase(entry, epoch, phase));
    }

    private void ReportPhase(ServerEntry entry, int epoch, string phase)
    {
        if (!_draining && entry.TryEnter(epoch, phase))
        {
            Changed?.Invoke();
        }
    }

    private void Report(ServerEntry entry, int epoch, string state, string? code, string? error)
    {
        // The end of the node says nothing about its instances, and the end of an older child nothing about the newer one.
        if (!_draining && entry.TryReport(epoch, state, code, error, context.Log))
        {
            Changed?.Invoke();
        }
    }

    /// <summary>
    /// When an organization has nothing left that should run here, whatever still runs as its user has escaped its group.
    /// </summary>
    private void SweepUser(Guid organization)
    {
        if (context.Uids is { } uids
            && !_entries.Values.Any(e => e.Stored.Spec.OrganizationId == organization && e.Stored.Spec.Desired == Desired.Running))
        {
            var uid = uids.For(organization);
            ProcFs.ProcessesOf(uid, uid).ForEach(process => Libc.Signal(process, Libc.SigKill));
        }
    }

    private static bool SameSpec(ServerSpec one, ServerSpec other) =>
        JsonSerializer.SerializeToUtf8Bytes(one, NodeJson.Default.ServerSpec).AsSpan()
            .SequenceEqual(JsonSerializer.SerializeToUtf8Bytes(other, NodeJson.Default.ServerSpec));
}
