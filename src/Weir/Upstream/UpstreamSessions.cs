using System.Collections.Concurrent;
using Weir.Mcp;

namespace Weir.Upstream;

/// <summary>
/// The open conversations of this replica, one per instance, endpoint, affinity and what clients offer. Affinity is empty where all
/// calls may share one; otherwise it is the caller's session, so that state in the server stays that caller's. What clients offer
/// is fixed when a conversation opens, so who offers less shares none with who offers more. They die with the replica, and when their
/// instance is restarted or updated. One that its server has lost is replaced, at most once in five seconds.
/// </summary>
internal sealed class UpstreamSessions(UpstreamClient client, TimeProvider time)
{
    private const int ClosingAtOnce = 64;

    private static readonly TimeSpan IdleLimit = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan ReplacementPause = TimeSpan.FromSeconds(5);

    /// <summary>A client whose stream broke is back within this time, if it is still there.</summary>
    private static readonly TimeSpan LettingGo = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private readonly ConcurrentDictionary<Key, Opening> _open = new();
    private readonly ConcurrentDictionary<Key, Replacement> _replacements = new();
    private readonly ConcurrentDictionary<Guid, long> _resets = new();
    private readonly Dictionary<string, int> _holders = new(StringComparer.Ordinal);

    /// <summary>How many are open.</summary>
    public int Count => _open.Count;

    /// <summary>The instances that have any.</summary>
    public IEnumerable<Guid> Instances => _open.Keys.Select(k => k.InstanceId).Distinct();

    /// <summary>The open conversation, or a new one; callers that come at once share one opening.</summary>
    /// <param name="isUse">False for who only listens: a conversation that nobody calls in ends all the same.</param>
    /// <exception cref="UpstreamException">It cannot be opened, or was replaced a moment ago.</exception>
    public async ValueTask<UpstreamSession> GetAsync(
        UpstreamTarget target, string sessionAffinity, ClientCapabilities offered, CancellationToken ct, bool isUse = true)
    {
        Reset(target.InstanceId, target.Resets);
        var key = new Key(target.InstanceId, target.Endpoint.OriginalString, sessionAffinity, offered.Json);
        while (true)
        {
            var opening = OpeningOf(key, target, offered);
            UpstreamSession session;
            try
            {
                session = opening.Session is { IsCompletedSuccessfully: true } ready ? ready.Result : await opening.Session.WaitAsync(ct);
            }
            catch (Exception e) when (opening.Session.IsFaulted)
            {
                // Whatever went wrong: the next call tries anew, if the server did not answer at all.
                _open.TryRemove(new KeyValuePair<Key, Opening>(key, opening));
                NoteFailure(key, e);
                throw;
            }

            if (!session.IsRetired && (!isUse || IsKept(key, opening, session)))
            {
                if (isUse || session.LastUsed == 0)
                {
                    session.LastUsed = time.GetTimestamp();
                }

                return session;
            }

            if (session.IsRetired && !TryReplace(key, opening))
            {
                throw TooSoon(key);
            }
        }
    }

    /// <summary>Its client is back, and nobody takes its place from now on; false where somebody just has.</summary>
    private bool IsKept(Key key, Opening opening, UpstreamSession session)
    {
        if (session.LetGoAt == 0)
        {
            return true;
        }

        lock (_lock)
        {
            if (!_open.TryGetValue(key, out var current) || !ReferenceEquals(current, opening))
            {
                return false;
            }

            session.LetGoAt = 0;
            return true;
        }
    }

    /// <summary>
    /// Gives up a conversation that the server no longer knows: calls in flight on it end, the next one opens another. False where that was
    /// done for its callers less than five seconds ago; then it stays as it is.
    /// </summary>
    public bool GiveUp(UpstreamSession session, string sessionAffinity)
    {
        var key = new Key(session.Target.InstanceId, session.Target.Endpoint.OriginalString, sessionAffinity, session.Offered.Json);
        if (_open.TryGetValue(key, out var opening) && opening.Session.IsCompletedSuccessfully
            && ReferenceEquals(opening.Session.Result, session)
            && !TryReplace(key, opening))
        {
            return false;
        }

        session.Retire();
        return true;
    }

