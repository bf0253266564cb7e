using Weir.Errors;
using Weir.Identity;

namespace Weir.Gateway.Calls;

/// <summary>
/// What a caller is told of a denial. What it may not know is told as if it did not exist: an unknown tool, one that is not
/// granted, one of another tenant and one whose definition waits for approval all read the same.
/// </summary>
internal static class Denials
{
    public static WeirException ToException(Decision decision, GovernedCall call) => decision.Reason switch
    {
        "key_unknown" or "key_expired" or "key_revoked" or "agent_inactive" or "organization_inactive" or "member_inactive" =>
            new(ErrorCode.Unauthenticated, KeyText.Refused),
        "agent_stopped" or "server_stopped" or "organization_stopped" or "platform_stopped" => SwitchedOff(),
        "user_forbidden" => new(ErrorCode.Forbidden, "This person may not execute tools through this agent."),
        "argument_rule" => new(
            ErrorCode.ArgumentsDenied,
            $"The arguments of '{call.ExposedName}' are not permitted{(decision.Detail is null ? "" : $": {decision.Detail}")}.",
            "Ask the server's admin which arguments the grant allows."),
        "limit" when decision.Detail == "connections" => LimitReached(),
        "limit" => new(ErrorCode.RateLimited, "The grant's limit of calls is used up.",
            decision.Detail is null ? "Retry later." : $"Retry after {decision.Detail} s."),
        "unavailable" => new(ErrorCode.InstanceUnavailable,
            $"The server '{decision.InstanceName}' is {decision.Detail ?? "not running"}.", "Retry when it runs."),
        "catalog_blocked" => new(ErrorCode.Forbidden, "The operator has blocked this server.",
            "Do not repeat the call. An admin of the organization sees the reason in the catalog."),
        "changing" => new(ErrorCode.Changing, "A permission is being changed at this moment.", "Retry."),
        "undecided" =>
            new(ErrorCode.Unavailable, "The database did not decide this call in time, so it was denied.", "Try again in a moment."),
        "error" => new(ErrorCode.Internal, "This call could not be decided, so it was denied."),
        _ => new(ErrorCode.NotFound, Unknown(call)),
    };

    /// <summary>A limit of this replica, and no grant's.</summary>
    public static WeirException LimitReached() => new(
        ErrorCode.RateLimited, "A limit of this replica is reached: open calls and streams (the organization's max_concurrent_connections, "
            + "limits.openPerAgent), calls a second (limits.callsPerSecondPerAgent, limits.callsPerSecondPerOrganization), or bytes of "
            + "messages (limits.heldMegabytesPerOrganization, limits.heldMegabytes).", "Retry in a moment.");

    /// <summary>One text for every switch and whoever used it. The audit log says which one it was.</summary>
    public static WeirException SwitchedOff() => new(ErrorCode.Forbidden, SwitchedOffText, "Ask an admin of the organization.");

    public const string SwitchedOffText = "The agent, the server, the organization or all of Weir is switched off, so no call is made.";

    private static string Unknown(GovernedCall call) => call.Kind switch
    {
        CallKinds.Prompt => $"Unknown prompt: {call.ExposedName}",
        CallKinds.Resource => $"Resource not found: {call.ExposedName}",
        _ => $"Unknown tool: {call.ExposedName}",
    };
}
