using Weir.Audit;
using Weir.Configuration;
using Weir.Errors;
using Weir.Gateway.Http;

namespace Weir.Server.Http;

/// <summary>
/// Host and Origin of every request, on every listener: a browser that was led here by a rebound name, or from a foreign page,
/// gets 403 before anything else is looked at. A request without Origin comes from no browser.
/// </summary>
internal sealed class CallerChecks(RequestDelegate next, HttpConfig config, ReplicaForwarder forwarder)
{
    private readonly HashSet<string> _hosts = new(
        config.AllowedHosts.Concat(config.PublicUrl is { } url ? [url.Authority] : []), StringComparer.OrdinalIgnoreCase);

    private readonly HashSet<string> _origins = new(
        config.AllowedOrigins.Concat(config.PublicUrl is { } url ? [url.GetLeftPart(UriPartial.Authority)] : []),
        StringComparer.OrdinalIgnoreCase);

    public Task InvokeAsync(HttpContext http)
    {
        var host = http.Request.Host;
        if (!_hosts.Contains(host.Value ?? "") && !IsOwnLoopback(http, host) && !forwarder.IsHandedOver(http.Request))
        {
            return RefuseAsync(http, "foreign_host", "The Host header names a host that Weir is not reached by.",
                "Set http.publicUrl or http.allowedHosts.");
        }

        var origin = http.Request.Headers.Origin.ToString();
        var isOwn = string.Equals(origin, $"{http.Request.Scheme}://{host.Value}", StringComparison.OrdinalIgnoreCase);
        if (origin.Length > 0 && !isOwn && !_origins.Contains(origin))
        {
            return RefuseAsync(http, "foreign_origin", "The Origin is not one that may call Weir.", "Set http.allowedOrigins.");
        }

        return next(http);
    }

    /// <summary>The loopback names, with the very port of the listener.</summary>
    private static bool IsOwnLoopback(HttpContext http, HostString host) =>
        host.Host is "localhost" or "127.0.0.1" or "[::1]"
        && http.Connection.LocalPort == (host.Port ?? 80)
        && http.Connection.LocalIpAddress is { } address
        && System.Net.IPAddress.IsLoopback(address);

    /// <summary>Counted, not recorded: who is behind a page is not looked at.</summary>
    private static Task RefuseAsync(HttpContext http, string reason, string message, string hint)
    {
        http.RequestServices.GetRequiredService<SecurityEvents>().Count(reason, keyId: null, http.Connection.RemoteIpAddress);
        return JsonErrors.WriteAsync(http, StatusCodes.Status403Forbidden, ErrorCode.Forbidden.Sqlstate(), message, hint);
    }
}
