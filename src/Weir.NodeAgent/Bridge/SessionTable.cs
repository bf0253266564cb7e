using System.Collections.Concurrent;
using System.Security.Cryptography;

namespace Weir.NodeAgent.Bridge;

/// <summary>The sessions of one instance, bounded in number and in idle time.</summary>
internal sealed class SessionTable : IDisposable
{
    private static readonly TimeSpan SweepEvery = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Soonest = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<string, Session> _sessions = new(StringComparer.Ordinal);
    private readonly TimeSpan _idle;
    private readonly ITimer _sweep;

    public SessionTable(TimeSpan idle, TimeProvider time, Action<Session> close)
    {
        _idle = idle;
        _sweep = time.CreateTimer(_ => Sweep(close), null, SweepEvery, SweepEvery);
    }

    public int Count => _sessions.Count;

    public ICollection<Session> All => _sessions.Values;

    /// <summary>128 random bits: nobody guesses one, though a node's callers are trusted by their key, not by this.</summary>
    public static string NewId() => RandomNumberGenerator.GetHexString(32, lowercase: true);

    public void Add(Session session) => _sessions[session.Id] = session;

    public Session? Find(string id) => _sessions.GetValueOrDefault(id);

    public bool Remove(Session session) => _sessions.TryRemove(new(session.Id, session));

    /// <summary>The session that has been idle for longest, if for at least <paramref name="spare"/>.</summary>
    public Session? LongestIdle(TimeSpan spare) => _sessions.Values.Where(s => s.Idle >= spare).MaxBy(s => s.Idle);

    /// <summary>
    /// How long it will take until a session has been idle for <paramref name="spare"/>, if nobody uses one before: at least a second.
    /// </summary>
    public TimeSpan UntilSpare(TimeSpan spare)
    {
        var longest = _sessions.Values.Select(s => s.Idle).DefaultIfEmpty().Max();
        return spare - longest > Soonest ? spare - longest : Soonest;
    }

    public void Dispose() => _sweep.Dispose();

    private void Sweep(Action<Session> close)
    {
        foreach (var session in _sessions.Values.Where(s => s.Idle > _idle))
        {
            close(session);
        }
    }
}
