using Weir.Errors;
using Weir.Gateway.AgentTools;
using Weir.Mcp;
using Weir.Upstream;

namespace Weir.Gateway.Watching;

/// <summary>Keeps the servers of an agent in sight while one of its streams is open, so that what they change is looked at soon.</summary>
internal sealed class ServerWatch(InstanceWatches watches, WatchQueries queries, Func<Guid, string?> nodeKey)
{
    /// <summary>An agent with more servers hears of the others' changes when their catalogs are refreshed anyhow.</summary>
    private const int MostServers = 64;

    public Held Hold() => new(this);

    /// <summary>
    /// Where running instances are; those that share nothing are left out: a listener would cost each a child of its own.
    /// </summary>
    private async Task<IReadOnlyList<UpstreamTarget>> TargetsAsync(Guid organization, Guid[] instances, CancellationToken ct)
    {
        var targets = new List<UpstreamTarget>();
        foreach (var row in await queries.EndpointsAsync(instances, ct))
        {
            var key = row.NodeId is { } node ? nodeKey(node) : null;
            if (row.Share != "session" && Uri.TryCreate(row.EndpointUrl, UriKind.Absolute, out var endpoint)
                && (row.NodeId is null || key is not null))
            {
                targets.Add(
                    new UpstreamTarget(row.InstanceId, row.InstanceName, endpoint, key) { Resets = row.Resets, ChargedTo = organization });
            }
        }

        return targets;
    }

    internal sealed class Held(ServerWatch owner) : IDisposable
    {
        private readonly Dictionary<Guid, Subscription> _subscriptions = [];

        /// <summary>Listens to the servers of this catalog from now on, and to no others.</summary>
        public async Task KeepAsync(AgentToolSet tools, CancellationToken ct)
        {
            var wanted = tools.Instances.Where(i => i.Status is "running" or "degraded").Select(i => i.Id).Take(MostServers).ToArray();
            foreach (var gone in _subscriptions.Keys.Except(wanted).ToArray())
            {
                _subscriptions.Remove(gone, out var subscription);
                subscription!.Dispose();
            }

            var missing = wanted.Except(_subscriptions.Keys).ToArray();
            if (missing.Length == 0)
            {
                return;
            }

            try
            {
                foreach (var target in await owner.TargetsAsync(tools.OrganizationId, missing, ct))
                {
                    _subscriptions[target.InstanceId] = owner.Watch(target);
                }
            }
            catch (WeirException)
            {
                // The database is away: the stream goes on, and hears of changes later.
            }
        }

        public void Dispose()
        {
            foreach (var subscription in _subscriptions.Values)
            {
                subscription.Dispose();
            }
        }
    }

    private Subscription Watch(UpstreamTarget target) =>
        watches.Subscribe(target, sessionAffinity: "", ClientCapabilities.None, uri: null, static () => { });
}
