using System.Net;
using System.Net.Sockets;
using Weir.Errors;

namespace Weir.Egress;

/// <summary>
/// The one maker of outgoing connections. It resolves, checks every address, and connects to the address that it checked, so
/// that a name cannot mean one thing to the check and another to the socket. No redirects, no proxy, no cookies.
/// </summary>
internal sealed class EgressHttp(EgressPolicy policy) : IDisposable
{
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(5);

    private readonly SocketsHttpHandler _guarded = Handler((context, ct) => ConnectCheckedAsync(policy, context, ct));
    private readonly SocketsHttpHandler _operator = Handler((context, ct) => ConnectAsync(context.DnsEndPoint, ct));

    /// <summary>For destinations that a tenant named.</summary>
    public HttpMessageInvoker Guarded => field ??= new HttpMessageInvoker(_guarded, disposeHandler: false);

    /// <summary>For destinations that only the operator can name: nodes and other replicas.</summary>
    public HttpMessageInvoker Operator => field ??= new HttpMessageInvoker(_operator, disposeHandler: false);

    /// <summary>An <see cref="HttpClient"/> over the operator's connections, without a timeout of its own.</summary>
    public HttpClient OperatorClient(Uri baseAddress) => Client(_operator, baseAddress);

    /// <summary>The same for a library that wants a client: checked destinations, without a timeout of its own.</summary>
    /// <param name="before">Sees each request and response; it ends at the checked connections.</param>
    public HttpClient GuardedClient(DelegatingHandler before)
    {
        before.InnerHandler = _guarded;
#pragma warning disable RS0030 // As below.
        return new HttpClient(before, disposeHandler: false) { Timeout = Timeout.InfiniteTimeSpan };
#pragma warning restore RS0030
    }

    /// <summary>Refuses plain http, other schemes and credentials in the URL, unless the operator excepted the destination.</summary>
    /// <exception cref="WeirException">WR003: the URL is not one that Weir connects to.</exception>
    public void CheckUrl(Uri url)
    {
        var secure = url.Scheme == Uri.UriSchemeHttps
            || (url.Scheme == Uri.UriSchemeHttp && policy.IsException(url.IdnHost, url.Port));
        if (!secure || url.UserInfo.Length > 0)
        {
            throw new WeirException(ErrorCode.Forbidden, "The server's URL must be https and without a user name.",
                "Only the operator can except a host, with egress.allow.");
        }
    }

    public void Dispose()
    {
        _guarded.Dispose();
        _operator.Dispose();
    }

#pragma warning disable RS0030 // The one place that makes a client; every other one takes it from here.
    private static HttpClient Client(HttpMessageHandler handler, Uri baseAddress) =>
        new(handler, disposeHandler: false) { BaseAddress = baseAddress, Timeout = Timeout.InfiniteTimeSpan };
#pragma warning restore RS0030

    private static SocketsHttpHandler Handler(Func<SocketsHttpConnectionContext, CancellationToken, ValueTask<Stream>> connect) => new()
    {
        AllowAutoRedirect = false,
        UseProxy = false,
        UseCookies = false,
        AutomaticDecompression = DecompressionMethods.None,
        ConnectTimeout = ConnectTimeout,
        PooledConnectionIdleTimeout = TimeSpan.FromMinutes(2),
        PooledConnectionLifetime = TimeSpan.FromMinutes(15),
        MaxConnectionsPerServer = 512,
        ActivityHeadersPropagator = null,
        ConnectCallback = connect,
    };

    private static async ValueTask<Stream> ConnectCheckedAsync(
        EgressPolicy policy, SocketsHttpConnectionContext context, CancellationToken ct)
    {
        var target = context.DnsEndPoint;
        if (policy.IsException(target.Host, target.Port))
        {
            return await ConnectAsync(target, ct);
        }

        var addresses = IPAddress.TryParse(target.Host, out var literal) ? [literal] : await Dns.GetHostAddressesAsync(target.Host, ct);
        if (addresses.Length == 0 || !addresses.All(EgressPolicy.IsPublic))
        {
            throw new WeirException(ErrorCode.Forbidden, $"{target.Host} leads to an address that is not on the public internet.",
                "Only the operator can except a host, with egress.allow.");
        }

        return await ConnectAsync(addresses, target.Port, ct);
    }

    private static async ValueTask<Stream> ConnectAsync(DnsEndPoint target, CancellationToken ct) => await ConnectAsync(
        IPAddress.TryParse(target.Host, out var literal) ? [literal] : await Dns.GetHostAddressesAsync(target.Host, ct), target.Port, ct);

    private static async ValueTask<Stream> ConnectAsync(IPAddress[] addresses, int port, CancellationToken ct)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(addresses, port, ct);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
