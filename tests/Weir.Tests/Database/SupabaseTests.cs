using Weir.Configuration;
using Weir.Postgres;
using Weir.Postgres.Doctor;
using Weir.Postgres.Migrations;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Database;

/// <summary>The migrations on a database as a new Supabase project has it.</summary>
public sealed class SupabaseTests : IAsyncLifetime
{
    private SupabaseProject _project = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _project = await SupabaseProject.StartAsync();

    public ValueTask DisposeAsync() => _project.DisposeAsync();

    [Fact]
    public async Task Its_postgres_migrates_and_nothing_of_auth_or_vault_is_touched()
    {
        var before = await _project.DumpOfSupabasesOwnAsync();
        (await DatabaseKind.HasForeignUsersAsync(_project.OwnerUrl, Cancelled)).ShouldBeTrue();

        var migrator = new Migrator(_project.OwnerUrl, MigrationScript.Embedded());
        var report = await migrator.MigrateAsync(_project.GatewayUrl, _project.EngineUrl, Cancelled);

        report.Applied.Count.ShouldBe(MigrationScript.Embedded().Count);
        (await migrator.MigrateAsync(null, null, Cancelled)).Applied.ShouldBeEmpty();
        (await _project.DumpOfSupabasesOwnAsync()).ShouldBe(before);
        (await DatabaseKind.HasForeignUsersAsync(_project.OwnerUrl, Cancelled)).ShouldBeTrue();
        await using var pools = Databases.Open(new DatabaseConfig { Url = _project.GatewayUrl, EngineUrl = _project.EngineUrl });
        await LoginProbe.RefuseUnfitAsync(pools, Cancelled);
    }
}
