using System.Collections.Concurrent;

namespace Weir.NodeAgent.Bridge;

/// <summary>
/// Counts the bytes that wait in one place, and refuses what would exceed its limit, or that of the place that it is part of.
/// </summary>
/// <param name="limit">In bytes.</param>
/// <param name="parent">What is counted here beyond <paramref name="own"/> is counted there too.</param>
/// <param name="own">In bytes: so much may be held here, however full the parent is.</param>
internal sealed class ByteBudget(long limit, ByteBudget? parent = null, long own = 0)
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
            if (_closed || _held + bytes > limit || !TryTakeBeyond(Beyond(_held + bytes) - Beyond(_held)))
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
                parent?.Return(Beyond(_held) - Beyond(_held - bytes));
                _held -= bytes;
            }
        }
    }

    /// <summary>Returns all that is held; nothing more is taken.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _closed = true;
            parent?.Return(Beyond(_held));
            _held = 0;
        }
    }

    private bool TryTakeBeyond(long bytes) => bytes == 0 || parent?.TryTake(bytes) != false;

    private long Beyond(long held) => Math.Max(0, held - own);
}

/// <summary>One budget for each organization of the node: what one organization makes the node keep delays no other's messages.</summary>
/// <param name="limit">Of one organization, in bytes.</param>
/// <param name="together">Of what all organizations hold beyond <see cref="Guaranteed"/>, in bytes.</param>
internal sealed class OrganizationBudgets(long limit, long together)
{
    /// <summary>Each organization may hold so much, however much the others hold.</summary>
    public const long Guaranteed = 4 * 1024 * 1024;

    private readonly ByteBudget _all = new(together);
    private readonly ConcurrentDictionary<Guid, ByteBudget> _budgets = new();

    public ByteBudget For(Guid organization) => _budgets.GetOrAdd(organization, _ => new ByteBudget(limit, _all, Guaranteed));
}
