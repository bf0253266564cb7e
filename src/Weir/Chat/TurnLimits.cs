using Weir.Configuration;
using Weir.Errors;

namespace Weir.Chat;

/// <summary>
/// How many turns a person, an agent and an organization have open at this replica, and how many they begin in a minute. A bound on what
/// one takes from the others, and no permission: each replica counts its own (docs/decisions/0007).
/// </summary>
internal sealed class TurnLimits(ChatConfig config, TimeProvider time)
{
    private const int SweepFrom = 1024;

    private readonly ChatConfig _config = config;
    private readonly Lock _lock = new();
    private readonly Dictionary<(string Whose, Guid Id), Count> _counts = [];
    private int _sweepAt = SweepFrom;

    internal sealed record Limit(string Whose, int Open, int PerMinute);

    private sealed class Count
    {
        public int Open { get; set; }

        /// <summary>Turns that may begin now; grows with time up to a minute's.</summary>
        public double Room { get; set; }

        public long At { get; set; }
    }

    /// <summary>A person's turn, before anything else is known of it.</summary>
    /// <exception cref="WeirException">WR008.</exception>
    public Turn Enter(Guid userId)
    {
        var turn = new Turn(this);
        turn.Take(new Limit("person", _config.MaxConcurrentPerPerson, _config.PerMinutePerPerson), userId);
        return turn;
    }

    private void Take(Limit limit, Guid id)
    {
        lock (_lock)
        {
            var count = Find(limit, id);
            if (limit.Open > 0 && count.Open >= limit.Open)
            {
                throw TooMany($"The {limit.Whose} has {limit.Open} turns open here, which is as many as it may.", TimeSpan.FromSeconds(1));
            }

            if (limit.PerMinute > 0)
            {
                Refill(count, limit);
                if (count.Room < 1)
                {
                    throw TooMany($"The {limit.Whose} may begin {limit.PerMinute} turns a minute here.", TimeSpan.FromMinutes((1 - count.Room) / limit.PerMinute));
                }

                count.Room--;
            }

            count.Open++;
        }
    }

    private Count Find(Limit limit, Guid id)
    {
        if (_counts.Count >= _sweepAt)
        {
            // Whoever has nothing open and has begun nothing for a minute is as one who was never here.
            foreach (var (key, _) in _counts.Where(c => c.Value.Open == 0 && time.GetElapsedTime(c.Value.At) > TimeSpan.FromMinutes(1)).ToArray())
            {
                _counts.Remove(key);
            }

            _sweepAt = Math.Max(SweepFrom, _counts.Count * 2);
        }

        if (!_counts.TryGetValue((limit.Whose, id), out var count))
        {
            _counts.Add((limit.Whose, id), count = new Count { Room = limit.PerMinute, At = time.GetTimestamp() });
        }

        return count;
    }

    private void Refill(Count count, Limit limit)
    {
        count.Room = Math.Min(limit.PerMinute, count.Room + (time.GetElapsedTime(count.At).TotalMinutes * limit.PerMinute));
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

    /// <summary>One open turn; disposing of it closes it.</summary>
    internal sealed class Turn(TurnLimits all) : IDisposable
    {
        private readonly List<(string Whose, Guid Id)> _taken = [];

        /// <summary>Its agent and organization, when the database has said that they are the person's.</summary>
        /// <exception cref="WeirException">WR008.</exception>
        public void Enter(Guid organizationId, Guid? agentId)
        {
            if (agentId is { } agent)
            {
                Take(new Limit("agent", all._config.MaxConcurrentPerAgent, all._config.PerMinutePerAgent), agent);
            }

            Take(new Limit("organization", all._config.MaxConcurrentPerOrganization, all._config.PerMinutePerOrganization), organizationId);
        }

        public void Dispose()
        {
            foreach (var (whose, id) in _taken)
            {
                all.Leave(whose, id);
            }

            _taken.Clear();
        }

        internal void Take(Limit limit, Guid id)
        {
            all.Take(limit, id);
            _taken.Add((limit.Whose, id));
        }
    }
}
