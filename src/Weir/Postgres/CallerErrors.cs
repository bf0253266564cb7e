using Weir.Errors;

namespace Weir.Postgres;

/// <summary>
/// Bounds the statements of one caller that fail in PostgreSQL, each of which is several lines in its log: above the limit, the caller's
/// statements are refused until the minute is over. Each replica counts its own.
/// </summary>
/// <param name="perMinute">Failures of one caller in a minute; 0: no limit.</param>
internal sealed class CallerErrors(int perMinute, TimeProvider time)
{
    private const int MaxKept = 50_000;
    private static readonly TimeSpan Window = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, (long Since, int Count)> _counts = new(StringComparer.Ordinal);

    /// <param name="caller">Text that tells verified callers apart; null: nobody is known, and nothing is bounded here.</param>
    /// <exception cref="WeirException">WR008: the caller's statements failed too often.</exception>
    public async Task<T> RunAsync<T>(string? caller, Func<Task<T>> work)
    {
        if (caller is null || perMinute == 0)
        {
            return await work();
        }

        RefuseOver(caller);
        try
        {
            return await work();
        }
        catch (Exception e) when (e is OperationCanceledException || (e is WeirException w && DatabaseErrors.SqlstateOf(w) is not null))
        {
            Count(caller);
            throw;
        }
    }

    private void RefuseOver(string caller)
    {
        lock (_lock)
        {
            if (_counts.TryGetValue(caller, out var kept) && kept.Count >= perMinute
                && Window - time.GetElapsedTime(kept.Since) is { Ticks: > 0 } left)
            {
                throw new WeirException(ErrorCode.RateLimited,
                    $"{perMinute} of your requests failed within a minute, the most that limits.errorsPerMinute allows.",
                    "Look at why they fail, and retry later.") { RetryAfter = left };
            }
        }
    }

    private void Count(string caller)
    {
        lock (_lock)
        {
            if (_counts.Count >= MaxKept)
            {
                foreach (var (other, kept) in _counts)
                {
                    if (time.GetElapsedTime(kept.Since) >= Window)
                    {
                        _counts.Remove(other);
                    }
                }
            }

            if (_counts.Count >= MaxKept && !_counts.ContainsKey(caller))
            {
                // So many callers fail within a minute that one more is not counted.
                return;
            }

            var now = time.GetTimestamp();
            var current = _counts.TryGetValue(caller, out var known) && time.GetElapsedTime(known.Since, now) < Window ? known : (now, 0);
            _counts[caller] = (current.Item1, current.Item2 + 1);
        }
    }
}
