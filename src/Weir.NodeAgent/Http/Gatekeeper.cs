using System.Net;
using Weir.NodeAgent.Configuration;
using Weir.Nodes;

namespace Weir.NodeAgent.Http;

/// <summary>
/// In front of every endpoint: the Host and Origin of this node only (a browser's page must not reach it by a name that it made
/// point here), and the key, for everything but liveness.
/// </summary>
internal sealed class Gatekeeper(RequestDelegate next, ApiKey key, NodeOptions options)
{
    private const string Scheme = "Bearer ";

    public Task InvokeAsync(HttpContext http)
    {
        if (!IsOwnHost(http.Request.Host.Host))
        {
            return ApiErrors.WriteAsync(http, 403, NodeErrors.Forbidden, "This Host is not this node's.");
        }

        if (http.Request.Headers.Origin is [{ } origin, ..]
            && !(Uri.TryCreate(origin, UriKind.Absolute, out var url) && IsOwnHost(url.Host)))
        {
            return ApiErrors.WriteAsync(http, 403, NodeErrors.Forbidden, "This Origin is not this node's.");
        }

        if (http.Request.Path == "/healthz")
        {
            return next(http);
        }

        var presented = http.Request.Headers.Authorization is [{ } header] && header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)
            ? header[Scheme.Length..].Trim()
            : null;
        if (!key.Matches(presented))
        {
            http.Response.Headers.WWWAuthenticate = "Bearer";
            return ApiErrors.WriteAsync(http, 401, NodeErrors.Unauthenticated, "The node's API key is wanted.");
        }

        if (http.Request.Headers[NodeContract.CapabilityHeader] is [{ } text]
            && (!int.TryParse(text, out var version) || version < NodeContract.OldestCapability))
        {
            return ApiErrors.WriteAsync(http, 400, NodeErrors.CapabilityTooOld,
                $"This node serves capability versions from {NodeContract.OldestCapability} on.");
        }

        http.Response.Headers[NodeContract.CapabilityHeader] = $"{NodeContract.CapabilityVersion}";
        return next(http);
    }

    private bool IsOwnHost(string host)
    {
        var name = host.Trim('[', ']');
        return name.Equals("localhost", StringComparison.OrdinalIgnoreCase)
            || name.Equals(options.Advertise?.Host.Trim('[', ']'), StringComparison.OrdinalIgnoreCase)
            || (IPAddress.TryParse(name, out var address) && (IPAddress.IsLoopback(address) || address.Equals(options.Listen.Address)));
    }
}
