namespace Weir.Errors;

/// <summary>
/// The closed list of failures that a caller can see. <c>docs/errors.md</c> has a row for each; a test compares the two.
/// A published code is never reused.
/// </summary>
internal enum ErrorCode
{
    /// <summary>WR001: an argument is null, of the wrong type, out of range or badly named. 400, not retryable.</summary>
    InvalidArgument = 1,

    /// <summary>WR002: no identity, or a key or token that is unknown, expired or revoked. 401, not retryable.</summary>
    Unauthenticated = 2,

    /// <summary>WR003: the caller may see it but not do it. 403, not retryable.</summary>
    Forbidden = 3,

    /// <summary>WR004: it does not exist, or the caller may not know that it does. 404, not retryable.</summary>
    NotFound = 4,

    /// <summary>WR005: the name is taken, or the state does not allow the move. 409, not retryable.</summary>
    Conflict = 5,

    /// <summary>WR006: a quota of the organization is used up. 403, not retryable.</summary>
    QuotaExceeded = 6,

    /// <summary>WR007: a permission is being changed at this moment. 503, retryable at once.</summary>
    Changing = 7,

    /// <summary>WR008: a limit of calls in time, or of what is open at once, is reached. 429, retryable after the hint.</summary>
    RateLimited = 8,

    /// <summary>WR009: the database does not answer, or Weir is stopping or overloaded. 503, retryable.</summary>
    Unavailable = 9,

    /// <summary>WR010: this release does not have it. 501, not retryable.</summary>
    NotSupported = 10,

    /// <summary>WR011: the arguments break the grant's rule. JSON-RPC only, not retryable.</summary>
    ArgumentsDenied = 11,

    /// <summary>WR012: the server instance did not answer within its deadline. 504, retryable unless a tool may have run.</summary>
    UpstreamTimeout = 12,

    /// <summary>WR013: the server instance broke the protocol or the connection. 502, retryable unless a tool may have run.</summary>
    UpstreamFailed = 13,

    /// <summary>WR014: the request is larger or deeper than Weir accepts. 413, not retryable.</summary>
    TooLarge = 14,

    /// <summary>WR015: the server instance is not running, or could not be reached. 503, retryable unless a tool may have run.</summary>
    InstanceUnavailable = 15,

    /// <summary>WR500: anything unforeseen; its text is never shown. 500, not retryable.</summary>
    Internal = 500,
}
