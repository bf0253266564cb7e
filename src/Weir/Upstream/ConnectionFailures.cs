using System.Net.Sockets;
using System.Security.Authentication;

namespace Weir.Upstream;

/// <summary>Why there was no connection, in words of ours.</summary>
internal static class ConnectionFailures
{
    public static UpstreamException ToException(Exception e)
    {
        var (cause, words) = Of(e);
        return new UpstreamException(UpstreamFailure.Unreachable, words, e)
        {
            Cause = cause,
            NothingSent = e is HttpRequestException
            {
                HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError
                    or HttpRequestError.SecureConnectionError,
            },
        };
    }

    private static (FailureCause Cause, string Words) Of(Exception e) => e switch
    {
        AuthenticationException or HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError } =>
            (FailureCause.TlsFailed,
                "The TLS connection failed: the server's certificate is not valid for its address, or the server does not speak TLS."),
        SocketException { SocketErrorCode: SocketError.ConnectionRefused } =>
            (FailureCause.ConnectionRefused, "Nothing listens at the server's address."),
        SocketException { SocketErrorCode: SocketError.HostNotFound or SocketError.NoData or SocketError.TryAgain }
            or HttpRequestException { HttpRequestError: HttpRequestError.NameResolutionError } =>
            (FailureCause.NameNotResolved, "The server's host name does not resolve to an address."),
        SocketException { SocketErrorCode: SocketError.TimedOut } or TimeoutException =>
            (FailureCause.TimedOut, "No connection to the server was made in time."),
        { InnerException: { } inner } => Of(inner),
        _ => (FailureCause.ConnectionFailed, "The connection to the server failed or broke."),
    };
}
