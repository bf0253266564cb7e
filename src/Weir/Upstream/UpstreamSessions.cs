using System.Collections.Concurrent;
using Weir.Mcp;

namespace Weir.Upstream;

/// <summary>
/// The open conversations of this replica, one per instance, endpoint, affinity and what clients offer. Affinity is empty where all
/// calls may share one; otherwise it is the caller's session, so that state in the server stays that caller's. What clients offer
/// is fixed when a conversation opens, so who offers less shares none with who offers more. They die with the replica.
/// </summary>
internal sealed class UpstreamSessions(UpstreamClient client, TimeProvider time)
{
    private static readonly TimeSpan IdleLimit = TimeSpan.FromMinutes(10);

    private readonly ConcurrentDictionary<Key, Lazy<Task<UpstreamSession>>> _open = new();

    /// <summary>How many are open.</summary>
    public int Count => _open.Count;

    /// <summary>The open conversation, or a new one; callers that come at once share one opening.</summary>
    /// <param name="isUse">False for who only listens: a conversation that nobody calls in ends all the same.</param>
    public async ValueTask<UpstreamSession> GetAsync(
        UpstreamTarget target, string affinity, ClientCapabilities offered, CancellationToken ct, bool isUse = true)
    {
        var key = new Key(target.InstanceId, target.Endpoint.OriginalString, affinity, offered.Json);
        var opening = _open.GetOrAdd(key, static (_, state) => new Lazy<Task<UpstreamSession>>(
            () => state.client.OpenAsync(state.target, state.offered, CancellationToken.None)), (client, target, offered));
        try
        {
            var session = opening.IsValueCreated && opening.Value.IsCompletedSuccessfully ? opening.Value.Result : await opening.Value.WaitAsync(ct);
            if (session.Sse is { IsClosed: true } && _open.TryRemove(new KeyValuePair<Key, Lazy<Task<UpstreamSession>>>(key, opening)))
            {
                return await GetAsync(target, affinity, offered, ct);
            }

            if (isUse || session.LastUsed == 0)
            {
                session.LastUsed = time.GetTimestamp();
            }

            return session;
        }
        catch (Exception) when (opening.Value.IsFaulted)
        {
            // Whatever went wrong: the next call tries anew.
            _open.TryRemove(new KeyValuePair<Key, Lazy<Task<UpstreamSession>>>(key, opening));
            throw;
        }
    }

    /// <summary>Forgets a conversation that the server no longer knows; the next call opens another one.</summary>
    public void Forget(UpstreamSession session, string affinity)
    {
        var key = new Key(session.Target.InstanceId, session.Target.Endpoint.OriginalString, affinity, session.Offered.Json);
        if (_open.TryGetValue(key, out var opening) && opening.Value.IsCompletedSuccessfully && ReferenceEquals(opening.Value.Result, session))
        {
            _open.TryRemove(new KeyValuePair<Key, Lazy<Task<UpstreamSession>>>(key, opening));
        }

        session.Release();
    }

    /// <summary>Ends all conversations of one caller's session.</summary>
    public Task EndAsync(string affinity, CancellationToken ct) =>
        EndWhereAsync((key, _) => string.Equals(key.Affinity, affinity, StringComparison.Ordinal), ct);

    /// <summary>Ends what nobody has used for ten minutes.</summary>
    public Task SweepAsync(CancellationToken ct) => EndWhereAsync((_, session) => time.GetElapsedTime(session.LastUsed) > IdleLimit, ct);

    private async Task EndWhereAsync(Func<Key, UpstreamSession, bool> ends, CancellationToken ct)
    {
        foreach (var (key, opening) in _open)
        {
            if (opening.IsValueCreated && opening.Value.IsCompletedSuccessfully && ends(key, opening.Value.Result) && _open.TryRemove(key, out _))
            {
                await client.CloseAsync(opening.Value.Result, ct);
            }
        }
    }

    private readonly record struct Key(Guid InstanceId, string Endpoint, string Affinity, string Offered);
}
