using System.Collections.Concurrent;
using Weir.Gateway.Watching;

namespace Weir.Gateway.Http;

/// <summary>
/// What this replica knows of one legacy session beside what its id says: lost with the replica, and the client notices nothing
/// worse than a new session.
/// </summary>
internal sealed class SessionState
{
    /// <summary>What <c>logging/setLevel</c> asked for; null: nothing yet.</summary>
    public string? LogLevel { get; set; }

    /// <summary>The calls in flight by <see cref="Weir.Mcp.RpcIds.KeyOf"/> of their ids, so that a cancellation finds its call.</summary>
    public ConcurrentDictionary<string, CancellationTokenSource> Calls { get; } = new(StringComparer.Ordinal);

    /// <summary>The resources that the client wants to hear of, by the URI that it knows.</summary>
    public ConcurrentDictionary<string, Subscription> Subscriptions { get; } = new(StringComparer.Ordinal);

    public DateTimeOffset ExpiresAt { get; init; }

    /// <summary>Who opened the session.</summary>
    public string Principal { get; init; } = "";

    /// <summary>A resource that was subscribed to has changed: its URI. The session's open stream hears of it.</summary>
    public event Action<string>? Updated;

    public void Emit(string uri) => Updated?.Invoke(uri);

    /// <summary>Ends what it subscribed to and what it has in flight.</summary>
    public void End()
    {
        foreach (var uri in Subscriptions.Keys)
        {
            Unsubscribe(uri);
        }

        foreach (var call in Calls.Values)
        {
            call.Cancel();
        }
    }

    public void Unsubscribe(string uri)
    {
        if (Subscriptions.TryRemove(uri, out var subscription))
        {
            subscription.Dispose();
        }
    }
}

/// <summary>The states of this replica's legacy sessions, made when first needed.</summary>
internal sealed class SessionStates(TimeProvider time)
{
    /// <summary>At every so many new or ended ones, those that have expired, and those beyond the bounds below, are dropped.</summary>
    private const int SweepEvery = 1000;

    /// <summary>Of more sessions than this of one principal the newest are kept; the others lose what they subscribed to.</summary>
    private const int MaxPerPrincipal = 1000;

    /// <summary>Of more ended sessions than this of one principal the newest are remembered.</summary>
    private const int MaxEndedPerPrincipal = 10_000;

    private readonly ConcurrentDictionary<string, SessionState> _states = new(StringComparer.Ordinal);

    /// <summary>Sessions that were ended before their time, until then.</summary>
    private readonly ConcurrentDictionary<string, Session> _ended = new(StringComparer.Ordinal);
    private int _made;

    /// <summary>How many sessions have a state, of everybody.</summary>
    public int Count => _states.Count;

    /// <summary>How many ended sessions are remembered, of everybody.</summary>
    public int EndedCount => _ended.Count;

    public SessionState? Find(Session session) => _states.GetValueOrDefault(session.Id);

    public SessionState Of(Session session)
    {
        if (_states.TryGetValue(session.Id, out var known))
        {
            return known;
        }

        CountOne();
        return _states.GetOrAdd(
            session.Id, static (_, s) => new SessionState { ExpiresAt = s.ExpiresAt, Principal = s.Principal }, session);
    }

    public bool IsEnded(Session session) => !_ended.IsEmpty && _ended.ContainsKey(session.Id);

    public void End(Session session)
    {
        _ended[session.Id] = session;
        CountOne();
        if (_states.TryRemove(session.Id, out var state))
        {
            state.End();
        }
    }

    private void CountOne()
    {
        if (Interlocked.Increment(ref _made) % SweepEvery == 0)
        {
            Sweep();
        }
    }

    private void Sweep()
    {
        var forgotten = _ended.Values.GroupBy(s => s.Principal, StringComparer.Ordinal)
            .SelectMany(g => g.OrderByDescending(s => s.ExpiresAt).Skip(MaxEndedPerPrincipal));
        foreach (var session in _ended.Values.Where(s => s.ExpiresAt <= time.GetUtcNow()).Concat(forgotten).ToArray())
        {
            _ended.TryRemove(session.Id, out _);
        }

        var tooMany = _states.GroupBy(s => s.Value.Principal, StringComparer.Ordinal)
            .SelectMany(g => g.OrderByDescending(s => s.Value.ExpiresAt).Skip(MaxPerPrincipal).Where(s => s.Value.Calls.IsEmpty));
        foreach (var (id, state) in _states.Where(s => s.Value.ExpiresAt <= time.GetUtcNow()).Concat(tooMany).ToArray())
        {
            if (_states.TryRemove(id, out _))
            {
                state.End();
            }
        }
    }
}
