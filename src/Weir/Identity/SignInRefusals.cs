using System.Net;
using Weir.Limits;

namespace Weir.Identity;

/// <summary>
/// Refusals of the database's sign-in limits, kept until their window ends: who is over a limit costs no statement. The database stays the
/// one that counts, for all replicas; nothing is refused here that it did not refuse first.
/// </summary>
internal sealed class SignInRefusals(TimeProvider time)
{
    /// <summary>Above this nothing more is kept until some have ended, and the database is asked as before.</summary>
    public const int MaxKept = 20_000;

    private readonly Lock _lock = new();
    private readonly Dictionary<(IPAddress Network, string Email), DateTimeOffset> _until = [];

    /// <summary>How long an attempt from there is refused; null: it may be tried.</summary>
    public TimeSpan? Find(IPAddress address, string email)
    {
        var network = NetworkAddress.Of(address);
        var now = time.GetUtcNow();
        lock (_lock)
        {
            return Left((network, ""), now) ?? (email.Length == 0 ? null : Left((network, Normalized(email)), now));
        }
    }

    /// <param name="email">Empty: whatever address is tried from there.</param>
    public void Keep(IPAddress address, string email, TimeSpan wait)
    {
        var now = time.GetUtcNow();
        lock (_lock)
        {
            if (_until.Count >= MaxKept)
            {
                RemoveEnded(now);
            }

            if (_until.Count < MaxKept)
            {
                _until[(NetworkAddress.Of(address), Normalized(email))] = now + wait;
            }
        }
    }

    private TimeSpan? Left((IPAddress, string) place, DateTimeOffset now)
    {
        if (!_until.TryGetValue(place, out var until))
        {
            return null;
        }

        if (until > now)
        {
            return until - now;
        }

        _until.Remove(place);
        return null;
    }

    private void RemoveEnded(DateTimeOffset now)
    {
        foreach (var (place, until) in _until)
        {
            if (until <= now)
            {
                _until.Remove(place);
            }
        }
    }

    /// <summary>As the database compares addresses.</summary>
    private static string Normalized(string email) => email.ToLowerInvariant();
}
