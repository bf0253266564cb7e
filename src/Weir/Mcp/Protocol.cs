using System.Collections.Frozen;

namespace Weir.Mcp;

/// <summary>Revisions, method names and header names of the protocol, as the specification spells them.</summary>
internal static class Protocol
{
    /// <summary>The stateless revision: no sessions, every request carries its version and capabilities in <c>_meta</c>.</summary>
    public const string Modern = "2026-07-28";

    /// <summary>The newest revision with <c>initialize</c> and sessions.</summary>
    public const string LatestLegacy = "2025-11-25";

    /// <summary>
    /// Spoken only toward servers, over either transport. Weir uses nothing that this revision lacks without the server's word for it.
    /// </summary>
    public const string OldestLegacy = "2024-11-05";

    /// <summary>What a legacy request without the version header means.</summary>
    public const string AssumedLegacy = "2025-03-26";

    public const string SessionHeader = "Mcp-Session-Id";
    public const string VersionHeader = "MCP-Protocol-Version";
    public const string MethodHeader = "Mcp-Method";
    public const string NameHeader = "Mcp-Name";

    public const string MetaVersion = "io.modelcontextprotocol/protocolVersion";
    public const string MetaClientInfo = "io.modelcontextprotocol/clientInfo";
    public const string MetaClientCapabilities = "io.modelcontextprotocol/clientCapabilities";
    public const string MetaServerInfo = "io.modelcontextprotocol/serverInfo";
    public const string MetaLogLevel = "io.modelcontextprotocol/logLevel";
    public const string MetaSubscriptionId = "io.modelcontextprotocol/subscriptionId";

    /// <summary>The extension by which a result may come later. Weir relays none, so it promises none to a server.</summary>
    public const string TasksExtension = "io.modelcontextprotocol/tasks";

    /// <summary>Legacy revisions that Weir speaks, newest first.</summary>
    public static readonly string[] LegacyVersions = [LatestLegacy, "2025-06-18", "2025-03-26"];

    /// <summary>Legacy revisions that Weir speaks toward servers, newest first.</summary>
    public static readonly string[] ServerVersions = [.. LegacyVersions, OldestLegacy];

    /// <summary>Methods whose request names its target in <c>Mcp-Name</c>, and the member of <c>params</c> that holds it.</summary>
    public static readonly FrozenDictionary<string, string> NamedBy = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        [Methods.ToolsCall] = "name",
        [Methods.PromptsGet] = "name",
        [Methods.ResourcesRead] = "uri",
    }.ToFrozenDictionary(StringComparer.Ordinal);
}

internal static class Methods
{
    public const string Initialize = "initialize";
    public const string Initialized = "notifications/initialized";
    public const string Discover = "server/discover";
    public const string Ping = "ping";
    public const string ToolsList = "tools/list";
    public const string ToolsCall = "tools/call";
    public const string PromptsList = "prompts/list";
    public const string PromptsGet = "prompts/get";
    public const string ResourcesList = "resources/list";
    public const string ResourcesRead = "resources/read";
    public const string ResourceTemplatesList = "resources/templates/list";
    public const string Complete = "completion/complete";
    public const string SetLevel = "logging/setLevel";
    public const string Subscribe = "resources/subscribe";
    public const string Unsubscribe = "resources/unsubscribe";
    public const string Listen = "subscriptions/listen";
    public const string Elicit = "elicitation/create";
    public const string Sample = "sampling/createMessage";
    public const string ListRoots = "roots/list";
    public const string Cancelled = "notifications/cancelled";
    public const string Progress = "notifications/progress";
    public const string Log = "notifications/message";
    public const string ElicitationComplete = "notifications/elicitation/complete";
    public const string ToolsListChanged = "notifications/tools/list_changed";
    public const string PromptsListChanged = "notifications/prompts/list_changed";
    public const string ResourcesListChanged = "notifications/resources/list_changed";
    public const string ResourceUpdated = "notifications/resources/updated";
    public const string Acknowledged = "notifications/subscriptions/acknowledged";
}

/// <summary>JSON-RPC error codes: the standard's, the protocol's, and Weir's own (outside every reserved range).</summary>
internal static class RpcCodes
{
    public const int ParseError = -32700;
    public const int InvalidRequest = -32600;
    public const int MethodNotFound = -32601;
    public const int InvalidParams = -32602;
    public const int InternalError = -32603;
    public const int HeaderMismatch = -32020;
    public const int MissingClientCapability = -32021;
    public const int UnsupportedProtocolVersion = -32022;

    /// <summary>Legacy only; a modern peer says <see cref="InvalidParams"/>.</summary>
    public const int ResourceNotFound = -32002;

    /// <summary>Legacy only: a person must visit an address first; a modern peer asks for input.</summary>
    public const int UrlElicitationRequired = -32042;

    /// <summary>Weir's own errors carry this code plus the number of their <c>WR</c> code: WR009 is 1009.</summary>
    public const int WeirBase = 1000;
}
