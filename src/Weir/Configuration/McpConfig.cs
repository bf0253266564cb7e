namespace Weir.Configuration;

/// <summary>Bounds of the MCP surface.</summary>
internal sealed record McpConfig
{
    /// <summary>Largest request body. Bytes.</summary>
    public int MaxBodyBytes { get; init; } = 4 * 1024 * 1024;

    /// <summary>Deepest nesting of a request's JSON. Levels, at most <see cref="JsonDepth.Message"/>, which no message exceeds.</summary>
    public int MaxDepth { get; init; } = 64;

    /// <summary>Longest exposed tool name. Characters, 32 to 64: clients add a prefix of their own, and some drop longer names.</summary>
    public int MaxNameLength { get; init; } = 48;

    /// <summary>
    /// How long a call to a server may take until its answer or its next progress, where the server has no time of its own. Seconds.
    /// </summary>
    public int CallTimeoutSeconds { get; init; } = 60;

    /// <summary>How long a call may take however much progress it makes, and whatever time its server has. Seconds.</summary>
    public int MaxCallSeconds { get; init; } = 600;

    /// <summary>How long the person or model behind a client may take to answer what a server asks. Seconds.</summary>
    public int InputTimeoutSeconds { get; init; } = 300;

    /// <summary>
    /// Most calls that one server has in flight from one replica; more are refused, so that a slow one ties up no more than this. Calls.
    /// </summary>
    public int MaxCallsPerServer { get; init; } = 256;

    /// <summary>Most items in one page of a list. Items.</summary>
    public int PageSize { get; init; } = 1000;

    /// <summary>Largest response of a server that is passed on. Bytes.</summary>
    public int MaxResponseBytes { get; init; } = 16 * 1024 * 1024;

    public static McpConfig Read(ConfigReader reader)
    {
        var defaults = new McpConfig();
        var config = new McpConfig
        {
            MaxBodyBytes = reader.Integer("mcp.maxBodyBytes", defaults.MaxBodyBytes, 1024, 64 * 1024 * 1024),
            MaxDepth = reader.Integer("mcp.maxDepth", defaults.MaxDepth, 8, JsonDepth.Message),
            MaxNameLength = reader.Integer("mcp.maxNameLength", defaults.MaxNameLength, 32, 64),
            CallTimeoutSeconds = reader.Integer("mcp.callTimeoutSeconds", defaults.CallTimeoutSeconds, 1, 3600),
            MaxCallSeconds = reader.Integer("mcp.maxCallSeconds", defaults.MaxCallSeconds, 1, 3600),
            InputTimeoutSeconds = reader.Integer("mcp.inputTimeoutSeconds", defaults.InputTimeoutSeconds, 1, 3600),
            MaxCallsPerServer = reader.Integer("mcp.maxCallsPerServer", defaults.MaxCallsPerServer, 1, 100_000),
            PageSize = reader.Integer("mcp.pageSize", defaults.PageSize, 10, 5000),
            MaxResponseBytes = reader.Integer("mcp.maxResponseBytes", defaults.MaxResponseBytes, 1024, 1024 * 1024 * 1024),
        };
        if (config.MaxCallSeconds < config.CallTimeoutSeconds)
        {
            reader.AddError(
                "mcp.maxCallSeconds", $"{config.MaxCallSeconds} is less than mcp.callTimeoutSeconds, {config.CallTimeoutSeconds}.");
        }

        return config;
    }
}