    /// <summary>
    /// The instance was restarted or updated: what was opened before is dropped, and ends with the last call that runs on it.
    /// </summary>
    /// <param name="resets">How often that has happened.</param>
    /// <returns>Whether that was not known yet.</returns>
    public bool Reset(Guid instanceId, long resets)
    {
        if (resets <= _resets.GetOrAdd(instanceId, resets))
        {
            return false;
        }

        lock (_lock)
        {
            if (resets <= _resets[instanceId])
            {
                return false;
            }

            foreach (var (key, opening) in _open.Where(o => o.Key.InstanceId == instanceId && o.Value.Resets < resets))
            {
                if (_open.TryRemove(new KeyValuePair<Key, Opening>(key, opening)))
                {
                    _ = CloseWhenUnusedAsync(opening);
                }
            }

            foreach (var key in _replacements.Keys.Where(k => k.InstanceId == instanceId))
            {
                _replacements.TryRemove(key, out _);
            }

            // Known only now: whoever comes meanwhile waits for the lock, and finds nothing of before.
            _resets[instanceId] = resets;
            return true;
        }
    }

    /// <summary>
    /// Marks the client of these conversations as present until the result is disposed of. After that a conversation of the client gives up
    /// its place at a full node, and only there: the client may come back.
    /// </summary>
    public IDisposable Hold(string sessionAffinity)
    {
        lock (_lock)
        {
            _holders[sessionAffinity] = _holders.GetValueOrDefault(sessionAffinity) + 1;
            MarkLetGo(sessionAffinity, 0);
        }

        return new Holding(this, sessionAffinity);
    }

    /// <summary>Ends all conversations of one caller's session.</summary>
    public Task EndAsync(string sessionAffinity, CancellationToken ct) =>
        EndWhereAsync((key, _) => string.Equals(key.SessionAffinity, sessionAffinity, StringComparison.Ordinal), ct);

    /// <summary>Ends what nobody has used for ten minutes, but nothing that a call still runs on.</summary>
    public async Task SweepAsync(CancellationToken ct)
    {
        foreach (var (key, replacement) in _replacements)
        {
            if (time.GetElapsedTime(replacement.At) > ReplacementPause)
            {
                _replacements.TryRemove(new KeyValuePair<Key, Replacement>(key, replacement));
            }
        }

        await EndWhereAsync((_, session) => !session.IsInUse && time.GetElapsedTime(session.LastUsed) > IdleLimit, ct);
    }

    /// <summary>
    /// The replica stops: a server, or its node, that kept these until they are idle would have no room for the next replica's.
    /// </summary>
    public Task EndAllAsync(CancellationToken ct) => EndWhereAsync((_, _) => true, ct);

    private Opening OpeningOf(Key key, UpstreamTarget target, ClientCapabilities offered)
    {
        if (_open.TryGetValue(key, out var open))
        {
            return open;
        }

        lock (_lock)
        {
            if (_open.TryGetValue(key, out open))
            {
                return open;
            }

            if (_replacements.TryGetValue(key, out var replacement) && time.GetElapsedTime(replacement.At) < ReplacementPause)
            {
                if (replacement.IsUsed)
                {
                    throw TooSoon(key);
                }

                replacement.IsUsed = true;
            }

            return _open[key] = new Opening(target.Resets, new Lazy<Task<UpstreamSession>>(() => OpenAsync(target, offered)));
        }
    }

    /// <summary>Opens one, at a full node in the place of one whose client is gone.</summary>
    private async Task<UpstreamSession> OpenAsync(UpstreamTarget target, ClientCapabilities offered)
    {
        try
        {
            return await client.OpenAsync(target, offered, CancellationToken.None);
        }
        catch (UpstreamException e) when (e.Failure == UpstreamFailure.Full && TakeLetGo(target.InstanceId) is { } left)
        {
            await client.CloseAsync(left, CancellationToken.None);
            return await client.OpenAsync(target, offered, CancellationToken.None);
        }
    }

    /// <summary>The one that was let go first, which is nobody's from now on.</summary>
    private UpstreamSession? TakeLetGo(Guid instanceId)
    {
        lock (_lock)
        {
            var left = _open
                .Where(
                o => o.Key.InstanceId == instanceId && o.Value.IsOpen && o.Value.Session.Result is { IsInUse: false, LetGoAt: > 0 } session
                    && time.GetElapsedTime(session.LetGoAt) >= LettingGo)
                .OrderBy(o => o.Value.Session.Result.LetGoAt)
                .FirstOrDefault();
            return left.Value is not null && _open.TryRemove(left) ? left.Value.Session.Result : null;
        }
    }

