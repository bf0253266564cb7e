using Microsoft.AspNetCore.Http;
using Weir.Errors;
using Weir.Input;

namespace Weir.Limits;

/// <summary>
/// How many bytes of bodies and answers this replica holds at once, by caller who is known: from when they came until the request is over.
/// A caller holds at most as much as is left for everybody else, so that whoever comes later finds as much as the one who holds the most
/// has.
/// </summary>
/// <param name="mostPerCaller">Of all bodies and answers of one caller.</param>
/// <param name="most">Of all callers together.</param>
internal sealed class CallerBytes(long mostPerCaller, long most)
{
    /// <summary>Up to so much of an answer is not counted: Kestrel holds as much for each connection.</summary>
    public const int Uncounted = 64 * 1024;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, long> _held = new(StringComparer.Ordinal);
    private long _total;

    public long HeldBy(string caller)
    {
        lock (_lock)
        {
            return _held.GetValueOrDefault(caller);
        }
    }

    /// <summary>The account of one request. Disposing of it gives back what it holds.</summary>
    /// <param name="caller">Text that tells verified callers apart.</param>
    public Account Open(string caller) => new(this, caller);

    /// <summary>
    /// The whole body, or null where it is larger than <paramref name="maxBytes"/>. What has come counts as the caller's until the request
    /// is over, unless it came whole with the request's head.
    /// </summary>
    /// <exception cref="BadHttpRequestException">It broke off, or came too slowly.</exception>
    /// <exception cref="WeirException">WR008: the caller, or all of them, would hold more than they may.</exception>
    public ValueTask<ReadOnlyMemory<byte>?> ReadBodyAsync(HttpRequest request, int maxBytes, string caller, CancellationToken ct)
    {
        var account = Open(caller);
        request.HttpContext.Response.RegisterForDispose(account);
        return RequestBody.ReadAsync(request, maxBytes, account.Take, ct);
    }

    private bool TryTake(string caller, long bytes)
    {
        lock (_lock)
        {
            var held = _held.GetValueOrDefault(caller) + bytes;
            if (held > Math.Min(mostPerCaller, most - _total - bytes))
            {
                return false;
            }

            _held[caller] = held;
            _total += bytes;
            return true;
        }
    }

    private void GiveBack(string caller, long bytes)
    {
        lock (_lock)
        {
            _total -= bytes;
            if ((_held[caller] -= bytes) == 0)
            {
                _held.Remove(caller);
            }
        }
    }

    internal sealed class Account(CallerBytes all, string caller) : IDisposable
    {
        private long _held;

        /// <exception cref="WeirException">WR008: the caller, or all of them, would hold more than they may.</exception>
        public void Take(long bytes)
        {
            if (!all.TryTake(caller, bytes))
            {
                throw new WeirException(ErrorCode.RateLimited,
                    "The bodies that you are sending, and the answers that you have not read yet, are as much as Weir may hold of you at "
                        + "once.",
                    "Retry when some of your requests have ended.");
            }

            _held += bytes;
        }

        public void Dispose()
        {
            if (_held > 0)
            {
                all.GiveBack(caller, _held);
                _held = 0;
            }
        }
    }
}
