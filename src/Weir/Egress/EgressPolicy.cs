using System.Net;
using System.Net.Sockets;

namespace Weir.Egress;

/// <summary>
/// Where an outgoing socket may go. Addresses that are not on the public internet are refused, whatever name led to them;
/// <c>egress.allow</c> lists the operator's exceptions as <c>host</c> or <c>host:port</c>.
/// </summary>
internal sealed class EgressPolicy(IReadOnlyCollection<string> allow)
{
    private readonly HashSet<string> _allow = new(allow, StringComparer.OrdinalIgnoreCase);

    /// <summary>Whether the operator named this destination himself. Such a one may be private, and plain http.</summary>
    public bool IsException(string host, int port) => _allow.Contains(host) || _allow.Contains($"{host}:{port}");

    /// <summary>
    /// Private, loopback, link-local (and so the clouds' metadata address), shared, multicast, reserved, documentation,
    /// and every IPv6 form that carries an IPv4 address: mapped, compatible, 6to4, Teredo, NAT64.
    /// </summary>
    public static bool IsPublic(IPAddress address)
    {
        if (address.AddressFamily == AddressFamily.InterNetwork)
        {
            return IsPublic4(address.GetAddressBytes());
        }

        var b = address.GetAddressBytes();
        var global = (b[0] & 0xE0) == 0x20;
        var embedsIpv4 = (b[0] == 0x20 && b[1] == 0x02) || (b[0] == 0x20 && b[1] == 0x01 && b[2] == 0 && b[3] == 0);
        var documentation = b[0] == 0x20 && b[1] == 0x01 && b[2] == 0x0D && b[3] == 0xB8;
        return global && !embedsIpv4 && !documentation;
    }

    private static bool IsPublic4(byte[] b) => b[0] switch
    {
        0 or 10 or 127 or >= 224 => false,
        100 when (b[1] & 0xC0) == 64 => false,
        169 when b[1] == 254 => false,
        172 when (b[1] & 0xF0) == 16 => false,
        192 when b[1] == 168 || (b[1] == 0 && b[2] is 0 or 2) || (b[1] == 88 && b[2] == 99) => false,
        198 when (b[1] & 0xFE) == 18 || (b[1] == 51 && b[2] == 100) => false,
        203 when b[1] == 0 && b[2] == 113 => false,
        _ => true,
    };
}