    private void MarkLetGo(string sessionAffinity, long at)
    {
        foreach (var (_, opening) in _open.Where(
            o => o.Value.IsOpen && string.Equals(o.Key.SessionAffinity, sessionAffinity, StringComparison.Ordinal)))
        {
            opening.Session.Result.LetGoAt = at;
        }
    }

    private void LetGo(string sessionAffinity)
    {
        lock (_lock)
        {
            if (--_holders[sessionAffinity] == 0)
            {
                _holders.Remove(sessionAffinity);
                MarkLetGo(sessionAffinity, time.GetTimestamp());
            }
        }
    }

    /// <summary>
    /// Takes the right to open one conversation in another's place; false where somebody had it less than five seconds ago.
    /// </summary>
    private bool TryReplace(Key key, Opening opening)
    {
        lock (_lock)
        {
            if (!_open.TryGetValue(key, out var current) || !ReferenceEquals(current, opening))
            {
                return true; // It was replaced already.
            }

            if (_replacements.TryGetValue(key, out var last) && time.GetElapsedTime(last.At) < ReplacementPause)
            {
                return false;
            }

            _replacements[key] = new Replacement(time.GetTimestamp());
            _open.TryRemove(key, out _);
            return true;
        }
    }

    /// <summary>A server that was not reached got no new session, so the next call may open one.</summary>
    private void NoteFailure(Key key, Exception e)
    {
        lock (_lock)
        {
            if (_replacements.TryGetValue(key, out var replacement))
            {
                replacement.Failure = e as UpstreamException;
                replacement.IsUsed = e is not UpstreamException { Failure: UpstreamFailure.Unreachable };
            }
        }
    }

    private UpstreamException TooSoon(Key key)
    {
        var replacement = _replacements.GetValueOrDefault(key);
        return new UpstreamException(
            UpstreamFailure.SessionLost,
            $"Weir opens at most one new session in {ReplacementPause.TotalSeconds:0} s. {replacement?.Failure?.Message
                ?? "The server lost the last one."}")
        {
            Cause = replacement?.Failure?.Cause ?? FailureCause.SessionLost,
            IsNotCarriedOut = true,
            RetryAfter = replacement is null ? null : ReplacementPause - time.GetElapsedTime(replacement.At),
        };
    }

    private async Task EndWhereAsync(Func<Key, UpstreamSession, bool> ends, CancellationToken ct)
    {
        var ending = _open.Where(o => o.Value.IsOpen && ends(o.Key, o.Value.Session.Result)).ToArray();
        // At once, because a server that does not answer a goodbye must hold up no other. What is not reached stays for the next sweep.
        await Parallel.ForEachAsync(
            ending, new ParallelOptions { MaxDegreeOfParallelism = ClosingAtOnce, CancellationToken = ct }, async (opening, stop) =>
        {
            if (_open.TryRemove(opening))
            {
                await client.CloseAsync(opening.Value.Session.Result, stop);
            }
        });
    }

    private async Task CloseWhenUnusedAsync(Opening opening)
    {
        await ((Task)opening.Session).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (opening.IsOpen)
        {
            var session = opening.Session.Result;
            session.WhenUnused(() => _ = client.CloseAsync(session, CancellationToken.None));
        }
    }

    private sealed class Holding(UpstreamSessions sessions, string sessionAffinity) : IDisposable
    {
        private int _ended;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _ended, 1) == 0)
            {
                sessions.LetGo(sessionAffinity);
            }
        }
    }

    private readonly record struct Key(Guid InstanceId, string Endpoint, string SessionAffinity, string Offered);

    /// <summary>A conversation that is open, or is being opened.</summary>
    /// <param name="Resets">Those of its target.</param>
    private sealed record Opening(long Resets, Lazy<Task<UpstreamSession>> Lazy)
    {
        public Task<UpstreamSession> Session => Lazy.Value;

        public bool IsOpen => Lazy.IsValueCreated && Lazy.Value.IsCompletedSuccessfully;
    }

    /// <summary>A session that was given up, and whether another was opened in its place.</summary>
    /// <param name="at">When, as a timestamp.</param>
    private sealed class Replacement(long at)
    {
        public long At { get; } = at;

        public bool IsUsed { get; set; }

        /// <summary>Why opening the new one failed.</summary>
        public UpstreamException? Failure { get; set; }
    }
}
