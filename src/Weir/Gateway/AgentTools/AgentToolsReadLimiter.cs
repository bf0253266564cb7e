using System.Collections.Concurrent;
using System.Threading.RateLimiting;
using Weir.Errors;
using Weir.Identity;

namespace Weir.Gateway.AgentTools;

/// <summary>
/// Who reads catalogs at once, whole ones or by words: globs are matched with all that servers announce, on a pool for everybody. An
/// organization has few permits, whichever of its keys and people ask, and all together have fewer than the pool has connections.
/// </summary>
/// <param name="organizationOf">Asks whose principal it is; null: of nobody's.</param>
/// <param name="poolSize">Connections that the reads share with what else the engine does.</param>
internal sealed class AgentToolsReadLimiter(Func<Principal, CancellationToken, Task<Guid?>> organizationOf, int poolSize) : IDisposable
{
    private const int MostAtOnce = 2;
    private const int MostWaiting = 1000;
    private const int MostKnown = 10_000;

    private readonly PartitionedRateLimiter<Guid> _organizations = PartitionedRateLimiter.Create<Guid, Guid>(
        static whose => RateLimitPartition.GetConcurrencyLimiter(
            whose, static _ => new ConcurrencyLimiterOptions { PermitLimit = MostAtOnce, QueueLimit = MostWaiting }));

    // Only a caller with an organization's permit waits here, so no organization has more waiters than permits.
    private readonly ConcurrencyLimiter _all =
        new(new ConcurrencyLimiterOptions { PermitLimit = MostTogether(poolSize), QueueLimit = int.MaxValue });

    /// <summary>
    /// Whose each principal is, also after a change has dropped its catalog. It holds no permission: each statement decides anew.
    /// </summary>
    private readonly ConcurrentDictionary<string, Guid> _known = new(StringComparer.Ordinal);

    /// <summary>Three quarters of the pool: something is left for what takes a moment.</summary>
    public static int MostTogether(int poolSize) => Math.Max(1, poolSize - Math.Max(1, poolSize / 4));

    /// <summary>For tests: how many wait for a permit of the organization's.</summary>
    public long Waiting(Guid organization) => _organizations.GetStatistics(organization)?.CurrentQueuedCount ?? 0;

    /// <summary>A permit; disposing of it releases it.</summary>
    /// <exception cref="WeirException">WR002, WR004: the principal is not good. WR008: too many of its organization wait.</exception>
    public async Task<IDisposable> EnterAsync(Principal principal, CancellationToken ct)
    {
        var own = await _organizations.AcquireAsync(await OrganizationOfAsync(principal, ct), cancellationToken: ct);
        if (!own.IsAcquired)
        {
            own.Dispose();
            throw new WeirException(
                ErrorCode.RateLimited,
                $"{MostAtOnce} reads of the organization's catalogs run and {MostWaiting:N0} wait, the most that Weir allows.",
                "Retry in a moment.");
        }

        try
        {
            return new Permit(own, await _all.AcquireAsync(cancellationToken: ct));
        }
        catch
        {
            own.Dispose();
            throw;
        }
    }

    /// <summary>The database has refused it: nothing that it asks may cost its former organization a permit.</summary>
    public void Forget(Principal principal) => _known.TryRemove(principal.Name, out _);

    public void Dispose()
    {
        _organizations.Dispose();
        _all.Dispose();
    }

    private async ValueTask<Guid> OrganizationOfAsync(Principal principal, CancellationToken ct)
    {
        if (_known.TryGetValue(principal.Name, out var known))
        {
            return known;
        }

        var organization = await organizationOf(principal, ct) ?? throw principal.Refused();
        if (_known.Count >= MostKnown)
        {
            // All are asked about once more, rather than kept in some order.
            _known.Clear();
        }

        return _known[principal.Name] = organization;
    }

    private sealed class Permit(RateLimitLease own, RateLimitLease one) : IDisposable
    {
        public void Dispose()
        {
            one.Dispose();
            own.Dispose();
        }
    }
}
