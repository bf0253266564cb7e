using System.Net;

namespace Weir.Limits;

/// <summary>
/// Limits concurrent requests of callers who are not verified: by network address, by site and in total.
/// </summary>
/// <param name="perAddress">An address of IPv4, a /64 of IPv6.</param>
/// <param name="perSite">A /24 of IPv4, a /48 of IPv6; well below <paramref name="most"/>, so that no subscriber with many networks has all
/// permits.</param>
internal sealed class AddressLimiter(int perAddress, int perSite, int most)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<IPAddress, int> _addresses = [];
    private readonly Dictionary<IPAddress, int> _sites = [];
    private int _all;

    /// <returns>The permit; disposing of it releases it. Null: the limit that <paramref name="full"/> names is reached.</returns>
    public IDisposable? TryEnter(IPAddress address, out Exceeded full)
    {
        var (network, site) = (NetworkAddress.Of(address), NetworkAddress.SiteOf(address));
        lock (_lock)
        {
            full = _addresses.GetValueOrDefault(network) >= perAddress ? Exceeded.Address
                : _sites.GetValueOrDefault(site) >= perSite ? Exceeded.Site
                : _all >= most ? Exceeded.All : Exceeded.No;
            if (full != Exceeded.No)
            {
                return null;
            }

            Count(_addresses, network, 1);
            Count(_sites, site, 1);
            _all++;
        }

        return new Permit(this, network, site);
    }

    private void Leave(IPAddress network, IPAddress site)
    {
        lock (_lock)
        {
            Count(_addresses, network, -1);
            Count(_sites, site, -1);
            _all--;
        }
    }

    private static void Count(Dictionary<IPAddress, int> held, IPAddress of, int change)
    {
        if ((held[of] = held.GetValueOrDefault(of) + change) == 0)
        {
            held.Remove(of);
        }
    }

    internal enum Exceeded
    {
        No,
        Address,
        Site,
        All,
    }

    private sealed class Permit(AddressLimiter all, IPAddress network, IPAddress site) : IDisposable
    {
        private int _left;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _left, 1) == 0)
            {
                all.Leave(network, site);
            }
        }
    }
}
