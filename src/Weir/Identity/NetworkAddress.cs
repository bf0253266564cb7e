using System.Net;

namespace Weir.Identity;

/// <summary>What one subscriber has: an address of IPv4, a /64 of IPv6. The database's <c>weir.network_of</c> says the same.</summary>
internal static class NetworkAddress
{
    public static IPAddress Of(IPAddress address)
    {
        var bytes = (address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address).GetAddressBytes();
        if (bytes.Length == 16)
        {
            bytes.AsSpan(8).Clear();
        }

        return new IPAddress(bytes);
    }
}
