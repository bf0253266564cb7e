using System.Net;

namespace Weir.Limits;

/// <summary>What one subscriber has: an address of IPv4, a /64 of IPv6. The database's <c>weir.network_of</c> says the same.</summary>
internal static class NetworkAddress
{
    public static IPAddress Of(IPAddress address) => Prefix(address, ofIPv4: 4, ofIPv6: 8);

    /// <summary>What one site, or one customer of a provider with many addresses, has: a /24 of IPv4, a /48 of IPv6.</summary>
    public static IPAddress SiteOf(IPAddress address) => Prefix(address, ofIPv4: 3, ofIPv6: 6);

    private static IPAddress Prefix(IPAddress address, int ofIPv4, int ofIPv6)
    {
        var bytes = (address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address).GetAddressBytes();
        bytes.AsSpan(bytes.Length == 16 ? ofIPv6 : ofIPv4).Clear();
        return new IPAddress(bytes);
    }
}
