using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Weir.Configuration;
using Weir.Errors;
using Weir.Postgres;
using Weir.Postgres.Embedded;
using Weir.Postgres.Migrations;
using Weir.Tests.Infrastructure;

[assembly: AssemblyFixture(typeof(TestCluster))]

namespace Weir.Tests.Infrastructure;

/// <summary>
/// The one PostgreSQL of a test run, started by the product's own code on a port of its own. It ends with the run, also
/// when that is killed; what a killed run left on disk the next one removes.
/// </summary>
public sealed class TestCluster : IAsyncLifetime
{
    private const string DirectoryPrefix = "weir-test-";

    private readonly Lazy<Task> _start;
    private readonly Lazy<Task> _template;
    private DataDirectory _directory = null!;
    private EmbeddedPostgres _postgres = null!;
    private int _databases;

    public TestCluster() => (_start, _template) = (new Lazy<Task>(StartAsync), new Lazy<Task>(MigrateTemplateAsync));

    internal EmbeddedPostgres Postgres => _postgres;

    // Tests that need no database should not wait for one: the first that asks starts it.
    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        if (_start.IsValueCreated)
        {
            await _start.Value.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await _postgres.DisposeAsync();
            _directory.Dispose();
            Directory.Delete(_directory.Path, recursive: true);
        }
    }

    /// <summary>A copy of the migrated template, or an empty database that the migrator owns.</summary>
    public async Task<string> CreateDatabaseAsync(bool migrated)
    {
        await (migrated ? _template : _start).Value;
        var name = $"test_{Interlocked.Increment(ref _databases)}";
        await using var superuser = Superuser("postgres");
        await superuser.ExecuteAsync(
            $"create database {name} owner weir_owner template {(migrated ? "weir_template" : "template0")} strategy file_copy", [], CancellationToken.None);
        if (migrated)
        {
            // A copy has the template's contents and not its privileges, and a migrated database gives nobody TEMP.
            await superuser.ExecuteAsync($"revoke temporary on database {name} from public", [], CancellationToken.None);
        }

        return name;
    }

    public async Task DropDatabaseAsync(string name)
    {
        await using var superuser = Superuser("postgres");
        await superuser.ExecuteAsync($"drop database {name} with (force)", [], CancellationToken.None);
    }

    public NpgsqlDataSource Superuser(string database) => Source(_postgres.SuperuserUrl(database));

    /// <summary>The URL of the same login in another database of the cluster.</summary>
    internal static string InDatabase(string url, string database) => url[..(url.LastIndexOf('/') + 1)] + database;

    internal static NpgsqlDataSource Source(string url)
    {
        var connection = DatabaseUrl.Parse(url);
        connection.Pooling = false;
        connection.IncludeErrorDetail = true;
        return NpgsqlDataSource.Create(connection.ConnectionString);
    }

    private async Task StartAsync()
    {
        RemoveLeftovers();
        _directory = DataDirectory.Open(Path.Combine(Path.GetTempPath(), DirectoryPrefix + Environment.ProcessId));
        _postgres = await EmbeddedPostgres.StartAsync(
            _directory,
            new EmbeddedPostgresOptions { Database = "weir_template", Settings = EmbeddedPostgresOptions.ThrowAway },
            NullLogger.Instance,
            TimeProvider.System,
            CancellationToken.None);
    }

    private async Task MigrateTemplateAsync()
    {
        await _start.Value;
        await new Migrator(_postgres.OwnerUrl, MigrationScript.Embedded())
            .MigrateAsync(_postgres.GatewayUrl, _postgres.EngineUrl, CancellationToken.None);
    }

    private static void RemoveLeftovers()
    {
        foreach (var directory in Directory.GetDirectories(Path.GetTempPath(), DirectoryPrefix + "*"))
        {
            try
            {
                // Whose lock can be taken, that run has ended.
                DataDirectory.Open(directory).Dispose();
                Directory.Delete(directory, recursive: true);
            }
            catch (Exception e) when (e is WeirException or IOException or UnauthorizedAccessException)
            {
                // A run that is still on, or another user's.
            }
        }
    }
}
