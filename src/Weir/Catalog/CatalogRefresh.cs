using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Weir.Errors;
using Weir.Mcp;
using Weir.Postgres;
using Weir.Upstream;

namespace Weir.Catalog;

/// <summary>
/// Looks, in the background, what running servers announce, and hands it to the database, which pins, approves or quarantines.
/// No list of an agent ever waits for this. Replicas share the work by leases.
/// </summary>
internal sealed class CatalogRefresh(
    CatalogQueries queries,
    UpstreamClient upstream,
    Func<Guid, string?> nodeKey,
    Guid replicaId,
    TimeProvider time,
    ILogger<CatalogRefresh> logger) : BackgroundService
{
    private const int Batch = 8;
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan MaxAge = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);

    private readonly UpstreamLists _lists = new(upstream);
    private readonly PollPause _pause = new(Interval, time);

    /// <summary>A server may have come to run: look now.</summary>
    public void Wake() => _pause.End();

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (true)
            {
                await RefreshDueAsync(stoppingToken);
                await _pause.WaitAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException)
        {
            // Stopping.
        }
    }

    /// <summary>Lists everything that the instance announces.</summary>
    /// <exception cref="UpstreamException">The server does not answer as the protocol wants.</exception>
    public async Task<(IReadOnlyList<AnnouncedItem> Items, UpstreamSession Session)> ListAsync(UpstreamTarget target, CancellationToken ct)
    {
        using var timeout = new CancellationTokenSource(Deadline, time);
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(ct, timeout.Token);
        try
        {
            return await ListAllAsync(target, deadline.Token);
        }
        catch (OperationCanceledException e) when (timeout.IsCancellationRequested && !ct.IsCancellationRequested)
        {
            throw new UpstreamException(UpstreamFailure.Unreachable, $"The server did not list what it has within {Deadline.TotalSeconds:0} s.", e);
        }
    }

    private async Task<(IReadOnlyList<AnnouncedItem> Items, UpstreamSession Session)> ListAllAsync(UpstreamTarget target, CancellationToken ct)
    {
        // A session of its own, ended afterwards: the calls' sessions stay what their callers made of them.
        var session = await upstream.OpenAsync(target, ClientCapabilities.None, ct);
        try
        {
            using var capabilities = JsonDocument.Parse(session.Capabilities);
            var items = new List<AnnouncedItem>();
            if (capabilities.RootElement.ValueKind != JsonValueKind.Object)
            {
                throw new UpstreamException(UpstreamFailure.Nonsense, "The server's capabilities are no object.");
            }

            if (capabilities.RootElement.TryGetProperty("tools", out _))
            {
                items.AddRange(await ListAsync(session, Methods.ToolsList, "tools", ItemKinds.Tool, "name", ct));
            }

            if (capabilities.RootElement.TryGetProperty("prompts", out _))
            {
                items.AddRange(await ListAsync(session, Methods.PromptsList, "prompts", ItemKinds.Prompt, "name", ct));
            }

            if (capabilities.RootElement.TryGetProperty("resources", out _))
            {
                items.AddRange(await ListAsync(session, Methods.ResourceTemplatesList, "resourceTemplates", ItemKinds.Template, "uriTemplate", ct));
            }

            return ([.. items.DistinctBy(i => (i.Kind, i.Name))], session);
        }
        finally
        {
            await upstream.CloseAsync(session, CancellationToken.None);
        }
    }

    private async Task RefreshDueAsync(CancellationToken ct)
    {
        try
        {
            var due = await queries.InstancesToRefreshAsync(replicaId, Batch, Lease, MaxAge, ct);
            await Task.WhenAll(due.Select(i => RefreshAsync(i, ct)));
        }
        catch (WeirException e)
        {
            logger.LogDebug(e, "Could not ask which catalogs are due.");
        }
    }

    private async Task RefreshAsync(CatalogQueries.Instance instance, CancellationToken ct)
    {
        try
        {
            var key = instance.NodeId is { } node ? nodeKey(node) : null;
            if (!Uri.TryCreate(instance.EndpointUrl, UriKind.Absolute, out var endpoint) || (instance.NodeId is not null && key is null))
            {
                return;
            }

            var (items, session) = await ListAsync(new UpstreamTarget(instance.Id, instance.Name, endpoint, key), ct);
            var recorded = await queries.RecordAsync(instance, items, Encoding.UTF8.GetString(session.ServerInfo), ct);
            if (recorded.NewPins + recorded.ChangedPins > 0)
            {
                logger.LogInformation(
                    "Server {Instance} ({InstanceId}) announces {Count} items: {New} new, {Changed} changed, {Quarantined} wait for approval.",
                    instance.Name, instance.Id, items.Count, recorded.NewPins, recorded.ChangedPins, recorded.Quarantined);
            }
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            logger.LogWarning("The catalog of server {Instance} ({InstanceId}) could not be refreshed: {Message}", instance.Name, instance.Id, e.Message);
        }
    }

    private async Task<IEnumerable<AnnouncedItem>> ListAsync(UpstreamSession session, string method, string member, string kind, string nameMember, CancellationToken ct)
    {
        var list = await _lists.ListAsync(session, method, member, ct);
        return list.Select(definition => AnnouncedItem.Read(kind, nameMember, definition));
    }
}
