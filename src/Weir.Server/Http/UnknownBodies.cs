using System.Net;
using Weir.Errors;
using Weir.Input;

namespace Weir.Server.Http;

/// <summary>
/// Bodies that are read before their sender is known: few at once of one network address, few of all together, and each within a time. An
/// address's place is free again when its request has been answered.
/// </summary>
internal sealed class UnknownBodies(TimeProvider time)
{
    public const int MostOfOneAddress = 32;
    public const int Most = 512;
    public static readonly TimeSpan Within = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private readonly Dictionary<IPAddress, int> _held = [];
    private int _all;

    /// <summary>The whole body, or null where it is larger than <paramref name="maxBytes"/>.</summary>
    /// <exception cref="WeirException">WR008: too many are held already.</exception>
    /// <exception cref="BadHttpRequestException">It broke off, or did not come in time.</exception>
    public async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(HttpContext http, int maxBytes)
    {
        var address = ClientAddress.Network(http);
        Enter(address);
        http.Response.RegisterForDispose(new Place(this, address));
        return await RequestBody.ReadAsync(http.Request, maxBytes, Within, time, http.RequestAborted);
    }

    private void Enter(IPAddress address)
    {
        lock (_lock)
        {
            var held = _held.GetValueOrDefault(address);
            if (held >= MostOfOneAddress || _all >= Most)
            {
                throw new WeirException(ErrorCode.RateLimited, held >= MostOfOneAddress
                    ? $"{MostOfOneAddress} requests of callers who are not signed in are open from this address, the most that there may be."
                    : $"{Most} requests of callers who are not signed in are open, the most that there may be.", "Retry in a moment.");
            }

            _held[address] = held + 1;
            _all++;
        }
    }

    private void Leave(IPAddress address)
    {
        lock (_lock)
        {
            _all--;
            if (--_held[address] == 0)
            {
                _held.Remove(address);
            }
        }
    }

    private sealed class Place(UnknownBodies all, IPAddress address) : IDisposable
    {
        private int _left;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _left, 1) == 0)
            {
                all.Leave(address);
            }
        }
    }
}
