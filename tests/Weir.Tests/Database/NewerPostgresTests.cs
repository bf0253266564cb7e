using Weir.Configuration;
using Weir.Isolation;
using Weir.Isolation.Attack;
using Weir.Postgres;
using Weir.Postgres.Doctor;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Database;

/// <summary>
/// PostgreSQL newer than Debian's: memberships have options from 16 on (<c>with admin, inherit, set</c>), and each version writes its
/// catalogs in its own way. The pgTAP files run there too (<see cref="PgTapSuite"/>).
/// </summary>
public abstract class NewerPostgresSuite(TestCluster newer, TestCluster debians, int major) : IAsyncLifetime
{
    private TestDatabase _database = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _database = new TestDatabase(newer);
        await _database.InitializeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _database.DisposeAsync();
    }

    [Fact]
    public async Task The_migrations_make_what_they_make_on_debians()
    {
        newer.Postgres.Binaries.Major.ShouldBe(major);
        await using var other = new TestDatabase(debians);
        await other.InitializeAsync();

        var made = await DefinitionsAsync(_database);

        made.Count.ShouldBeGreaterThan(1000);
        made.ShouldBe(await DefinitionsAsync(other));
    }

    [Fact]
    public async Task The_isolation_check_and_the_attack_find_nothing()
    {
        await using var rehearsal = await Rehearsal.BeginAsync(_database.OwnerUrl, Cancelled);

        var report = await IsolationInspection.RunAsync(rehearsal, Cancelled);
        var ledger = await IsolationAttack.RunAsync(rehearsal, Cancelled);

        report.Findings.ShouldBeEmpty(string.Join('\n', report.Findings));
        ledger.Findings.ShouldBeEmpty(string.Join('\n', ledger.Findings));
        ledger.Notes.ShouldBeEmpty();
        ledger.Attempts.ShouldBeGreaterThan(1000);
    }

    [Fact]
    public async Task The_logins_are_no_more_than_they_should_be_and_a_call_is_admitted_and_revoked()
    {
        await LoginProbe.RefuseUnfitAsync(_database.Pools, Cancelled);
        var world = await RaceWorld.CreateAsync(_database.Superuser);
        await using (var engine = await HeldTransaction.BeginAsync(_database.Pools.Admission))
        {
            (await engine.RunAsync(world.AdmitSql)).ShouldBe("admitted");
            await engine.CommitAsync();
        }

        await using (var olga = await HeldTransaction.BeginAsync(_database.Pools.Gateway, world.Olga))
        {
            (await olga.RunAsync("select count(*) from public.agents")).ShouldBe("1");
            await olga.RunAsync(world.Expand("select public.revoke_mcp_access({agent}, {server})"));
            await olga.CommitAsync();
        }

        await using var again = await HeldTransaction.BeginAsync(_database.Pools.Admission);
        (await again.RunAsync(world.AdmitSql)).ShouldBe("no_grant");
    }

    private static Task<IReadOnlyList<string>> DefinitionsAsync(TestDatabase database) =>
        database.Superuser.QueryAsync(
            File.ReadAllText(Repository.PathOf("db/testing/definitions.sql")), [], row => row.GetString(0), Cancelled);
}

/// <summary>As Supabase has it.</summary>
public sealed class Postgres17Tests(Postgres17Cluster newer, SupabaseCluster debians) : NewerPostgresSuite(newer, debians, 17);

public sealed class Postgres18Tests(Postgres18Cluster newer, TestCluster debians) : NewerPostgresSuite(newer, debians, 18);
