using Npgsql;
using Weir.Configuration;

namespace Weir.Postgres;

/// <summary>
/// The pools of one process. Each is named, so that its metrics carry the name and not a connection string.
/// Timeouts are short: a database that is down is a 503 at once, and the next call after its return simply works.
/// </summary>
internal sealed class Databases : IAsyncDisposable
{
    /// <summary>
    /// Connections of <see cref="Unverified"/>. More than one address may have in flight (<c>UnverifiedCallers</c>), so that no
    /// single address uses them up.
    /// </summary>
    private const int UnverifiedPoolSize = 8;

    /// <summary>
    /// Connections of <see cref="KeyReads"/>. More than one organization's keys may use at once (<c>rest.maxConcurrent</c>).
    /// </summary>
    private const int KeyReadsPoolSize = 8;

    private Databases(
        NpgsqlDataSource gateway, NpgsqlDataSource engine, NpgsqlDataSource unverified, NpgsqlDataSource keyReads,
        NpgsqlDataSource admission,
        NpgsqlDataSource aloneAdmission, NpgsqlDataSource completion, NpgsqlDataSource switches, NpgsqlDataSource newSessions) =>
        (Gateway, Engine, Unverified, KeyReads, Admission, AloneAdmission, Completion, Switches, NewSessions) =
        (gateway, engine, unverified, keyReads, admission, aloneAdmission, completion, switches, newSessions);

    /// <summary>The login <c>weir_gateway</c>: people's requests, through <see cref="UserSession"/> only.</summary>
    public NpgsqlDataSource Gateway { get; }

    /// <summary>The login <c>weir_engine</c>: catalogs, workers, nodes.</summary>
    public NpgsqlDataSource Engine { get; }

    /// <summary>
    /// The login <c>weir_engine</c> for callers who are not known yet: sign-ins, unknown keys, registrations of nodes. They wait for one
    /// another and never for a connection of <see cref="Engine"/>.
    /// </summary>
    public NpgsqlDataSource Unverified { get; }

    /// <summary>
    /// The login <c>weir_engine</c> for what good keys of organizations read: it may take seconds, and takes no connection of
    /// <see cref="Engine"/>.
    /// </summary>
    public NpgsqlDataSource KeyReads { get; }

    /// <summary>The login <c>weir_engine</c> once more: a pool that nothing but admission can use up.</summary>
    public NpgsqlDataSource Admission { get; }

    /// <summary>
    /// Admission of one organization whose calls made a batch fail: it takes no connection of the others, and has more time.
    /// </summary>
    public NpgsqlDataSource AloneAdmission { get; }

    /// <summary>
    /// The login <c>weir_engine</c> with <c>synchronous_commit=off</c>: outcomes, whose loss a crash may cost but nothing else.
    /// </summary>
    public NpgsqlDataSource Completion { get; }

    /// <summary>The login <c>weir_engine</c>: asks what is switched off, on a connection that no flood of other work can use up.</summary>
    public NpgsqlDataSource Switches { get; }

    /// <summary>
    /// The login <c>weir_engine</c>, a new session for each statement: what a pool's old sessions have may be gone for new ones.
    /// </summary>
    public NpgsqlDataSource NewSessions { get; }

    /// <exception cref="ConfigException">One of the two URLs is missing.</exception>
    public static Databases Open(DatabaseConfig config)
    {
        string[] missing =
        [
            .. config.Url is null ? ["database.url (WEIR_DATABASE_URL): it must be set."] : Array.Empty<string>(),
            .. config.EngineUrl is null ? ["database.engineUrl (WEIR_ENGINE_DATABASE_URL): it must be set."] : Array.Empty<string>(),
        ];
        if (missing.Length > 0)
        {
            throw new ConfigException(missing);
        }

        // Generic plans: the statements inside the engine's functions are index look-ups whose plan never depends on the values, and
        // planning them anew for each call was measured at more than half of an admission.
        // A plan that is kept may have been made of tables that were empty, where reading the whole table looked cheapest (decision 0061).
        const string EngineOptions = "-c jit=off -c plan_cache_mode=force_generic_plan -c enable_seqscan=off";
        // Prepared by the driver only where no caller can make a statement fail: a failure while it prepares leaves the connection's
        // statements out of step, and the ones that follow read each other's answers (npgsql/npgsql#6391).
        return new Databases(
            Build("weir-gateway", config.Url!, config, config.PoolSize, ""),
            Build("weir-engine", config.EngineUrl!, config, config.PoolSize, EngineOptions),
            Build("weir-unverified", config.EngineUrl!, config, UnverifiedPoolSize, EngineOptions),
            Build("weir-key-reads", config.EngineUrl!, config, KeyReadsPoolSize, EngineOptions),
            // A full batch takes less than a tenth of this at the most that rules may cost. One that takes longer is decided again in
            // parts.
            Build("weir-admission", config.EngineUrl!, config, 2, EngineOptions + " -c statement_timeout=1s", prepared: 10),
            Build("weir-admission-alone", config.EngineUrl!, config, 1, EngineOptions + " -c statement_timeout=2s", prepared: 10),
            Build("weir-completion", config.EngineUrl!, config, 1, EngineOptions + " -c synchronous_commit=off", prepared: 10),
            Build("weir-switches", config.EngineUrl!, config, 1, EngineOptions),
            Build("weir-new-session", config.EngineUrl!, config, poolSize: 0, EngineOptions));
    }

    public async ValueTask DisposeAsync()
    {
        await Gateway.DisposeAsync();
        await Engine.DisposeAsync();
        await Unverified.DisposeAsync();
        await KeyReads.DisposeAsync();
        await Admission.DisposeAsync();
        await AloneAdmission.DisposeAsync();
        await Completion.DisposeAsync();
        await Switches.DisposeAsync();
        await NewSessions.DisposeAsync();
    }

    /// <param name="poolSize">0: no connection is kept.</param>
    private static NpgsqlDataSource Build(string name, string url, DatabaseConfig config, int poolSize, string options, int prepared = 0)
    {
        var connection = DatabaseUrl.Parse(url);
        connection.ApplicationName = name;
        (connection.Pooling, connection.MaxPoolSize) = (poolSize > 0, Math.Max(1, poolSize));
        connection.Timeout = config.ConnectTimeoutSeconds;
        connection.CommandTimeout = config.CommandTimeoutSeconds;
        connection.CancellationTimeout = 1000;
        connection.MaxAutoPrepare = prepared;
        connection.AutoPrepareMinUsages = 2;
        // No session state is ever set: identity and settings live in one transaction, so there is nothing to reset.
        connection.NoResetOnClose = true;
        connection.Options = $"{connection.Options} {options}".Trim();
        var source = new NpgsqlDataSourceBuilder(connection.ConnectionString) { Name = name }.Build();
        return poolSize > 0 ? source.KeepLive() : source;
    }
}
