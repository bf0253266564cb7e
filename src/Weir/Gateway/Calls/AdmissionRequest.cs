using System.Buffers;
using Weir.Identity;

namespace Weir.Gateway.Calls;

/// <summary>The kinds of interaction, as the audit log spells them. Admission decides all but the last.</summary>
internal static class CallKinds
{
    public const string Tool = "tool_execution";
    public const string Resource = "resource_read";
    public const string Prompt = "prompt_get";
    public const string Context = "context_request";

    /// <summary>A request that could not be understood.</summary>
    public const string Error = "error";

    private static readonly SearchValues<char> SchemeCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+.-");

    /// <summary>As <c>weir.is_uri</c>: it begins with a scheme.</summary>
    public static bool IsUri(string item)
    {
        var colon = item.IndexOf(':', StringComparison.Ordinal);
        return colon > 0 && char.IsAsciiLetter(item[0]) && item.AsSpan(0, colon).IndexOfAnyExcept(SchemeCharacters) < 0;
    }
}

/// <summary>The key of a call's rows in the audit log, made here.</summary>
/// <param name="Id">UUIDv7.</param>
/// <param name="CreatedAt">Whole microseconds, as PostgreSQL keeps them: the key must be the same on both sides.</param>
internal readonly record struct CallKey(Guid Id, DateTime CreatedAt)
{
    public static CallKey At(DateTimeOffset now) =>
        new(Guid.CreateVersion7(now), new DateTime(now.UtcTicks - (now.UtcTicks % TimeSpan.TicksPerMicrosecond), DateTimeKind.Utc));
}

/// <summary>One call that waits for its decision.</summary>
/// <param name="OrganizationId">A hint from the agent's snapshot, null where there is none yet: whose lock admission takes. A wrong one is
/// answered <c>changing</c>.</param>
/// <param name="InstanceId">Null where the exposed name was not found; then <paramref name="Item"/> is that name.</param>
/// <param name="Arguments">The exact text that will be forwarded; null where the call has none.</param>
/// <param name="Attempt">From 1; a retry after <c>changing</c> is a new row with the next number.</param>
internal sealed record AdmissionRequest(
    CallKey Key,
    Guid? OrganizationId,
    Principal Principal,
    string Kind,
    Guid? InstanceId,
    string Item,
    string? Arguments,
    string RequestId,
    int Attempt,
    long RequestBytes,
    byte[] RequestHash,
    string RequestCopy)
{
    /// <summary>Its organization has as much open at this replica as it may: admission denies it, if nothing else does.</summary>
    public bool IsAtLimit { get; init; }

    /// <summary>
    /// The instance in the endpoint's path, if the called name did not resolve. The audit log shows it. Null at <c>/mcp</c>.
    /// </summary>
    public string? InstanceName { get; init; }

    /// <summary>Whose turn it takes in a batch: the organization where it is known, else the principal.</summary>
    public string Fairness => OrganizationId?.ToString() ?? Principal.Name;
}

/// <summary>What the database decided about one call, and where the call goes if it was admitted.</summary>
internal sealed record Decision(
    bool Admitted,
    string? Reason,
    Guid? OrganizationId,
    Guid? AgentId,
    Guid? InstanceId,
    string? InstanceName,
    string? EndpointUrl,
    Guid? NodeId,
    string? Share,
    string? Detail)
{
    /// <summary>How often the instance was restarted or updated.</summary>
    public long Resets { get; init; }
}

/// <summary>How an admitted call ended.</summary>
internal sealed record Completion(
    CallKey Key,
    string Outcome,
    string? ErrorCode,
    long DurationMicroseconds,
    long ResponseBytes,
    byte[]? ResponseHash,
    string? ResponseCopy);

/// <summary>Outcomes as the audit log spells them.</summary>
internal static class Outcomes
{
    public const string Ok = "ok";
    public const string ToolError = "tool_error";
    public const string ProtocolError = "protocol_error";
    public const string UpstreamError = "upstream_error";
    public const string Timeout = "timeout";
    public const string Cancelled = "cancelled";
}
