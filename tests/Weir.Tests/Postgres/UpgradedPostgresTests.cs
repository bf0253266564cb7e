using Npgsql;
using Weir.Configuration;
using Weir.Postgres;
using Weir.Postgres.Embedded;
using Weir.Postgres.Migrations;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Postgres;

/// <summary>
/// PostgreSQL's package is upgraded under the running cluster of <c>weir up</c>: each test has a PostgreSQL of its own to replace.
/// </summary>
public sealed class UpgradedPostgresTests : IAsyncLifetime
{
    private readonly string _path =
        Path.Combine(Path.GetTempPath(), $"weir-test-upgraded-{Guid.CreateVersion7(TimeProvider.System.GetUtcNow()):N}");
    private readonly LogKeeper _log = new();
    private PostgresCopy _programs = null!;
    private DataDirectory _directory = null!;
    private EmbeddedPostgres _postgres = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _programs = await PostgresCopy.MakeAsync();
        _directory = DataDirectory.Open(_path);
        var options = new EmbeddedPostgresOptions { Programs = _programs.Binaries, LookEvery = TimeSpan.FromMilliseconds(100) };
        _postgres = await EmbeddedPostgres.StartAsync(_directory, options, _log.CreateLogger(""), TimeProvider.System, Cancelled);
    }

    public async ValueTask DisposeAsync()
    {
        await _postgres.DisposeAsync();
        _directory.Dispose();
        Directory.Delete(_path, recursive: true);
        _programs.Dispose();
    }

    [Fact]
    public async Task New_sessions_load_no_library_so_that_all_of_weirs_sql_runs_where_none_can_be_loaded_and_the_server_is_left_running()
    {
        var started = await StartedAsync();

        await _programs.BreakLibrariesAsync();

        // Each of these is a session of its own, and the migrations make and call functions of every kind.
        await new Migrator(_postgres.OwnerUrl, MigrationScript.Embedded()).MigrateAsync(
            _postgres.GatewayUrl, _postgres.EngineUrl, Cancelled);
        await using var owner = TestCluster.Source(_postgres.OwnerUrl);
        (await owner.ScalarAsync<bool>(
            "select to_tsvector('english', 'walls') @@ to_tsquery('english', 'wall')", [], Cancelled)).ShouldBeTrue();
        await Until.True(() => _log.Warnings.Count > 0, "the programs are found to be others");
        _log.Warnings.ShouldAllBe(
            line =>
                line.Contains("cannot run this database: ", StringComparison.Ordinal)
                    && line.Contains("could not load library", StringComparison.Ordinal));
        (await StartedAsync()).ShouldBe(started, "a server that runs is not ended for programs that do not work");
    }

    [Fact]
    public async Task What_a_migrated_databases_functions_are_loaded_from_is_loaded_before_the_first_session()
    {
        await new Migrator(_postgres.OwnerUrl, MigrationScript.Embedded()).MigrateAsync(
            _postgres.GatewayUrl, _postgres.EngineUrl, Cancelled);
        await using var superuser = TestCluster.Source(_postgres.SuperuserUrl("weir"));

        // But for conversions between encodings: the database and its clients have one.
        var libraries = await superuser.QueryAsync(
            "select distinct replace(p.probin, '$libdir/', '') from pg_proc p where p.probin is not null and not exists (select from "
                + "pg_conversion c where c.conproc = p.oid)",
            [], r => r.GetString(0), Cancelled);

        libraries.ShouldBe(EmbeddedPostgresOptions.Preloaded, ignoreOrder: true);
    }

    [Fact]
    public async Task After_an_upgrade_the_cluster_is_restarted_in_order_and_once_and_says_so()
    {
        await using var pool = NpgsqlDataSource.Create(DatabaseUrl.Parse(_postgres.OwnerUrl).ConnectionString);
        await pool.ExecuteAsync("create table kept as select 42 as answer", [], Cancelled);
        var started = await StartedAsync();

        await _programs.UpgradeAsync();

        var restarted = await Until.AsyncValue(async () => await StartedOrDownAsync() is { } now && now > started ? now : (DateTime?)null);
        await Until.AsyncTrue(async () => await AnswerAsync() == 42, "the pool works again");
        // Seen by a further look, which finds these as they were at the start.
        await _programs.BreakLibrariesAsync();
        await Until.True(() => _log.Warnings.Count > 1, "the watch goes on");
        _log.Warnings.First()
            .ShouldBe(
            $"PostgreSQL's programs in {_programs.Binaries.Directory} were replaced, as by an upgrade of its package. The database is "
                + "restarted with them.");
        _log.Warnings.Count.ShouldBe(2);
        (await StartedAsync()).ShouldBe(restarted);
        var log = await File.ReadAllTextAsync(Path.Combine(_path, "postgres/log"), Cancelled);
        log.ShouldContain("received fast shutdown request");
        log.ShouldNotContain("was not properly shut down");

        async Task<int> AnswerAsync()
        {
            try
            {
                return await pool.ScalarAsync<int>("select answer from kept", [], Cancelled);
            }
            catch (Weir.Errors.WeirException)
            {
                return 0;
            }
        }
    }

    [Fact]
    public async Task Programs_of_another_major_version_are_refused_once_and_the_server_goes_on()
    {
        var started = await StartedAsync();

        await _programs.ReplaceServerAsync(major: 99);

        await Until.True(() => _log.Warnings.Count > 0, "the programs are found to be others");
        _log.Warnings.ShouldHaveSingleItem()
            .ShouldContain($"they are PostgreSQL 99, and the database is of PostgreSQL {_programs.Binaries.Major}");
        (await StartedAsync()).ShouldBe(started);
    }

    /// <summary>Of a new session.</summary>
    private async Task<DateTime> StartedAsync()
    {
        await using var superuser = TestCluster.Source(_postgres.SuperuserUrl("weir"));
        return await superuser.ScalarAsync<DateTime>("select pg_postmaster_start_time()", [], Cancelled);
    }

    private async Task<DateTime?> StartedOrDownAsync()
    {
        try
        {
            return await StartedAsync();
        }
        catch (Weir.Errors.WeirException)
        {
            return null;
        }
    }
}
