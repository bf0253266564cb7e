namespace Weir.Upstream;

/// <summary>
/// How many bytes of messages this replica holds at once, by organization. Whatever waits in the gateway counts here; docs/security.md
/// lists all of it. A message is counted once; the memory behind it is up to three times as much, because it is read, rewritten and sent.
/// </summary>
/// <param name="mostPerCall">Of what one server may make one call, stream or queue hold.</param>
/// <param name="mostPerOrganization">Of all that one organization holds.</param>
/// <param name="mostTogether">Of what all organizations hold beyond <see cref="Guaranteed"/>.</param>
internal sealed class ByteBudget(long mostPerCall, long mostPerOrganization, long mostTogether = long.MaxValue)
{
    /// <summary>Each organization may hold so much, however much the others hold: one that holds little notices nothing of them.</summary>
    public const long Guaranteed = 4 * 1024 * 1024;

    private readonly Lock _lock = new();
    private readonly Dictionary<Guid, long> _held = [];
    private long _beyond;

    public long MostPerCall => mostPerCall;

    public long MostPerOrganization => mostPerOrganization;

    /// <summary>The most that one organization has held since the start.</summary>
    public long Peak { get; private set; }

    /// <summary>What all organizations hold.</summary>
    public long Total { get; private set; }

    public long HeldBy(Guid organization)
    {
        lock (_lock)
        {
            return _held.GetValueOrDefault(organization);
        }
    }

    /// <summary>The account of one call, stream or queue. Disposing of it gives back whatever it still holds.</summary>
    public ByteAccount Open(Guid organization, long? most = null) => new(this, organization, most ?? mostPerCall);

    internal bool TryTake(Guid organization, long bytes)
    {
        lock (_lock)
        {
            var before = _held.GetValueOrDefault(organization);
            var held = before + bytes;
            var more = Beyond(held) - Beyond(before);
            if (held > mostPerOrganization || (more > 0 && _beyond + more > mostTogether))
            {
                return false;
            }

            _held[organization] = held;
            _beyond += more;
            Total += bytes;
            Peak = Math.Max(Peak, held);
            return true;
        }
    }

    internal void GiveBack(Guid organization, long bytes)
    {
        lock (_lock)
        {
            Total -= bytes;
            var held = _held[organization] - bytes;
            _beyond -= Beyond(held + bytes) - Beyond(held);
            _held[organization] = held;
            if (held == 0)
            {
                _held.Remove(organization);
            }
        }
    }

    private static long Beyond(long held) => Math.Max(0, held - Guaranteed);
}

/// <summary>What one call, stream or queue holds of its organization's budget.</summary>
internal sealed class ByteAccount(ByteBudget budget, Guid organization, long most) : IDisposable
{
    private readonly Lock _lock = new();
    private long _held;
    private int _round;
    private bool _closed;

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

    /// <summary>Null where the call or its organization would hold more than it may, and after the account was closed.</summary>
    public ByteHold? TryTake(long bytes)
    {
        lock (_lock)
        {
            if (_closed || _held + bytes > most || (bytes > 0 && !budget.TryTake(organization, bytes)))
            {
                return null;
            }

            _held += bytes;
            return new ByteHold(this, bytes, _round);
        }
    }

    /// <exception cref="UpstreamException">The call or its organization would hold more than it may.</exception>
    public ByteHold Take(long bytes) => TryTake(bytes) ?? throw Full();

    public static UpstreamException Full() => new(
        UpstreamFailure.OverBudget, "What the server sends is more than the call (twice mcp.maxResponseBytes) or its organization "
            + "(limits.heldMegabytesPerOrganization) may hold at this replica at once, or all organizations together "
            + "(limits.heldMegabytes).");

    /// <summary>Gives everything back. Disposing of what was taken before gives nothing back again.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            _round++;
            if (_held > 0)
            {
                budget.GiveBack(organization, _held);
                _held = 0;
            }
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _closed = true;
            Clear();
        }
    }

    internal void GiveBack(long bytes, int round)
    {
        lock (_lock)
        {
            if (round == _round && bytes > 0)
            {
                _held -= bytes;
                budget.GiveBack(organization, bytes);
            }
        }
    }
}

/// <summary>Some bytes of an account, given back once: by disposing of it, or with the account.</summary>
internal sealed class ByteHold(ByteAccount account, long bytes, int round) : IDisposable
{
    private int _given;

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _given, 1) == 0)
        {
            account.GiveBack(bytes, round);
        }
    }
}
