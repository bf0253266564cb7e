using Microsoft.Extensions.Logging.Abstractions;
using Weir.Configuration;
using Weir.Postgres;
using Weir.Postgres.Embedded;
using Weir.Postgres.Migrations;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Database;

/// <summary>A database as a new Supabase project has it, in a cluster of its own, since roles belong to the cluster.</summary>
public sealed class SupabaseTests : IAsyncLifetime
{
    private const string Password = "postgres-of-the-project";

    private readonly string _path = Path.Combine(Path.GetTempPath(), $"weir-test-supabase-{Environment.ProcessId}");
    private DataDirectory _directory = null!;
    private EmbeddedPostgres _postgres = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    private string OwnerUrl => DatabaseUrl.Format("postgres", Password, "127.0.0.1", _postgres.Port, "weir");

    public async ValueTask InitializeAsync()
    {
        _directory = DataDirectory.Open(_path);
        _postgres = await EmbeddedPostgres.StartAsync(
            _directory, new EmbeddedPostgresOptions { Settings = EmbeddedPostgresOptions.ThrowAway }, NullLogger.Instance, TimeProvider.System, Cancelled);
        var made = await PostgresTools.PsqlAsync(_postgres.Binaries, _postgres.SuperuserUrl("weir"), "db/testing/supabase.sql", Cancelled);
        made.ExitCode.ShouldBe(0, made.Error);
        await using var superuser = TestCluster.Source(_postgres.SuperuserUrl("weir"));
        await superuser.ExecuteAsync($"alter role postgres password '{Password}'", [], Cancelled);
    }

    public async ValueTask DisposeAsync()
    {
        await _postgres.DisposeAsync();
        _directory.Dispose();
        Directory.Delete(_path, recursive: true);
    }

    [Fact]
    public async Task Its_postgres_migrates_and_nothing_of_auth_or_vault_is_touched()
    {
        var before = await DumpAsync();
        (await DatabaseKind.HasForeignUsersAsync(OwnerUrl, Cancelled)).ShouldBeTrue();

        var migrator = new Migrator(OwnerUrl, MigrationScript.Embedded());
        var report = await migrator.MigrateAsync(_postgres.GatewayUrl, _postgres.EngineUrl, Cancelled);

        report.Applied.Count.ShouldBe(MigrationScript.Embedded().Count);
        (await migrator.MigrateAsync(null, null, Cancelled)).Applied.ShouldBeEmpty();
        (await DumpAsync()).ShouldBe(before);
        (await DatabaseKind.HasForeignUsersAsync(OwnerUrl, Cancelled)).ShouldBeTrue();
        await using var pools = Databases.Open(new DatabaseConfig { Url = _postgres.GatewayUrl, EngineUrl = _postgres.EngineUrl });
        await LoginProbe.RefuseTooMightyAsync(pools, Cancelled);
    }

    private Task<string> DumpAsync() =>
        PostgresTools.DumpSchemaAsync(_postgres.Binaries, _postgres.SuperuserUrl("weir"), ["--schema=auth", "--schema=vault"], Cancelled);
}
