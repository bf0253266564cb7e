using Npgsql;
using Weir.Configuration;
using Weir.Postgres;

namespace Weir.Tests.Infrastructure;

/// <summary>A migrated database of one test class's own: <c>IClassFixture&lt;TestDatabase&gt;</c>.</summary>
public class TestDatabase(TestCluster cluster) : IAsyncLifetime
{
    private NpgsqlDataSource? _owner;
    private NpgsqlDataSource? _superuser;
    private Databases? _secondPools;

    public TestCluster Cluster => cluster;

    public string Name { get; private set; } = "";

    public string OwnerUrl => cluster.OwnerUrl(Name);

    public string GatewayUrl => TestCluster.InDatabase(cluster.Postgres.GatewayUrl, Name);

    public string EngineUrl => TestCluster.InDatabase(cluster.Postgres.EngineUrl, Name);

    /// <summary>The pools as the product opens them.</summary>
    internal Databases Pools { get; private set; } = null!;

    /// <summary>Those of another replica.</summary>
    internal Databases SecondPools => _secondPools ??= Databases.Open(Config);

    internal UserSession Users => new(Pools.Gateway);

    internal DatabaseConfig Config => new() { Url = GatewayUrl, EngineUrl = EngineUrl, OwnerUrl = OwnerUrl, PoolSize = 4 };

    /// <summary>The migrator.</summary>
    public NpgsqlDataSource Owner => _owner ??= TestCluster.Source(OwnerUrl);

    /// <summary>Bypasses every policy; for fixtures and for looking at what was recorded.</summary>
    public NpgsqlDataSource Superuser => _superuser ??= cluster.Superuser(Name);

    public async ValueTask InitializeAsync()
    {
        Name = await cluster.CreateDatabaseAsync(migrated: true);
        Pools = Databases.Open(Config);
    }

    public async ValueTask DisposeAsync()
    {
        await Pools.DisposeAsync();
        if (_secondPools is not null)
        {
            await _secondPools.DisposeAsync();
        }

        if (_owner is not null)
        {
            await _owner.DisposeAsync();
        }

        if (_superuser is not null)
        {
            await _superuser.DisposeAsync();
        }

        await cluster.DropDatabaseAsync(Name);
    }
}
