using Weir.Errors;

namespace Weir.Upstream;

/// <summary>
/// Why a server could not be deployed or called, as the gateway finds out: the part of <see cref="FailureCodes"/> that may be the
/// <c>last_error_code</c> of a remote server and <c>data.cause</c> of a call's error.
/// </summary>
internal enum FailureCause
{
    /// <summary>Nothing listens at the address.</summary>
    ConnectionRefused,

    /// <summary>The host has no address.</summary>
    NameNotResolved,

    /// <summary>No TLS session: the certificate is not valid, or the server speaks no TLS.</summary>
    TlsFailed,

    /// <summary>No connection for another reason, or it broke.</summary>
    ConnectionFailed,

    /// <summary>No connection, session or answer in time.</summary>
    TimedOut,

    /// <summary>Weir does not connect to the address.</summary>
    AddressNotAllowed,

    /// <summary>Weir does not connect by plain http, or with a user name in the URL.</summary>
    SchemeNotAllowed,

    /// <summary>HTTP 401.</summary>
    Unauthorized,

    /// <summary>HTTP 403.</summary>
    AccessDenied,

    /// <summary>HTTP 404, 405 or 410.</summary>
    EndpointNotFound,

    /// <summary>HTTP 429.</summary>
    RateLimited,

    /// <summary>HTTP 503.</summary>
    ServerUnavailable,

    /// <summary>Another 5xx.</summary>
    ServerError,

    /// <summary>A 3xx, which Weir does not follow.</summary>
    Redirected,

    /// <summary>Another HTTP status that is not a success.</summary>
    HttpError,

    /// <summary>A success that is neither JSON nor an event stream, e.g. a web page.</summary>
    NotMcp,

    /// <summary>An error object whose code is not an integer, or that has no message.</summary>
    MalformedError,

    /// <summary>Any other answer that is not the protocol.</summary>
    ProtocolError,

    /// <summary>A well-formed error in answer to a request of Weir's own, such as <c>initialize</c>.</summary>
    RequestRefused,

    /// <summary>No version of the protocol in common.</summary>
    VersionNotSupported,

    /// <summary>An answer, or a list, that is larger than Weir takes.</summary>
    TooLarge,

    /// <summary>The server no longer knows its session.</summary>
    SessionLost,

    /// <summary>A server on a node has no room for another session, or for more that waits for it.</summary>
    Full,

    /// <summary>The server already has its maximum of concurrent calls.</summary>
    TooManyCalls,

    /// <summary>The server has failed repeatedly and is not called for a while.</summary>
    CircuitOpen,

    /// <summary>The instance has no address, or the node that runs it is not known to this replica.</summary>
    NoEndpoint,
}

/// <summary>The causes as the database and the protocol spell them, and those that an answer's status tells.</summary>
internal static class FailureCauses
{
    /// <summary>Certain at once: no trustworthy server is at the address.</summary>
    public static bool MeansNobodyThere(this FailureCause cause) =>
        cause is FailureCause.ConnectionRefused or FailureCause.NameNotResolved or FailureCause.TlsFailed;

    /// <summary>Weir itself does not connect there.</summary>
    public static bool IsRefusedByWeir(this FailureCause cause) => cause is FailureCause.AddressNotAllowed or FailureCause.SchemeNotAllowed;

    /// <summary>Waiting does not change it: only a change of the server, its URL or Weir's settings does. So it is not retried.</summary>
    public static bool IsLasting(this FailureCause cause) => cause.IsRefusedByWeir() || cause
        is FailureCause.TlsFailed or FailureCause.Unauthorized or FailureCause.AccessDenied or FailureCause.EndpointNotFound
        or FailureCause.Redirected or FailureCause.HttpError or FailureCause.NotMcp or FailureCause.MalformedError
        or FailureCause.VersionNotSupported or FailureCause.TooLarge or FailureCause.NoEndpoint;

    /// <summary>What clients read of it.</summary>
    public static string Sentence(this FailureCause cause) => FailureCodes.Sentence(cause.Name());

    public static string Name(this FailureCause cause) => cause switch
    {
        FailureCause.ConnectionRefused => "connection_refused",
        FailureCause.NameNotResolved => "name_not_resolved",
        FailureCause.TlsFailed => "tls_failed",
        FailureCause.ConnectionFailed => "connection_failed",
        FailureCause.TimedOut => "timed_out",
        FailureCause.AddressNotAllowed => "address_not_allowed",
        FailureCause.SchemeNotAllowed => "scheme_not_allowed",
        FailureCause.Unauthorized => "unauthorized",
        FailureCause.AccessDenied => "access_denied",
        FailureCause.EndpointNotFound => "endpoint_not_found",
        FailureCause.RateLimited => "rate_limited",
        FailureCause.ServerUnavailable => "server_unavailable",
        FailureCause.ServerError => "server_error",
        FailureCause.Redirected => "redirected",
        FailureCause.HttpError => "http_error",
        FailureCause.NotMcp => "not_mcp",
        FailureCause.MalformedError => "malformed_error",
        FailureCause.ProtocolError => "protocol_error",
        FailureCause.RequestRefused => "request_refused",
        FailureCause.VersionNotSupported => "version_not_supported",
        FailureCause.TooLarge => "too_large",
        FailureCause.SessionLost => "session_lost",
        FailureCause.Full => "full",
        FailureCause.TooManyCalls => "too_many_calls",
        FailureCause.CircuitOpen => "circuit_open",
        FailureCause.NoEndpoint => "no_endpoint",
        _ => throw new ArgumentOutOfRangeException(nameof(cause), cause, "Not a cause of the list."),
    };

    /// <summary>What an HTTP status other than a success means, in Weir's own words.</summary>
    public static (FailureCause Cause, string Words) OfStatus(int status) => status switch
    {
        401 => (FailureCause.Unauthorized, "The server answered 401: it requires a credential, and Weir has none for it."),
        403 => (FailureCause.AccessDenied, "The server answered 403: it does not allow the request."),
        404 or 405 or 410 => (FailureCause.EndpointNotFound, $"The server answered {status}: there is no MCP endpoint at this address."),
        429 => (FailureCause.RateLimited, "The server answered 429: it received too many requests."),
        503 => (FailureCause.ServerUnavailable, "The server answered 503: it is temporarily unavailable."),
        >= 500 => (FailureCause.ServerError, $"The server answered {status}: an internal error."),
        >= 300 and < 400 =>
            (FailureCause.Redirected,
            $"The server answered {status}: a redirect, which Weir does not follow. Set the address that it leads to."),
        _ => (FailureCause.HttpError, $"The server answered {status}."),
    };
}
