using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Weir.Errors;
using Weir.Postgres;
using Weir.Upstream;

namespace Weir.Gateway.Watching;

/// <summary>
/// Drops what this replica keeps of an instance when an admin has restarted or updated it: sessions, and with them what was found out about
/// the server, and the streams on which it is listened to. A call that comes before this looked does the same for its instance: admission
/// says how often the instance was reset.
/// </summary>
internal sealed class InstanceResets(
    WatchQueries queries, UpstreamSessions sessions, InstanceWatches watches, Func<Guid, string?> nodeKey, Action nodesMoved,
    TimeProvider time, ILogger<InstanceResets> logger) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(30);

    private readonly PollPause _pause = new(Interval, time);

    /// <summary>Something has changed: look now.</summary>
    public void Wake() => _pause.End();

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => _pause.RepeatAsync(LookAsync, stoppingToken);

    private async Task LookAsync(CancellationToken ct)
    {
        Guid[] kept = [.. sessions.Instances.Union(watches.Instances)];
        if (kept.Length == 0)
        {
            return;
        }

        try
        {
            foreach (var row in await queries.EndpointsAsync(kept, ct))
            {
                if (sessions.Reset(row.InstanceId, row.Resets))
                {
                    nodesMoved();
                }

                var key = row.NodeId is { } node ? nodeKey(node) : null;
                if (Uri.TryCreate(row.EndpointUrl, UriKind.Absolute, out var endpoint) && (row.NodeId is null || key is not null))
                {
                    watches.Reset(new UpstreamTarget(row.InstanceId, row.InstanceName, endpoint, key) { Resets = row.Resets });
                }
            }
        }
        catch (WeirException e)
        {
            // The database is away, and then no call is admitted either.
            logger.LogDebug(e, "Could not ask which servers were restarted.");
        }
    }
}
