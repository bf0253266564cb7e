using System.Text.Json.Serialization;

namespace Weir.Nodes;

/// <summary>
/// The wire between Weir and a node: this one file is compiled into both. Every request of either side carries the header
/// <see cref="CapabilityHeader"/>; a node refuses a Weir that is older than <see cref="OldestCapability"/> and the reverse.
/// </summary>
internal static class NodeContract
{
    /// <summary>
    /// Rises with every change that the other side can notice; never falls.
    /// 1: 2026-11-22: desired state by PUT, process runtime, share instance and session, heartbeat.
    /// 2: 2026-11-30: removal_incomplete.
    /// 3: 2026-11-30: maxSessions and callsAtOnce of a server, Retry-After with session_limit, and the answer to a heartbeat names what is
    /// not placed on the node.
    /// 4: 2026-11-30: the phase of a server that starts, and one code for each cause: handshake_failed is no longer sent.
    /// </summary>
    public const int CapabilityVersion = 4;

    /// <summary>The oldest version of the other side that this one still serves.</summary>
    public const int OldestCapability = 1;

    public const string CapabilityHeader = "Weir-Capability-Version";

    /// <summary>Carries the operation id: the same id with the same body is applied once, with another body it is a conflict.</summary>
    public const string IdempotencyHeader = "Idempotency-Key";

    /// <summary>The one place that a node fills in by itself, in args and env: the instance's own directory.</summary>
    public const string InstanceDirPlaceholder = "${instanceDir}";
}

/// <summary>
/// What should be true of one instance on a node: the body of <c>PUT /v1/servers/{id}</c>. Args and env are final but for
/// <see cref="NodeContract.InstanceDirPlaceholder"/>.
/// </summary>
/// <param name="Generation">Rises with each intent; a node refuses a lower one than it has seen.</param>
/// <param name="OrganizationId">Decides under which user the children run.</param>
/// <param name="Name">For logs only.</param>
/// <param name="Desired"><c>running</c> or <c>stopped</c>. A stopped instance keeps its directory.</param>
/// <param name="Runtime"><c>process</c>.</param>
/// <param name="Transport"><c>stdio</c>.</param>
/// <param name="Share"><c>instance</c>: one child for all sessions; <c>session</c>: one child for each.</param>
/// <param name="MaxSessions">Of <c>share: session</c>; null: the node's <c>session-children</c>.</param>
/// <param name="CallsAtOnce">How many calls the server takes at one time, over all of its processes; null: as many as come.</param>
/// <param name="Package">A package name of the npm registry; needed to run.</param>
/// <param name="Version">Its exact version; ranges and tags are refused.</param>
/// <param name="Bin">Which of the package's executables; null where it has one.</param>
internal sealed record ServerSpec(
    long Generation,
    Guid OrganizationId,
    string Name,
    string Desired,
    string Runtime,
    string Transport,
    string Share,
    int? MaxSessions,
    int? CallsAtOnce,
    string? Package,
    string? Version,
    string? Bin,
    string[] Args,
    Dictionary<string, string> Env);

/// <summary>What is true of one instance.</summary>
/// <param name="State">One of <see cref="ServerStates"/>.</param>
/// <param name="ErrorCode">Why it is not <c>running</c>, one of <see cref="NodeErrors"/>, or null.</param>
/// <param name="Error">The node's own sentence, without anything that a server or npm printed: that is in the instance's log.</param>
/// <param name="Phase">One of <see cref="ServerPhases"/> while the server is <c>starting</c>, else null.</param>
internal sealed record ServerStatus(Guid Id, long Generation, string State, string? ErrorCode, string? Error, string? Phase = null);

internal sealed record ServerList(ServerStatus[] Servers);

/// <param name="At">When the node read the line.</param>
/// <param name="Source">
/// <c>stderr</c>, <c>stdout</c> (what is not a message, or is an error in the handshake), <c>mcp</c> (log notifications), <c>npm</c> or
/// <c>node</c>.
/// </param>
internal sealed record LogLine(DateTimeOffset At, string Source, string Text);

internal sealed record LogLines(LogLine[] Lines);

/// <summary>Answer of <c>GET /v1/status</c>, and part of each heartbeat.</summary>
/// <param name="Isolation"><c>user</c>: one user per organization; <c>none</c>: the node is not root and serves one organization.</param>
/// <param name="Problem">What keeps the node from serving, in one line that says what to do; or null.</param>
internal sealed record NodeStatus(
    int CapabilityVersion, string Version, string Isolation, string[] Runtimes, int Servers, int Children, long UptimeSeconds,
    string? Problem);

