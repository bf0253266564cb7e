using System.Net;
using Weir.Errors;
using Weir.Limits;

namespace Weir.Identity;

/// <summary>
/// Bounds the work that is done for callers who are not known yet: sign-ins, registrations of nodes, keys that this replica has not
/// seen good. Such work uses connections of its own (<c>Databases.Unverified</c>); here each network address gets few of them at once.
/// </summary>
internal sealed class UnverifiedCallers(TimeProvider time)
{
    /// <summary>Requests of one network address that are worked on at once, of each kind; must stay well below the pool's size.</summary>
    public const int PerAddress = 2;

    /// <summary>Sign-ins of one network address that wait for those; further ones are refused.</summary>
    public const int WaitingSignIns = 32;

    /// <summary>Keys of one network address that wait: a check is quick, and all agents of a company may have one address.</summary>
    public const int WaitingKeys = 1024;

    /// <summary>Requests of one site (a /24 of IPv4, a /48 of IPv6), worked on or waiting; further ones are refused.</summary>
    public const int PerSite = 1280;

    /// <summary>Requests of all addresses together, worked on or waiting; further ones are refused.</summary>
    public const int Total = 4096;

    private static readonly TimeSpan MaxWait = TimeSpan.FromSeconds(5);

    private readonly PerCallerQueue _signIns = new(PerAddress, WaitingSignIns, MaxWait, time);
    private readonly PerCallerQueue _keys = new(PerAddress, WaitingKeys, MaxWait, time);
    private readonly AddressLimiter _permits = new(PerSite, PerSite, Total);

    /// <summary>To sign in, sign up or refresh.</summary>
    /// <returns>The permit; disposing of it releases it.</returns>
    /// <exception cref="WeirException">WR008: the address has too many in flight. WR009: all addresses together have.</exception>
    public ValueTask<IDisposable> EnterSignInAsync(IPAddress address, CancellationToken ct) =>
        EnterAsync(_signIns, WaitingSignIns, address, ct);

    /// <summary>With a key or token of an agent or node.</summary>
    /// <returns>The permit; disposing of it releases it.</returns>
    /// <exception cref="WeirException">WR008: the address has too many in flight. WR009: all addresses together have.</exception>
    public ValueTask<IDisposable> EnterKeyAsync(IPAddress address, CancellationToken ct) => EnterAsync(_keys, WaitingKeys, address, ct);

    private async ValueTask<IDisposable> EnterAsync(PerCallerQueue queue, int waiting, IPAddress address, CancellationToken ct)
    {
        var permit = _permits.TryEnter(address, out var full) ?? throw (full == AddressLimiter.Exceeded.All
            ? new WeirException(ErrorCode.Unavailable,
                $"{Total} requests of callers who are not signed in are open, the most that Weir takes at once.", "Try again in a moment.")
            : new WeirException(ErrorCode.RateLimited,
                $"{PerSite} requests of callers who are not signed in are open from addresses like this one, the most that Weir "
                    + "takes at once.",
                "Try again in a moment."));

        IDisposable? queuePermit = null;
        try
        {
            queuePermit = await queue.EnterAsync(NetworkAddress.Of(address).ToString(), ct);
        }
        finally
        {
            if (queuePermit is null)
            {
                permit.Dispose();
            }
        }

        return queuePermit is null
            ? throw new WeirException(ErrorCode.RateLimited,
                $"Weir checks {PerAddress} requests of one network address at once, and lets {waiting} wait, each for "
                    + $"{MaxWait.TotalSeconds:0} s. This request is one too many, or has waited that long.",
                "Retry when some of them have ended.")
            : new Permit(permit, queuePermit);
    }

    private sealed class Permit(IDisposable permit, IDisposable queuePermit) : IDisposable
    {
        private IDisposable? _queuePermit = queuePermit;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _queuePermit, null) is { } held)
            {
                held.Dispose();
                permit.Dispose();
            }
        }
    }
}
