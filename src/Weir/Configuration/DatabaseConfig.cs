namespace Weir.Configuration;

/// <summary>The three logins and their pools.</summary>
internal sealed record DatabaseConfig
{
    /// <summary>
    /// URL of the login <c>weir_gateway</c>, which may become <c>authenticated</c> or <c>anon</c>. Unset: <c>up</c> starts its own
    /// PostgreSQL.
    /// </summary>
    public string? Url { get; init; }

    /// <summary>URL of the login <c>weir_engine</c>, which may execute the engine's functions.</summary>
    public string? EngineUrl { get; init; }

    /// <summary>
    /// URL of the migrator, who owns the tables. Read by <c>up</c>, <c>migrate</c>, <c>isolation check</c>, <c>doctor</c>,
    /// <c>platform-admin</c>, <c>chat-tools</c>, <c>stop-all</c> and <c>start-all</c> only.
    /// </summary>
    public string? OwnerUrl { get; init; }

    /// <summary>
    /// Largest number of connections in each pool. About four for each core of the database; more only adds waiting there.
    /// </summary>
    public int PoolSize { get; init; } = 8;

    /// <summary>How long a connection may take to open, or to become free in its pool. Seconds.</summary>
    public int ConnectTimeoutSeconds { get; init; } = 3;

    /// <summary>How long one statement may take before its caller gets a 503. Seconds.</summary>
    public int CommandTimeoutSeconds { get; init; } = 10;

    /// <summary>How long <c>serve</c> waits at its start for a database that does not answer. 0: it fails at once. Seconds.</summary>
    public int StartTimeoutSeconds { get; init; } = 60;

    /// <summary>For a command that does nothing without it.</summary>
    /// <exception cref="ConfigException">It is not set.</exception>
    public string RequireOwnerUrl() =>
        OwnerUrl ?? throw new ConfigException(["database.ownerUrl (WEIR_OWNER_DATABASE_URL): it must be set."]);

    public static DatabaseConfig Read(ConfigReader reader)
    {
        var defaults = new DatabaseConfig();
        return new DatabaseConfig
        {
            Url = reader.DatabaseUrl("database.url", "WEIR_DATABASE_URL"),
            EngineUrl = reader.DatabaseUrl("database.engineUrl", "WEIR_ENGINE_DATABASE_URL"),
            OwnerUrl = reader.DatabaseUrl("database.ownerUrl", "WEIR_OWNER_DATABASE_URL"),
            PoolSize = reader.Integer("database.poolSize", defaults.PoolSize, 1, 200),
            ConnectTimeoutSeconds = reader.Integer("database.connectTimeoutSeconds", defaults.ConnectTimeoutSeconds, 1, 60),
            CommandTimeoutSeconds = reader.Integer("database.commandTimeoutSeconds", defaults.CommandTimeoutSeconds, 1, 300),
            StartTimeoutSeconds = reader.Integer("database.startTimeoutSeconds", defaults.StartTimeoutSeconds, 0, 3600),
        };
    }
}