/// <param name="Token">Empty where it is the bearer of the request, which is better: Weir then reads no body of who has none.</param>
internal sealed record RegisterRequest(
    string Token, string ApiUrl, string ApiKey, int CapabilityVersion, string Isolation, string[] Runtimes, string? Name, string? Region);

internal sealed record RegisterResponse(Guid NodeId, string NodeKey);

internal sealed record HeartbeatRequest(string ApiUrl, NodeStatus Status, ServerStatus[] Servers)
{
    /// <summary>More than these are refused.</summary>
    public const int MostServers = 4096;

    /// <summary>A larger body is refused, whatever it says. Bytes.</summary>
    public const int MostBytes = 2 * 1024 * 1024;
}

/// <param name="NotPlaced">What the node has and should not run: it ends them and keeps their files. Null from a Weir before version
/// 3.</param>
internal sealed record HeartbeatResponse(int Applied, ServerGeneration[]? NotPlaced = null);

/// <summary>An instance in the generation that was reported: nothing is said of a later one.</summary>
internal sealed record ServerGeneration(Guid Id, long Generation);

internal sealed record NodeErrorBody(NodeError Error);

/// <param name="Code">One of <see cref="NodeErrors"/>.</param>
internal sealed record NodeError(string Code, string Message);

/// <summary>The states that a node reports. <c>starting</c> is an instance that has not yet run in its generation.</summary>
internal static class ServerStates
{
    public const string Starting = "starting";
    public const string Running = "running";
    public const string Degraded = "degraded";
    public const string Stopped = "stopped";
    public const string Failed = "failed";
}

/// <summary>The steps until a server runs.</summary>
internal static class ServerPhases
{
    public const string Installing = "installing";
    public const string Starting = "starting";
    public const string Handshake = "handshake";
    public const string Listing = "listing";
}

/// <summary>
/// The closed list of codes, of the API's errors and of an instance's <c>errorCode</c>; all are among <c>FailureCodes</c>. A code is never
/// reused.
/// </summary>
internal static class NodeErrors
{
    public const string InvalidArgument = "invalid_argument";
    public const string Unauthenticated = "unauthenticated";
    public const string Forbidden = "forbidden";
    public const string NotFound = "not_found";
    public const string NotSupported = "not_supported";
    public const string CapabilityTooOld = "capability_too_old";
    public const string StaleGeneration = "stale_generation";
    public const string OperationReused = "operation_reused";
    public const string SecondOrganization = "second_organization";
    public const string Internal = "internal";

    public const string RuntimeUnavailable = "runtime_unavailable";
    public const string PackageInvalid = "package_invalid";
    public const string PackageNotFound = "package_not_found";
    public const string RegistryUnreachable = "registry_unreachable";
    public const string InstallTimedOut = "install_timed_out";
    public const string PackageInstallFailed = "package_install_failed";
    public const string ExecutableMissing = "executable_missing";
    public const string ExecutableAmbiguous = "executable_ambiguous";
    public const string DirectoryFailed = "directory_failed";
    public const string StartFailed = "start_failed";
    public const string ExitedAtStart = "exited_at_start";
    public const string HandshakeTimedOut = "handshake_timed_out";
    public const string RequestRefused = "request_refused";
    public const string ProtocolError = "protocol_error";
    public const string VersionNotSupported = "version_not_supported";
    public const string TooLarge = "too_large";
    public const string ListingTimedOut = "listing_timed_out";
    public const string ListingRefused = "listing_refused";
    public const string ChildExited = "child_exited";
    public const string Unresponsive = "unresponsive";
    public const string Restarting = "restarting";
    public const string NodeRestarted = "node_restarted";
    public const string NodeStopped = "node_stopped";
    public const string StopFailed = "stop_failed";
    public const string RemovalIncomplete = "removal_incomplete";
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = false)]
[JsonSerializable(typeof(ServerSpec))]
[JsonSerializable(typeof(ServerStatus))]
[JsonSerializable(typeof(ServerStatus[]))]
[JsonSerializable(typeof(ServerList))]
[JsonSerializable(typeof(LogLine))]
[JsonSerializable(typeof(LogLines))]
[JsonSerializable(typeof(NodeStatus))]
[JsonSerializable(typeof(RegisterRequest))]
[JsonSerializable(typeof(RegisterResponse))]
[JsonSerializable(typeof(HeartbeatRequest))]
[JsonSerializable(typeof(HeartbeatResponse))]
[JsonSerializable(typeof(ServerGeneration[]))]
[JsonSerializable(typeof(NodeErrorBody))]
internal sealed partial class NodeJson : JsonSerializerContext;
