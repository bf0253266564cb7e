using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Weir.Mcp;
using Weir.Upstream;

namespace Weir.Gateway.Watching;

/// <summary>Hears one resource of one server until it is disposed.</summary>
internal sealed class Subscription(Guid instanceId, string? uri, Action updated, Action<Subscription> leave) : IDisposable
{
    private readonly TaskCompletionSource _established = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _left;

    /// <summary>Completes when the server was told of it, or could not be.</summary>
    public Task Established => _established.Task;

    public Guid InstanceId => instanceId;

    /// <summary>The server's own URI; null only keeps the server's lists in sight.</summary>
    public string? Uri => uri;

    public void Updated() => updated();

    public void Establish() => _established.TrySetResult();

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _left, 1) == 0)
        {
            leave(this);
        }
    }
}

/// <summary>
/// Listens to servers for as long as somebody here wants to hear of them: one stream per server, whoever many listen. What is heard of
/// a list only makes the catalog look; who may know of it is decided there.
/// </summary>
internal sealed class InstanceWatches(
    UpstreamClient upstream, UpstreamSessions sessions, Func<Guid, Task> listChanged, TimeProvider time, ILogger<InstanceWatches> logger)
{
    /// <summary>How long who subscribes waits for a server that does not listen.</summary>
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(2);

    private readonly ConcurrentDictionary<(Guid Instance, string Affinity, string Offered), InstanceWatch> _watches = new();

    /// <summary>How many servers are listened to.</summary>
    public int Count => _watches.Count;

    public bool IsWatched(Guid instance) => _watches.Keys.Any(k => k.Instance == instance);

    /// <summary>The servers that are listened to.</summary>
    public IEnumerable<Guid> Instances => _watches.Keys.Select(k => k.Instance).Distinct();

    /// <summary>The instance was restarted or updated: whoever listens to it listens anew, where it is now.</summary>
    public void Reset(UpstreamTarget target)
    {
        foreach (var watch in _watches.Where(w => w.Key.Instance == target.InstanceId).Select(w => w.Value))
        {
            watch.Reset(target);
        }
    }

    /// <param name="sessionAffinity">The caller's own session where the instance shares none; else empty.</param>
    /// <param name="uri">Null listens for changed lists only.</param>
    public Subscription Subscribe(UpstreamTarget target, string sessionAffinity, ClientCapabilities offered, string? uri, Action updated)
    {
        while (true)
        {
            var key = (target.InstanceId, sessionAffinity, offered.Json);
            var watch = _watches.GetOrAdd(key, _ => new InstanceWatch(
                target, new WatchedSession(upstream, sessions, sessionAffinity, offered), upstream, listChanged, time, logger));
            watch.Reset(target);
            var subscription = new Subscription(target.InstanceId, uri, updated, left =>
            {
                if (watch.Remove(left))
                {
                    _watches.TryRemove(new KeyValuePair<(Guid, string, string), InstanceWatch>(key, watch));
                }
            });
            if (watch.TryAdd(subscription))
            {
                return subscription;
            }

            // It was just closing: the next one is new.
            _watches.TryRemove(new KeyValuePair<(Guid, string, string), InstanceWatch>(key, watch));
        }
    }

    /// <summary>Waits until the servers have heard of the subscriptions, so that no change after that is missed.</summary>
    public async Task EstablishedAsync(IReadOnlyCollection<Subscription> subscriptions, CancellationToken ct)
    {
        try
        {
            await Task.WhenAll(subscriptions.Select(s => s.Established)).WaitAsync(Timeout, time, ct);
        }
        catch (TimeoutException)
        {
            // A server that does not answer hears of it when it does. Nobody waits for it twice.
            foreach (var subscription in subscriptions)
            {
                subscription.Establish();
            }
        }
    }
}
