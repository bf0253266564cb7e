using System.Text.Json;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Weir.Configuration;
using Weir.Errors;
using Weir.Limits;
using Weir.Mcp;
using Weir.Postgres;
using Weir.Upstream;

namespace Weir.Definitions;

/// <summary>
/// Looks, in the background, what running servers announce, and hands it to the database, which pins, approves or quarantines.
/// No list of an agent ever waits for this. Replicas share the work by leases.
/// </summary>
internal sealed class DefinitionRefresh(
    DefinitionQueries queries,
    UpstreamClient upstream,
    Func<Guid, string?> nodeKey,
    Guid replicaId,
    TimeProvider time,
    ILogger<DefinitionRefresh> logger) : BackgroundService
{
    /// <summary>So many servers are asked at once; one that hangs takes a place until its deadline, and nobody waits for it.</summary>
    private const int MaxRunning = 128;

    /// <summary>So many of one organization at one node, or of its remote servers.</summary>
    private const int Share = 8;

    /// <summary>
    /// So many are recorded at once, of one organization one: where definitions differ this waits for the organization's lock, on a
    /// connection of the pool that everybody's lists are read by.
    /// </summary>
    private const int MaxRecording = 2;

    /// <summary>
    /// So many are asked for again at once, of one server one: this waits for its row, which is held while what it announces is recorded.
    /// </summary>
    private const int MaxAsking = 2;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan MaxAge = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);

    private readonly ServerLists _lists = new(upstream);
    private readonly AbilityLooks _looks = new(time);
    private readonly PollPause _pause = new(Interval, time);
    private readonly RoundRobinLimiter<Guid> _recording = new(MaxRecording);
    private readonly RoundRobinLimiter<Guid> _asking = new(MaxAsking);
    private RunningWork? _running;

    private RunningWork Running => _running ??= new RunningWork(Wake);

    /// <summary>A server may have come to run: look now.</summary>
    public void Wake() => _pause.End();

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (true)
            {
                await StartDueAsync(stoppingToken);
                await _pause.WaitAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException)
        {
            // Stopping.
        }

        await Running.EndAsync();
    }

    /// <summary>
    /// The server says that one of its lists changed: it is asked again soon, by whichever replica sees it first, and at most twice in
    /// a second. To be awaited, so that a server which says so all the time costs one statement after another and not many at once.
    /// </summary>
    public async Task RefreshSoonAsync(Guid instanceId, CancellationToken ct)
    {
        using var permit = await _asking.EnterAsync(instanceId, ct);
        if (await queries.RefreshSoonAsync(instanceId, ct))
        {
            Wake();
        }
    }

    /// <summary>Asks for each kind of things that the server announces. A list that fails costs no other.</summary>
    /// <param name="listing">Called when the session is open, before the lists are asked for.</param>
    /// <exception cref="UpstreamException">The server does not answer as the protocol wants, or every list that it declares
    /// failed.</exception>
    public async Task ProveAsync(UpstreamTarget target, Func<Task> listing, CancellationToken ct)
    {
        using var room = Room(target);
        await ListAsync(target, ClientCapabilities.None, room, ct, listing);
    }

    private ListRoom Room(UpstreamTarget target) => new(upstream.Account(target, ListRoom.MostHeld));

    /// <param name="offered">As a client that offers this: some servers have more for it.</param>
    private async Task<Announcement> ListAsync(
        UpstreamTarget target, ClientCapabilities offered, ListRoom room, CancellationToken ct, Func<Task>? listing = null)
    {
        using var timeout = new CancellationTokenSource(Deadline, time);
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(ct, timeout.Token);
        try
        {
            // A session of its own, ended afterwards: the calls' sessions stay what their callers made of them.
            var session = await upstream.OpenAsync(target, offered, deadline.Token);
            try
            {
                await (listing?.Invoke() ?? Task.CompletedTask);
                return await ListAllAsync(session, room, deadline.Token, ct);
            }
            finally
            {
                await upstream.CloseAsync(session, CancellationToken.None);
            }
        }
        catch (OperationCanceledException e) when (timeout.IsCancellationRequested && !ct.IsCancellationRequested)
        {
            throw TooSlow(e);
        }
    }

    private async Task<Announcement> ListAllAsync(UpstreamSession session, ListRoom room, CancellationToken deadline, CancellationToken ct)
    {
        using var capabilities = JsonDocument.Parse(session.Capabilities, new JsonDocumentOptions { MaxDepth = JsonDepth.Message });
        if (capabilities.RootElement.ValueKind != JsonValueKind.Object)
        {
            throw new UpstreamException(UpstreamFailure.Nonsense, "The server's capabilities are no object.");
        }

        // Null declares nothing.
        var declared = ListedKind.All
            .Where(
            k => capabilities.RootElement.TryGetProperty(k.Capability, out var capability) && capability.ValueKind != JsonValueKind.Null)
            .ToArray();
        var lists = await Task.WhenAll(declared.Select(k => TryListAsync(session, k, room, deadline, ct)));
        var failures = lists.Where(l => l.Failure is not null).Select(l => l.Failure!).ToArray();
        if (failures.Length > 0 && failures.Length == declared.Length)
        {
            throw failures[0];
        }

        // Of a kind that it does not declare it has nothing.
        var listed = ListedKind.All.Except(declared).Concat(declared.Where((_, i) => lists[i].List is not null));
        return Announcement.Of([.. listed], declared.Zip(lists.Select(l => l.List)), session, failures) with { Room = room };
    }

    private async Task<(ListedItems? List, UpstreamException? Failure)> TryListAsync(
        UpstreamSession session, ListedKind kind, ListRoom room, CancellationToken deadline, CancellationToken ct)
    {
        try
        {
            return (await _lists.ListAsync(session, kind, room, deadline), null);
        }
        catch (UpstreamException e)
        {
            return (null, e);
        }
        catch (JsonException e)
        {
            return (null, new UpstreamException(UpstreamFailure.Nonsense, $"The server's answer to {kind.Method} is not JSON.", e));
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            return (null, TooSlow(e));
        }
    }

    private static UpstreamException TooSlow(Exception e) =>
        new(UpstreamFailure.Unreachable, $"The server did not list what it has within {Deadline.TotalSeconds:0} s.", e)
        {
            Cause = FailureCause.TimedOut,
        };

    private async Task StartDueAsync(CancellationToken ct)
    {
        try
        {
            foreach (var due in await queries.InstancesToRefreshAsync(replicaId, Lease, MaxAge, Running.Claimable(MaxRunning, Share), ct))
            {
                _ = Running.Start(due.OrganizationId, due.NodeId, () => RefreshAsync(due, ct));
            }
        }
        catch (WeirException e)
        {
            logger.LogDebug(e, "Could not ask which catalogs are due.");
        }
    }

    private async Task RefreshAsync(DefinitionQueries.Instance instance, CancellationToken ct)
    {
        // Of every look, until what was found is recorded.
        var rooms = new List<ListRoom>();
        try
        {
            var key = instance.NodeId is { } node ? nodeKey(node) : null;
            if (!Uri.TryCreate(instance.EndpointUrl, UriKind.Absolute, out var endpoint) || (instance.NodeId is not null && key is null))
            {
                return;
            }

            var target = new UpstreamTarget(instance.Id, instance.Name, endpoint, key) { ChargedTo = instance.OrganizationId };
            var announced = await _looks.LookAsync(target, instance, LookAsync, ct);
            using var permit = await _recording.EnterAsync(instance.OrganizationId, ct);
            var recorded = await queries.RecordAsync(instance, announced, NextRefresh(announced), ct);
            Log(instance, announced, recorded);
            await RecordStateAsync(instance, failure: null, ct);
        }
        catch (UpstreamException e) when (e.Cause.MeansNobodyThere() || e.Cause.IsRefusedByWeir())
        {
            logger.LogWarning(
                "There is no connection to server {Instance} ({InstanceId}): {Message}", instance.Name, instance.Id, e.Message);
            using var permit = await _recording.EnterAsync(instance.OrganizationId, ct);
            await RecordStateAsync(instance, e, ct);
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            logger.LogWarning(
                "The catalog of server {Instance} ({InstanceId}) could not be refreshed: {Message}", instance.Name, instance.Id, e.Message);
        }
        finally
        {
            rooms.ForEach(r => r.Dispose());
        }

        Task<Announcement> LookAsync(UpstreamTarget target, ClientCapabilities offered, CancellationToken ct)
        {
            var room = Room(target);
            rooms.Add(room);
            return ListAsync(target, offered, room, ct);
        }
    }

    private async Task RecordStateAsync(DefinitionQueries.Instance instance, UpstreamException? failure, CancellationToken ct)
    {
        if (instance.NodeId is not null)
        {
            return; // Its node says it.
        }

        try
        {
            await queries.RecordStateAsync(instance, failure?.Cause.Name(), failure?.Message, ct);
        }
        catch (WeirException e)
        {
            logger.LogWarning(
                "The state of server {Instance} ({InstanceId}) could not be recorded: {Message}", instance.Name, instance.Id, e.Message);
        }
    }

    /// <summary>When the server's lists are too old by its own word; soon, where one of them is missing.</summary>
    private static TimeSpan NextRefresh(Announcement announced) =>
        ServerLists.Shorter(ServerLists.Shorter(announced.Ttl, MaxAge), announced.Failures.Count > 0 ? Lease : null)!.Value;

    private void Log(DefinitionQueries.Instance instance, Announcement announced, DefinitionQueries.Recorded recorded)
    {
        if (recorded.NewPins + recorded.ChangedPins > 0)
        {
            logger.LogInformation(
                "Server {Instance} ({InstanceId}) announces {Count} items: {New} new, {Changed} changed, {Quarantined} wait for approval.",
                instance.Name, instance.Id, announced.Items.Count, recorded.NewPins, recorded.ChangedPins, recorded.Quarantined);
        }

        if (announced.Skipped.Count > 0)
        {
            logger.LogWarning(
                "Of what server {Instance} ({InstanceId}) announces {Count} items are no good and left out; the first: {Reason}.",
                instance.Name, instance.Id, announced.Skipped.Count, announced.Skipped[0]);
        }

        foreach (var failure in announced.Failures)
        {
            logger.LogWarning("Server {Instance} ({InstanceId}) keeps a list as it was last good: {Message}", instance.Name, instance.Id,
                failure.Message);
        }
    }
}
