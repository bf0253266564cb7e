using Weir.Errors;

namespace Weir.Gateway;

/// <summary>
/// What each organization has open at this replica: calls, from before their admission to their end, and list-change streams.
/// A bound on what one tenant takes from the others here, and no permission: every replica counts its own (docs/decisions/0005).
/// </summary>
internal sealed class OpenConnections
{
    private readonly Lock _lock = new();
    private readonly Dictionary<Guid, int> _open = [];

    public static WeirException Full() => new(
        ErrorCode.RateLimited, "The organization has as many calls and streams open as it may.", "Retry when one of them has ended.");

    /// <summary>Open until it is disposed; null where the organization has <paramref name="most"/> open already.</summary>
    public IDisposable? TryOpen(Guid organizationId, int most)
    {
        lock (_lock)
        {
            var open = _open.GetValueOrDefault(organizationId);
            if (open >= most)
            {
                return null;
            }

            _open[organizationId] = open + 1;
        }

        return new Connection(this, organizationId);
    }

    private void Close(Guid organizationId)
    {
        lock (_lock)
        {
            if (--_open[organizationId] == 0)
            {
                _open.Remove(organizationId);
            }
        }
    }

    private sealed class Connection(OpenConnections all, Guid organizationId) : IDisposable
    {
        private bool _closed;

        public void Dispose()
        {
            if (!_closed)
            {
                _closed = true;
                all.Close(organizationId);
            }
        }
    }
}
