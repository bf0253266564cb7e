namespace Weir.Postgres.Embedded;

/// <summary>What differs between the cluster of <c>weir up</c> and the throw-away one of the tests.</summary>
internal sealed record EmbeddedPostgresOptions
{
    /// <summary>The database that is made on the first start.</summary>
    public string Database { get; init; } = "weir";

    /// <summary>Where the cluster's directory is made. Null: where <see cref="SharedPlace"/> says.</summary>
    public string? Place { get; init; }

    /// <summary>The programs that run it. Null: those that are found, or installed.</summary>
    public PostgresBinaries? Programs { get; init; }

    /// <summary>How often it is looked whether the programs were replaced.</summary>
    public TimeSpan LookEvery { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Server settings, each as <c>name=value</c>.</summary>
    public IReadOnlyList<string> Settings { get; init; } = Durable;

    /// <summary>
    /// The libraries of functions that Weir's SQL calls. The server loads them once, before it makes a session, and a session has them from
    /// it: one that loaded them itself, after PostgreSQL's package was upgraded, would get those of another build.
    /// </summary>
    public static IReadOnlyList<string> Preloaded { get; } = ["plpgsql", "dict_snowball"];

    /// <summary>Everything that is committed survives a power cut.</summary>
    public static IReadOnlyList<string> Durable { get; } =
    [
        "shared_buffers=256MB", "max_connections=100", "wal_compression=on", "max_wal_size=2GB", "checkpoint_timeout=15min", "jit=off",
    ];

    /// <summary>Nothing survives; for tests.</summary>
    public static IReadOnlyList<string> ThrowAway { get; } =
    [
        "shared_buffers=128MB", "max_connections=200", "fsync=off", "synchronous_commit=off", "full_page_writes=off", "jit=off",
        "autovacuum=off",
    ];
}
