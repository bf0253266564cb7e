namespace Weir.Configuration;

/// <summary>Bounds of the MCP surface.</summary>
internal sealed record McpConfig
{
    /// <summary>Largest request body. Bytes.</summary>
    public int MaxBodyBytes { get; init; } = 4 * 1024 * 1024;

    /// <summary>Deepest nesting of a request's JSON. Levels.</summary>
    public int MaxDepth { get; init; } = 64;

    /// <summary>Longest exposed tool name. Characters, 32 to 64: clients add a prefix of their own, and some drop longer names.</summary>
    public int MaxNameLength { get; init; } = 48;

    /// <summary>How long a call to a server may take. Seconds.</summary>
    public int CallTimeoutSeconds { get; init; } = 60;

    /// <summary>How long the person or model behind a client may take to answer what a server asks. Seconds.</summary>
    public int InputTimeoutSeconds { get; init; } = 300;

    /// <summary>Most calls that one server has in flight from one replica; more are refused, so that a slow one ties up no more than this. Calls.</summary>
    public int MaxCallsPerServer { get; init; } = 256;

    /// <summary>Most items in one page of a list. Items.</summary>
    public int PageSize { get; init; } = 1000;

    /// <summary>Largest response of a server that is passed on. Bytes.</summary>
    public int MaxResponseBytes { get; init; } = 16 * 1024 * 1024;

    public static McpConfig Read(ConfigReader reader)
    {
        var defaults = new McpConfig();
        return new McpConfig
        {
            MaxBodyBytes = reader.Integer("mcp.maxBodyBytes", defaults.MaxBodyBytes, 1024, 64 * 1024 * 1024),
            MaxDepth = reader.Integer("mcp.maxDepth", defaults.MaxDepth, 8, 256),
            MaxNameLength = reader.Integer("mcp.maxNameLength", defaults.MaxNameLength, 32, 64),
            CallTimeoutSeconds = reader.Integer("mcp.callTimeoutSeconds", defaults.CallTimeoutSeconds, 1, 3600),
            InputTimeoutSeconds = reader.Integer("mcp.inputTimeoutSeconds", defaults.InputTimeoutSeconds, 1, 3600),
            MaxCallsPerServer = reader.Integer("mcp.maxCallsPerServer", defaults.MaxCallsPerServer, 1, 100_000),
            PageSize = reader.Integer("mcp.pageSize", defaults.PageSize, 10, 5000),
            MaxResponseBytes = reader.Integer("mcp.maxResponseBytes", defaults.MaxResponseBytes, 1024, 1024 * 1024 * 1024),
        };
    }
}

/// <summary>What one agent or organization may take of a replica. Fairness, not permission: each replica counts its own.</summary>
internal sealed record LimitsConfig
{
    /// <summary>Most calls and streams that one agent has open; 0: as many as its organization. Calls.</summary>
    public int OpenPerAgent { get; init; }

    /// <summary>Most calls a second of one agent; twice as many at once; 0: no limit. Calls per second.</summary>
    public int CallsPerSecondPerAgent { get; init; } = 500;

    /// <summary>Most calls a second of one organization; twice as many at once; 0: no limit. Calls per second.</summary>
    public int CallsPerSecondPerOrganization { get; init; } = 2000;

    public static LimitsConfig Read(ConfigReader reader)
    {
        var defaults = new LimitsConfig();
        return new LimitsConfig
        {
            OpenPerAgent = reader.Integer("limits.openPerAgent", defaults.OpenPerAgent, 0, 100_000),
            CallsPerSecondPerAgent = reader.Integer("limits.callsPerSecondPerAgent", defaults.CallsPerSecondPerAgent, 0, 1_000_000),
            CallsPerSecondPerOrganization = reader.Integer("limits.callsPerSecondPerOrganization", defaults.CallsPerSecondPerOrganization, 0, 1_000_000),
        };
    }
}

/// <summary>How calls are gathered for the statement that decides them.</summary>
internal sealed record AdmissionConfig
{
    /// <summary>Most calls in one admission statement. Calls.</summary>
    public int MaxBatch { get; init; } = 64;

    /// <summary>A second connection opens when the oldest waiting call is this old. Milliseconds.</summary>
    public int SecondConnectionMilliseconds { get; init; } = 5;

    public static AdmissionConfig Read(ConfigReader reader)
    {
        var defaults = new AdmissionConfig();
        return new AdmissionConfig
        {
            MaxBatch = reader.Integer("admission.maxBatch", defaults.MaxBatch, 1, 1000),
            SecondConnectionMilliseconds = reader.Integer("admission.secondConnectionMilliseconds", defaults.SecondConnectionMilliseconds, 0, 1000),
        };
    }
}

/// <summary>How outcomes are gathered for their record.</summary>
internal sealed record CompletionConfig
{
    /// <summary>At this many outcomes that wait for their record no further call is admitted. Outcomes.</summary>
    public int MaxWaiting { get; init; } = 10_000;

    public static CompletionConfig Read(ConfigReader reader) => new()
    {
        MaxWaiting = reader.Integer("completion.maxWaiting", new CompletionConfig().MaxWaiting, 1, 1_000_000),
    };
}

/// <summary>Where Weir may connect to beyond public https addresses.</summary>
internal sealed record EgressConfig
{
    /// <summary>Hosts, each with a port where it matters (<c>mcp.internal:8443</c>), that may be private addresses and plain http.</summary>
    public IReadOnlyList<string> Allow { get; init; } = [];

    public static EgressConfig Read(ConfigReader reader)
    {
        var config = new EgressConfig { Allow = reader.List("egress.allow", []) };
        foreach (var host in config.Allow.Where(h => !Uri.TryCreate($"http://{h}/", UriKind.Absolute, out var url) || url.PathAndQuery != "/" || url.UserInfo.Length > 0))
        {
            reader.AddError("egress.allow", $"\"{host}\" is not a host, nor host:port.");
        }

        return config;
    }
}
