using Weir.Errors;

namespace Weir.Limits;

/// <summary>How much somebody may have open at once, and begin in a minute; zero is no bound.</summary>
/// <param name="Whose">Who is counted, as they are told: "person".</param>
internal sealed record UsageLimit(string Whose, int AtOnce, int PerMinute);

/// <summary>
/// What is open at this replica, and how much of it began in the last minute, by who began it. A bound on what one takes from the others,
/// and no permission: each replica counts its own (docs/decisions/0007).
/// </summary>
/// <param name="what">What is counted, as those are told who have too much: "turns".</param>
internal sealed class UsageLimiter(string what, TimeProvider time)
{
    private const int SweepFrom = 1024;

    private readonly Lock _lock = new();
    private readonly Dictionary<(string Whose, Guid Id), Count> _counts = [];
    private int _sweepAt = SweepFrom;

    private sealed class Count
    {
        public int Open { get; set; }

        /// <summary>How many may begin now; grows with time up to a minute's.</summary>
        public double Room { get; set; }

        public long At { get; set; }
    }

    /// <summary>Something that begins; nobody is counted yet.</summary>
    public Permit Begin() => new(this);

    private void Acquire(UsageLimit bound, Guid id)
    {
        lock (_lock)
        {
            var count = Find(bound, id);
            if (bound.AtOnce > 0 && count.Open >= bound.AtOnce)
            {
                throw TooMany(
                    $"The {bound.Whose} has {bound.AtOnce} {what} open here, which is as many as it may.", TimeSpan.FromSeconds(1));
            }

            if (bound.PerMinute > 0)
            {
                Refill(count, bound);
                if (count.Room < 1)
                {
                    throw TooMany($"The {bound.Whose} may begin {bound.PerMinute} {what} a minute here.",
                        TimeSpan.FromMinutes((1 - count.Room) / bound.PerMinute));
                }

                count.Room--;
            }

            count.Open++;
        }
    }

    private Count Find(UsageLimit bound, Guid id)
    {
        if (_counts.Count >= _sweepAt)
        {
            // Whoever has nothing open and has begun nothing for a minute is as one who was never here.
            foreach (var (key, _) in _counts.Where(c => c.Value.Open == 0 && time.GetElapsedTime(c.Value.At) > TimeSpan.FromMinutes(1))
                .ToArray())
            {
                _counts.Remove(key);
            }

            _sweepAt = Math.Max(SweepFrom, _counts.Count * 2);
        }

        if (!_counts.TryGetValue((bound.Whose, id), out var count))
        {
            _counts.Add((bound.Whose, id), count = new Count { Room = bound.PerMinute, At = time.GetTimestamp() });
        }

        return count;
    }

    private void Refill(Count count, UsageLimit bound)
    {
        count.Room = Math.Min(bound.PerMinute, count.Room + (time.GetElapsedTime(count.At).TotalMinutes * bound.PerMinute));
        count.At = time.GetTimestamp();
    }

    private void Leave(string whose, Guid id)
    {
        lock (_lock)
        {
            _counts[(whose, id)].Open--;
        }
    }

    private static WeirException TooMany(string message, TimeSpan wait) =>
        new(ErrorCode.RateLimited, message, $"Retry in {Math.Max(1, Math.Ceiling(wait.TotalSeconds)):0} s.") { RetryAfter = wait };

    /// <summary>What is open; disposing of it closes it.</summary>
    internal sealed class Permit(UsageLimiter all) : IDisposable
    {
        private readonly List<(string Whose, Guid Id)> _held = [];

        /// <exception cref="WeirException">WR008.</exception>
        public Permit Acquire(UsageLimit bound, Guid id)
        {
            all.Acquire(bound, id);
            _held.Add((bound.Whose, id));
            return this;
        }

        public void Dispose()
        {
            foreach (var (whose, id) in _held)
            {
                all.Leave(whose, id);
            }

            _held.Clear();
        }
    }
}
