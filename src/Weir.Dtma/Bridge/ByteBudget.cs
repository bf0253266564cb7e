using System.Collections.Concurrent;

namespace Weir.Dtma.Bridge;

/// <summary>Counts the bytes that wait in one place, and refuses what would exceed its limit, or that of the place that it is part of.</summary>
/// <param name="limit">In bytes.</param>
/// <param name="parent">Everything that is counted here is counted there too.</param>
internal sealed class ByteBudget(long limit, ByteBudget? parent = null)
{
    private readonly Lock _lock = new();
    private long _held;
    private long _peak;
    private bool _closed;

    /// <summary>What waits now.</summary>
    public long Held
    {
        get
        {
            lock (_lock)
            {
                return _held;
            }
        }
    }

    /// <summary>The most that has waited at one time.</summary>
    public long Peak
    {
        get
        {
            lock (_lock)
            {
                return _peak;
            }
        }
    }

    public bool TryTake(long bytes)
    {
        lock (_lock)
        {
            if (_closed || _held + bytes > limit || parent?.TryTake(bytes) == false)
            {
                return false;
            }

            _held += bytes;
            _peak = Math.Max(_peak, _held);
            return true;
        }
    }

    public void Return(long bytes)
    {
        lock (_lock)
        {
            if (!_closed)
            {
                _held -= bytes;
                parent?.Return(bytes);
            }
        }
    }

    /// <summary>Returns all that is held; nothing more is taken.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _closed = true;
            parent?.Return(_held);
            _held = 0;
        }
    }
}

/// <summary>One budget for each organization of the node: what one organization makes the node keep delays no other's messages.</summary>
internal sealed class OrganizationBudgets(long limit)
{
    private readonly ConcurrentDictionary<Guid, ByteBudget> _budgets = new();

    public ByteBudget For(Guid organization) => _budgets.GetOrAdd(organization, _ => new ByteBudget(limit));
}
