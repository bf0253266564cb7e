namespace Weir.Upstream;

internal enum UpstreamFailure
{
    /// <summary>No connection, or it broke before an answer.</summary>
    Unreachable,

    /// <summary>An answer that is not the protocol: wrong status, wrong content type, broken JSON, foreign id.</summary>
    Nonsense,

    /// <summary>The answer is larger than <c>mcp.maxResponseBytes</c>.</summary>
    TooLarge,

    /// <summary>The server does not know the session (any more).</summary>
    SessionLost,

    /// <summary>Weir does not connect there.</summary>
    Refused,

    /// <summary>The call, or its organization, would hold more bytes than it may (<see cref="ByteBudget"/>).</summary>
    OverBudget,

    /// <summary>A node's server has no room for another session or message.</summary>
    Full,

    /// <summary>A node's server did not answer the node in time.</summary>
    Late,
}

/// <summary>
/// What went wrong on the way to a server. The message is Weir's own and for admins; it quotes nothing of the server. Clients get the cause
/// and its sentence.
/// </summary>
internal sealed class UpstreamException(UpstreamFailure failure, string message, Exception? inner = null) : Exception(message, inner)
{
    public UpstreamFailure Failure { get; } = failure;

    public FailureCause Cause { get; init; } = failure switch
    {
        UpstreamFailure.Unreachable => FailureCause.ConnectionFailed,
        UpstreamFailure.TooLarge or UpstreamFailure.OverBudget => FailureCause.TooLarge,
        UpstreamFailure.SessionLost => FailureCause.SessionLost,
        UpstreamFailure.Refused => FailureCause.AddressNotAllowed,
        UpstreamFailure.Full => FailureCause.Full,
        UpstreamFailure.Late => FailureCause.TimedOut,
        _ => FailureCause.ProtocolError,
    };

    /// <summary>How long the server wants to be left alone, at most five minutes; null: it did not say.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>
    /// Whether the request was certainly not carried out: it was not sent, or refused before. Only of a session that is lost.
    /// </summary>
    public bool IsNotCarriedOut { get; init; }

    /// <summary>Weir does not connect there.</summary>
    public static UpstreamException Refused(Errors.WeirException refusal, FailureCause cause, Exception? inner = null) =>
        new(UpstreamFailure.Refused, $"{refusal.Message} {refusal.Hint}".TrimEnd(), inner ?? refusal) { Cause = cause, NothingSent = true };

    /// <summary>An HTTP status that is no success.</summary>
    public static UpstreamException OfStatus(int status, TimeSpan? retryAfter)
    {
        var (cause, words) = FailureCauses.OfStatus(status);
        return new UpstreamException(UpstreamFailure.Nonsense, words) { Cause = cause, RetryAfter = retryAfter };
    }

    /// <summary>The failure concerns one session and says nothing of the server's others.</summary>
    public bool IsOfOneSession { get; init; }

    /// <summary>No byte of the request left: there was no connection to send it on.</summary>
    public bool NothingSent { get; init; }
}
