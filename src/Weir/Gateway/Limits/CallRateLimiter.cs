using System.Threading.RateLimiting;
using Weir.Configuration;
using Weir.Gateway.AgentTools;

namespace Weir.Gateway.Limits;

/// <summary>
/// How many calls a second an agent and an organization may make at this replica: a bound on what one takes from the others, and no
/// permission. A short burst of twice as many is let through.
/// </summary>
internal sealed class CallRateLimiter : IAsyncDisposable
{
    private readonly PartitionedRateLimiter<Guid>? _agents;
    private readonly PartitionedRateLimiter<Guid>? _organizations;

    public CallRateLimiter(LimitsConfig config)
    {
        _agents = Limiter(config.CallsPerSecondPerAgent);
        _organizations = Limiter(config.CallsPerSecondPerOrganization);
    }

    /// <summary>False when it is one too many.</summary>
    public bool TryAcquire(AgentToolSet tools) => TryAcquire(_agents, tools.AgentId) && TryAcquire(_organizations, tools.OrganizationId);

    public async ValueTask DisposeAsync()
    {
        if (_agents is not null)
        {
            await _agents.DisposeAsync();
        }

        if (_organizations is not null)
        {
            await _organizations.DisposeAsync();
        }
    }

    private static bool TryAcquire(PartitionedRateLimiter<Guid>? limiter, Guid whose)
    {
        using var lease = limiter?.AttemptAcquire(whose);
        return lease is not { IsAcquired: false };
    }

    private static PartitionedRateLimiter<Guid>? Limiter(int perSecond) => perSecond == 0
        ? null : PartitionedRateLimiter.Create<Guid, Guid>(
        whose => RateLimitPartition.GetTokenBucketLimiter(whose, _ => new TokenBucketRateLimiterOptions
        {
            TokenLimit = perSecond * 2,
            TokensPerPeriod = Math.Max(perSecond / 10, 1),
            ReplenishmentPeriod = TimeSpan.FromMilliseconds(perSecond >= 10 ? 100 : 1000 / perSecond),
            AutoReplenishment = true,
            QueueLimit = 0,
        }));
}
