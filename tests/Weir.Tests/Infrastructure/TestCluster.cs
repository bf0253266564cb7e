using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Weir.Configuration;
using Weir.Errors;
using Weir.Postgres;
using Weir.Postgres.Embedded;
using Weir.Postgres.Migrations;
using Weir.Tests.Infrastructure;

[assembly: AssemblyFixture(typeof(TestCluster))]
[assembly: AssemblyFixture(typeof(SupabaseCluster))]
[assembly: AssemblyFixture(typeof(Postgres17Cluster))]
[assembly: AssemblyFixture(typeof(Postgres18Cluster))]

namespace Weir.Tests.Infrastructure;

/// <summary>
/// A PostgreSQL of a test run, started by the product's own code on a port of its own, when the first test asks for it. It ends
/// with the run, also when that is killed; what a killed run left on disk the next one removes. This is the one that most tests
/// use; the classes that derive from it are of another kind or version.
/// </summary>
public class TestCluster : IAsyncLifetime
{
    private const string DirectoryPrefix = "weir-test-";
    private const string Template = "weir_template";

    private static readonly Lazy<bool> LeftoversAreGone = new(RemoveLeftovers);

    private readonly Lazy<Task> _start;
    private readonly Lazy<Task> _template;
    private DataDirectory _directory = null!;
    private EmbeddedPostgres _postgres = null!;
    private int _databases;

    public TestCluster() => (_start, _template) = (new Lazy<Task>(StartAsync), new Lazy<Task>(MigrateTemplateAsync));

    internal EmbeddedPostgres Postgres => _postgres;

    /// <summary>Who migrates, and owns the databases.</summary>
    public virtual string Owner => "weir_owner";

    /// <summary>People sign up with the project, and everybody has TEMP.</summary>
    public virtual bool IsSupabase => false;

    // Tests that need no database should not wait for one: the first that asks starts it.
    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public virtual async ValueTask DisposeAsync()
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
            $"create database {name} owner {Owner} template {(migrated ? Template : "template0")} strategy file_copy", [],
            CancellationToken.None);
        if (migrated && !IsSupabase)
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

    /// <summary>Ends the server in one of its own ways (INT: fast; QUIT: immediate), and returns when a new one answers.</summary>
    public async Task RestartAsync(string signal)
    {
        var file = Path.Combine(_directory.Path, "postgres/data/postmaster.pid");
        var pid = int.Parse((await File.ReadAllLinesAsync(file))[0], System.Globalization.CultureInfo.InvariantCulture);
        await Tool.SignalAsync(pid, signal, CancellationToken.None);
        await using var superuser = Superuser("postgres");
        await Until.AsyncTrue(async () => await PidAsync(superuser) is { } now && now != pid, "PostgreSQL answers again");
    }

    private static async Task<int?> PidAsync(NpgsqlDataSource superuser)
    {
        try
        {
            return await superuser.ScalarAsync<int>(
                "select split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::integer", [], CancellationToken.None);
        }
        catch (WeirException)
        {
            return null;
        }
    }

    public virtual string OwnerUrl(string database) => InDatabase(_postgres.OwnerUrl, database);

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

    private protected virtual IReadOnlyList<string> Settings => EmbeddedPostgresOptions.ThrowAway;

    /// <summary>Null: those of this machine.</summary>
    private protected virtual Task<PostgresBinaries?> ProgramsAsync() => Task.FromResult<PostgresBinaries?>(null);

    /// <summary>Whatever is there before Weir's migrations; in the empty database from which all others are copied.</summary>
    private protected virtual Task PrepareAsync(string template) => Task.CompletedTask;

    private async Task StartAsync()
    {
        _ = LeftoversAreGone.Value;
        _directory = DataDirectory.Open(Path.Combine(Path.GetTempPath(), $"{DirectoryPrefix}{GetType().Name}-{Environment.ProcessId}"));
        _postgres = await EmbeddedPostgres.StartAsync(
            _directory,
            new EmbeddedPostgresOptions { Database = Template, Settings = Settings, Programs = await ProgramsAsync() },
            NullLogger.Instance,
            TimeProvider.System,
            CancellationToken.None);
    }

    private async Task MigrateTemplateAsync()
    {
        await _start.Value;
        await PrepareAsync(Template);
        await new Migrator(OwnerUrl(Template), MigrationScript.Embedded())
            .MigrateAsync(_postgres.GatewayUrl, _postgres.EngineUrl, CancellationToken.None);
    }

    private static bool RemoveLeftovers()
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

        return true;
    }
}
