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
                HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError,
            },
        };
    }

    private static (FailureCause Cause, string Words) Of(Exception e) => e switch
    {
        AuthenticationException or HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError } =>
            (FailureCause.TlsFailed, "There is no TLS connection to the server: its certificate is not valid for the address, or it does not speak TLS."),
        SocketException { SocketErrorCode: SocketError.ConnectionRefused } =>
            (FailureCause.ConnectionRefused, "Nobody listens at the server's address."),
        SocketException { SocketErrorCode: SocketError.HostNotFound or SocketError.NoData or SocketError.TryAgain }
            or HttpRequestException { HttpRequestError: HttpRequestError.NameResolutionError } =>
            (FailureCause.NameNotResolved, "The server's host name has no address."),
        SocketException { SocketErrorCode: SocketError.TimedOut } or TimeoutException =>
            (FailureCause.TimedOut, "No connection to the server was made in time."),
        { InnerException: { } inner } => Of(inner),
        _ => (FailureCause.ConnectionFailed, "There is no connection to the server, or it broke."),
    };
}
