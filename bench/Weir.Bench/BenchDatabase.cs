using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Weir.Configuration;
using Weir.Postgres.Embedded;
using Weir.Postgres.Migrations;

namespace Weir.Bench;

/// <summary>A PostgreSQL with durable settings and a migrated database, in a directory of its own that goes with it.</summary>
internal sealed class BenchDatabase : IAsyncDisposable
{
    private readonly DataDirectory _data;
    private readonly Func<Task> _end;

    private BenchDatabase(string directory, DataDirectory data, EmbeddedPostgres postgres)
    {
        Directory = directory;
        _data = data;
        Postgres = postgres;
        Superuser = NpgsqlDataSource.Create(DatabaseUrl.Parse(postgres.SuperuserUrl("weir")).ConnectionString + ";Command Timeout=0");
        _end = Leftovers.Mind(EndAsync);
    }

    public string Directory { get; }

    public EmbeddedPostgres Postgres { get; }

    /// <summary>Bypasses every policy, and waits as long as it takes.</summary>
    public NpgsqlDataSource Superuser { get; }

    public DatabaseConfig Config => new() { Url = Postgres.GatewayUrl, EngineUrl = Postgres.EngineUrl };

    /// <param name="settings">Beside the durable ones.</param>
    public static async Task<BenchDatabase> StartAsync(params string[] settings)
    {
        var directory = System.IO.Directory.CreateTempSubdirectory("weir-bench-").FullName;
        File.SetUnixFileMode(directory, File.GetUnixFileMode(directory) | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        var data = DataDirectory.Open(directory);
        var options = new EmbeddedPostgresOptions { Settings = [.. EmbeddedPostgresOptions.Durable, .. settings] };
        var postgres = await EmbeddedPostgres.StartAsync(data, options, NullLogger.Instance, TimeProvider.System, CancellationToken.None);
        await new Migrator(postgres.OwnerUrl, MigrationScript.Embedded()).MigrateAsync(
            postgres.GatewayUrl, postgres.EngineUrl, CancellationToken.None);
        return new BenchDatabase(directory, data, postgres);
    }

    public async ValueTask DisposeAsync()
    {
        await _end();
    }

    private async Task EndAsync()
    {
        await Superuser.DisposeAsync();
        await Postgres.DisposeAsync();
        _data.Dispose();
        System.IO.Directory.Delete(Directory, recursive: true);
    }
}
