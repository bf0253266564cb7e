using System.Collections.Frozen;

namespace Weir.Errors;

/// <summary>
/// Why a server could not be deployed, does not run or could not be called: the closed list behind <c>last_error_code</c> and <c>data.cause</c>,
/// and the one sentence per code that clients read. An admin gets a longer text of Weir's own as <c>last_error</c>. The table
/// <c>weir.failure_codes</c> and <c>docs/errors.md</c> have the same list; a test compares the three. A published code is never reused.
/// </summary>
internal static class FailureCodes
{
    /// <summary>By code, in the order of <c>docs/errors.md</c>.</summary>
    public static readonly IReadOnlyList<KeyValuePair<string, string>> All =
    [
        // Connecting.
        new("connection_refused", "Nobody listens at the server's address."),
        new("name_not_resolved", "The server's host name has no address."),
        new("tls_failed", "There is no TLS connection: the server's certificate is not valid for its address, or it does not speak TLS."),
        new("connection_failed", "There is no connection to the server, or it broke."),
        new("timed_out", "The server did not answer in time."),
        new("address_not_allowed", "Weir does not connect to the server's address."),
        new("scheme_not_allowed", "Weir connects to servers by https only."),

        // Answers.
        new("unauthorized", "The server wants a credential, and Weir has none for it."),
        new("access_denied", "The server does not allow the request."),
        new("endpoint_not_found", "There is no MCP endpoint at the server's URL."),
        new("rate_limited", "The server gets too many requests."),
        new("server_unavailable", "The server is not available at the moment."),
        new("server_error", "The server failed."),
        new("redirected", "The server redirects, and Weir follows no redirect."),
        new("http_error", "The server answered with an HTTP status that is no success."),
        new("not_mcp", "The server's answer is neither JSON nor an event stream."),
        new("malformed_error", "The server's error has no integer as its code, or no text as its message."),
        new("protocol_error", "The server's answer is not MCP."),
        new("request_refused", "The server answered a request of Weir's own with an error."),
        new("version_not_supported", "The server speaks no protocol version that Weir knows."),
        new("too_large", "The server's answer is larger than Weir takes."),
        new("session_lost", "The server does not know its session any more."),
        new("full", "The server has no room for more at the moment."),
        new("too_many_calls", "As many calls are in flight at the server as it may have."),
        new("circuit_open", "The server has failed repeatedly and is left alone for a few seconds."),
        new("no_endpoint", "The server has no address."),

        // Installing a package.
        new("package_invalid", "The package is not one that a node can run."),
        new("package_not_found", "The package registry has no such package or version."),
        new("registry_unreachable", "The node does not reach the package registry."),
        new("install_timed_out", "The package was not installed in time."),
        new("package_install_failed", "The package could not be installed."),
        new("executable_missing", "The package does not have the executable."),
        new("executable_ambiguous", "The package has several executables, and the catalog does not say which one to run."),

        // Starting and running a process.
        new("template_invalid", "The configuration does not fit the catalog entry."),
        new("runtime_unavailable", "The node has no runtime for the server."),
        new("directory_failed", "The node could not prepare the server's directory."),
        new("start_failed", "The node could not start the server's process."),
        new("exited_at_start", "The server ended before it answered."),
        new("handshake_timed_out", "The server did not answer initialize in time."),
        new("listing_timed_out", "The server did not list its tools in time."),
        new("listing_refused", "The server answered the list of its tools with an error."),
        new("child_exited", "The server ended."),
        new("unresponsive", "The server does not answer pings."),
        new("restarting", "The server is being restarted."),
        new("stop_failed", "The server's processes could not be ended."),
        new("removal_incomplete", "The server's directory is not removed yet."),
        new("not_running", "The node does not run the server."),

        // Nodes.
        new("no_node", "No node that is online may run the server."),
        new("node_unreachable", "The node does not answer."),
        new("node_key_lost", "The node's key cannot be opened."),
        new("node_lost", "The node was not heard of."),
        new("node_restarted", "The node was restarted."),
        new("node_stopped", "The node was stopped."),
        new("second_organization", "The node serves one organization, and this is another one."),
        new("generation_refused", "The node knows a generation that Weir does not believe."),
        new("stale_generation", "The node knows a later generation."),
        new("operation_reused", "The node has seen the operation with another content."),
        new("invalid_argument", "The node does not take what it was asked for."),
        new("not_supported", "The node does not have what it was asked for."),
        new("capability_too_old", "Weir is too old for the node."),
        new("unauthenticated", "The node does not take Weir's key."),
        new("forbidden", "The node does not take requests by this address."),
        new("not_found", "The node does not have the server."),

        // Anything else.
        new("failed", "The server failed, and its node gave no reason that Weir knows."),
        new("degraded", "The server does not work as it should, and its node gave no reason that Weir knows."),
        new("internal", "Weir or its node failed; the log says why."),
    ];

    private static readonly FrozenDictionary<string, string> Sentences = All.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>What clients read.</summary>
    public static string Sentence(string code) => Sentences[code];
}
