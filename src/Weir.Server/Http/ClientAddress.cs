using System.Net;
using Microsoft.AspNetCore.HttpOverrides;
using Weir.Configuration;
using Weir.Limits;
using IPNetwork = System.Net.IPNetwork;

namespace Weir.Server.Http;

/// <summary>From where a request comes: the connection's other end, or what a trusted proxy says of it.</summary>
internal static class ClientAddress
{
    /// <summary>
    /// Only a trusted proxy's <c>X-Forwarded-For</c> replaces the connection's address; nothing else that a proxy says is taken.
    /// </summary>
    public static void UseTrustedProxies(this IApplicationBuilder app, HttpConfig config)
    {
        if (config.TrustedProxies.Count == 0)
        {
            return;
        }

        var options = new ForwardedHeadersOptions { ForwardedHeaders = ForwardedHeaders.XForwardedFor, ForwardLimit = null };
        options.KnownProxies.Clear();
        options.KnownIPNetworks.Clear();
        foreach (var proxy in config.TrustedProxies)
        {
            options.KnownIPNetworks.Add(IPNetwork.TryParse(proxy, out var network) ? network : Single(IPAddress.Parse(proxy)));
        }

        app.UseForwardedHeaders(options);
    }

    public static IPAddress Of(HttpContext http) => http.Connection.RemoteIpAddress is not { } address ? IPAddress.None
        : address.IsIPv4MappedToIPv6 ? address.MapToIPv4()
        // A link-local address may carry the name of its interface, which the database does not know.
        : new IPAddress(address.GetAddressBytes());

    public static IPAddress Network(HttpContext http) => NetworkAddress.Of(Of(http));

    private static IPNetwork Single(IPAddress address) => new(address, address.GetAddressBytes().Length * 8);
}
