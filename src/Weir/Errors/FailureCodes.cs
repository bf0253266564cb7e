using System.Collections.Frozen;

namespace Weir.Errors;

/// <summary>
/// Why a server could not be deployed, does not run or could not be called: the closed list behind <c>last_error_code</c> and
/// <c>data.cause</c>, and the one sentence per code that clients read. An admin gets a longer text of Weir's own as <c>last_error</c>. The
/// table <c>weir.failure_codes</c> and <c>docs/errors.md</c> have the same list; a test compares the three. A published code is never
/// reused.
/// </summary>
internal static class FailureCodes
{
    /// <summary>By code, in the order of <c>docs/errors.md</c>.</summary>
    public static readonly IReadOnlyList<KeyValuePair<string, string>> All =
    [
        // Connecting.
        new("connection_refused", "Nothing listens at the server's address."),
        new("name_not_resolved", "The server's host name does not resolve to an address."),
        new("tls_failed",
            "The TLS connection failed: the server's certificate is not valid for its address, or the server does not speak TLS."),
        new("connection_failed", "The connection to the server failed or broke."),
        new("timed_out", "The server did not answer in time."),
        new("address_not_allowed", "Weir does not connect to the server's address."),
        new("scheme_not_allowed", "Weir connects to servers by https only."),

        // Answers.
        new("unauthorized", "The server requires a credential, and Weir has none for it."),
        new("access_denied", "The server does not allow the request."),
        new("endpoint_not_found", "There is no MCP endpoint at the server's URL."),
        new("rate_limited", "The server received too many requests."),
        new("server_unavailable", "The server is temporarily unavailable."),
        new("server_error", "The server reported an internal error."),
        new("redirected", "The server redirects, and Weir follows no redirects."),
        new("http_error", "The server answered with an unexpected HTTP status."),
        new("not_mcp", "The server's answer is neither JSON nor an event stream."),
        new("malformed_error", "The server's error is malformed: its code is not an integer, or its message is not a string."),
        new("protocol_error", "The server's answer is not valid MCP."),
        new("request_refused", "The server answered one of Weir's own requests with an error."),
        new("version_not_supported", "The server speaks no protocol version that Weir supports."),
        new("too_large", "The server's answer is larger than Weir accepts."),
        new("session_lost", "The server no longer knows its session."),
        new("full", "The server has no capacity left at the moment."),
        new("too_many_calls", "The server already has its maximum of concurrent calls."),
        new("circuit_open", "The server has failed repeatedly, so Weir does not call it for a few seconds."),
        new("no_endpoint", "The server has no address."),

        // Installing a package.
        new("package_invalid", "The package is not one that a node can run."),
        new("package_not_found", "The package registry has no such package or version."),
        new("registry_unreachable", "The node cannot reach the package registry."),
        new("install_timed_out", "The package was not installed in time."),
        new("package_install_failed", "The package could not be installed."),
        new("executable_missing", "The package does not contain the executable."),
        new("executable_ambiguous", "The package has several executables, and the catalog entry names none of them."),

        // Starting and running a process.
        new("template_invalid", "The configuration does not fit the catalog entry."),
        new("runtime_unavailable", "The node does not have the runtime that the server needs."),
        new("directory_failed", "The node could not prepare the server's directory."),
        new("start_failed", "The node could not start the server's process."),
        new("exited_at_start", "The server exited before it answered."),
        new("handshake_timed_out", "The server did not answer initialize in time."),
        new("listing_timed_out", "The server did not list its tools in time."),
        new("listing_refused", "The server answered the request for its tools with an error."),
        new("child_exited", "The server exited."),
        new("unresponsive", "The server does not answer pings."),
        new("restarting", "The server is being restarted."),
        new("stop_failed", "The server's processes could not be ended."),
        new("removal_incomplete", "The server's directory has not been removed yet."),
        new("not_running", "The node is not running the server."),

        // Nodes.
        new("no_node", "No online node is available for the server."),
        new("node_unreachable", "The node does not answer."),
        new("node_key_lost", "Weir cannot decrypt the node's key."),
        new("node_lost", "The node has stopped sending heartbeats."),
        new("node_restarted", "The node was restarted."),
        new("node_stopped", "The node was stopped."),
        new("second_organization", "The node serves one organization only, and it is another one."),
        new("generation_refused", "The node reports a generation far ahead of the database."),
        new("stale_generation", "The node already knows a later generation."),
        new("operation_reused", "The node has already received this operation id with a different body."),
        new("invalid_argument", "The node rejected the request."),
        new("not_supported", "The node does not support what was requested."),
        new("capability_too_old", "This version of Weir is too old for the node."),
        new("unauthenticated", "The node rejected Weir's key."),
        new("forbidden", "The node rejected this host name."),
        new("not_found", "The node does not have the server."),

        // The catalog.
        new("catalog_blocked", "The platform has blocked this catalog entry."),

        // Anything else.
        new("failed", "The server failed, and its node gave no reason that Weir knows."),
        new("degraded", "The server does not work properly, and its node gave no reason that Weir knows."),
        new("internal", "Weir or its node failed. The log says why."),
    ];

    private static readonly FrozenDictionary<string, string> Sentences = All.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>What clients read.</summary>
    public static string Sentence(string code) => Sentences[code];
}
