using Weir.Gateway.AgentTools;

namespace Weir.Gateway.Limits;

/// <summary>
/// What each agent and organization has open at this replica: calls, from before their admission to their end, and streams.
/// A bound on what one tenant takes from the others here, and no permission: every replica counts its own (docs/decisions/0007).
/// </summary>
internal sealed class CallConcurrencyLimiter(int maxPerAgent)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<Guid, int> _open = [];

    /// <summary>
    /// A call or stream of an agent, open until it is disposed; null where the agent or its organization has as many open as it may.
    /// </summary>
    public IDisposable? TryAcquire(AgentToolSet tools)
    {
        var agent = maxPerAgent > 0 ? TryAcquire(tools.AgentId, maxPerAgent) : null;
        if (maxPerAgent > 0 && agent is null)
        {
            return null;
        }

        var organization = TryAcquire(tools.OrganizationId, tools.MaxConnections);
        if (organization is null)
        {
            agent?.Dispose();
        }

        return organization is null || agent is null ? organization : new BothPermits(agent, organization);
    }

    /// <param name="id">An agent's or an organization's.</param>
    private IDisposable? TryAcquire(Guid id, int most)
    {
        lock (_lock)
        {
            var open = _open.GetValueOrDefault(id);
            if (open >= most)
            {
                return null;
            }

            _open[id] = open + 1;
        }

        return new Permit(this, id);
    }

    private void Close(Guid id)
    {
        lock (_lock)
        {
            if (--_open[id] == 0)
            {
                _open.Remove(id);
            }
        }
    }

    private sealed class BothPermits(IDisposable one, IDisposable other) : IDisposable
    {
        public void Dispose()
        {
            one.Dispose();
            other.Dispose();
        }
    }

    private sealed class Permit(CallConcurrencyLimiter all, Guid id) : IDisposable
    {
        private bool _closed;

        public void Dispose()
        {
            if (!_closed)
            {
                _closed = true;
                all.Close(id);
            }
        }
    }
}
