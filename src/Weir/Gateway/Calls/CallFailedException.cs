using Weir.Errors;
using Weir.Upstream;

namespace Weir.Gateway.Calls;

/// <summary>
/// An admitted call that got no answer from its server. Names the instance and the cause's sentence; quotes nothing of the server.
/// </summary>
internal sealed class CallFailedException(ErrorCode code, string outcome, string message, Exception? inner = null) : Exception(
    message, inner)
{
    public ErrorCode Code { get; } = code;

    public string Outcome { get; } = outcome;

    /// <summary>Why, for programs; null where no server is at fault.</summary>
    public FailureCause? Cause { get; init; }

    /// <summary>How long a retry is of no use, where that is known.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>The request may have reached the server, so a tool may have run.</summary>
    public bool MayHaveArrived { get; set; }

    public static CallFailedException Unreachable(string instance, string why, FailureCause cause = FailureCause.NoEndpoint) =>
        new(ErrorCode.InstanceUnavailable, Outcomes.UpstreamError, $"The server '{instance}' {why}.") { Cause = cause };

    public static CallFailedException Busy(string instance) =>
        new(ErrorCode.InstanceUnavailable, Outcomes.UpstreamError,
            $"The server '{instance}' has as many calls in flight as mcp.maxCallsPerServer allows.")
        {
            Cause = FailureCause.TooManyCalls,
        };

    public static CallFailedException Broken(string instance, TimeSpan pause) =>
        new(ErrorCode.InstanceUnavailable, Outcomes.UpstreamError,
            $"The server '{instance}' has failed repeatedly and is left alone for {Math.Ceiling(pause.TotalSeconds):0} s.")
        {
            Cause = FailureCause.CircuitOpen,
            RetryAfter = pause,
        };

    public static CallFailedException SwitchedOff(bool mayHaveArrived) =>
        new(ErrorCode.Forbidden, Outcomes.Cancelled,
            $"{Denials.SwitchedOffText} This one was interrupted."
                + (mayHaveArrived ? " The server may still have done what was asked." : ""));

    /// <param name="missed">What it did not do in time.</param>
    public static CallFailedException TimedOut(string instance, string missed, bool mayHaveArrived) =>
        new(ErrorCode.UpstreamTimeout, Outcomes.Timeout,
            $"The server '{instance}' {missed}.{(mayHaveArrived ? " It may still have done what was asked." : "")}")
        {
            Cause = FailureCause.TimedOut,
        };

    public static CallFailedException Of(string instance, UpstreamException e)
    {
        var (code, words) = e.Failure switch
        {
            UpstreamFailure.Unreachable =>
                (ErrorCode.InstanceUnavailable,
                    $"The server '{instance}' could not be reached, or broke the connection. {e.Cause.Sentence()}"),
            UpstreamFailure.SessionLost when e.IsNotCarriedOut =>
                (ErrorCode.InstanceUnavailable, $"The server '{instance}' has lost its session. {e.Cause.Sentence()}"),
            UpstreamFailure.SessionLost =>
                (ErrorCode.UpstreamFailed,
                $"The session of the server '{instance}' ended before it answered. It may still have done what was asked."),
            UpstreamFailure.TooLarge =>
                (ErrorCode.UpstreamFailed, $"The answer of the server '{instance}' is larger than mcp.maxResponseBytes. Ask for less."),
            UpstreamFailure.OverBudget =>
                (ErrorCode.UpstreamFailed,
                $"The server '{instance}' sends more than the call (twice mcp.maxResponseBytes) or its organization "
                    + "(limits.heldMegabytesPerOrganization) may hold at this replica at once. Ask for less, or make fewer calls at once."),
            UpstreamFailure.Full => (ErrorCode.InstanceUnavailable, $"The server '{instance}' is full. {e.Cause.Sentence()}"),
            UpstreamFailure.Late => (ErrorCode.UpstreamTimeout, $"The server '{instance}' did not answer in time. {e.Cause.Sentence()}"),
            UpstreamFailure.Refused =>
                (ErrorCode.UpstreamFailed, $"Weir refuses to connect to the server '{instance}'. {e.Cause.Sentence()}"),
            _ when e.Cause is FailureCause.ProtocolError or FailureCause.MalformedError =>
                (ErrorCode.UpstreamFailed, $"The server '{instance}' broke the protocol: {e.Cause.Sentence()}"),
            _ => (ErrorCode.UpstreamFailed, $"The server '{instance}' did not answer the call: {e.Cause.Sentence()}"),
        };
        return new CallFailedException(code, code == ErrorCode.UpstreamTimeout ? Outcomes.Timeout : Outcomes.UpstreamError, words,
            e) { Cause = e.Cause, RetryAfter = e.RetryAfter };
    }
}
