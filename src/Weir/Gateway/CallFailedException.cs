using Weir.Errors;
using Weir.Upstream;

namespace Weir.Gateway;

/// <summary>An admitted call that got no answer from its server. Names the instance; quotes nothing of the server.</summary>
internal sealed class CallFailedException(ErrorCode code, string outcome, string message, Exception? inner = null) : Exception(message, inner)
{
    public ErrorCode Code { get; } = code;

    public string Outcome { get; } = outcome;

    public static CallFailedException Unreachable(string instance, string why) =>
        new(ErrorCode.InstanceUnavailable, Outcomes.UpstreamError, $"The server '{instance}' {why}.");

    public static CallFailedException Busy(string instance) =>
        new(ErrorCode.InstanceUnavailable, Outcomes.UpstreamError, $"The server '{instance}' has as many calls in flight as it may have.");

    public static CallFailedException Broken(string instance, TimeSpan pause) =>
        new(ErrorCode.InstanceUnavailable, Outcomes.UpstreamError,
            $"The server '{instance}' has failed repeatedly and is left alone for {Math.Ceiling(pause.TotalSeconds):0} s.");

    public static CallFailedException TimedOut(string instance, TimeSpan deadline) =>
        new(ErrorCode.UpstreamTimeout, Outcomes.Timeout,
            $"The server '{instance}' did not answer within {deadline.TotalSeconds:0.#} s. It may still have done what was asked.");

    public static CallFailedException Of(string instance, UpstreamException e) => e.Failure switch
    {
        UpstreamFailure.Unreachable => new(ErrorCode.InstanceUnavailable, Outcomes.UpstreamError,
            $"The server '{instance}' could not be reached, or broke the connection.", e),
        UpstreamFailure.TooLarge => new(ErrorCode.UpstreamFailed, Outcomes.UpstreamError,
            $"The answer of the server '{instance}' is larger than Weir passes on.", e),
        UpstreamFailure.Refused => new(ErrorCode.UpstreamFailed, Outcomes.UpstreamError,
            $"Weir does not connect to the address of the server '{instance}'.", e),
        _ => new(ErrorCode.UpstreamFailed, Outcomes.UpstreamError, $"The server '{instance}' broke the protocol: {e.Message}", e),
    };
}
