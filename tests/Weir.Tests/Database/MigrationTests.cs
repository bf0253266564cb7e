using Weir.Postgres;
using Weir.Postgres.Migrations;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Database;

/// <summary>The real migrations, on databases as they are found.</summary>
public sealed class MigrationTests(TestCluster cluster)
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task T21_an_empty_database_is_migrated_by_replicas_that_start_together_and_once_only()
    {
        var database = await cluster.CreateDatabaseAsync(migrated: false);
        var url = TestCluster.InDatabase(cluster.Postgres.OwnerUrl, database);

        var reports = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => MigrateAsync(url)));
        var again = await MigrateAsync(url);

        reports.Sum(r => r.Applied.Count).ShouldBe(MigrationScript.Embedded().Count);
        again.Applied.ShouldBeEmpty();
    }

    [Fact]
    public async Task T21_databases_of_one_cluster_migrate_at_the_same_time()
    {
        var urls = new List<string>();
        for (var i = 0; i < 3; i++)
        {
            var database = await cluster.CreateDatabaseAsync(migrated: false);
            urls.Add(TestCluster.InDatabase(cluster.Postgres.OwnerUrl, database));
        }

        var reports = await Task.WhenAll(urls.Select(MigrateAsync));

        reports.ShouldAllBe(r => r.Applied.Count == MigrationScript.Embedded().Count);
    }

    [Fact]
    public async Task A_table_that_is_not_ours_stops_the_migration_before_its_first_statement()
    {
        var database = await cluster.CreateDatabaseAsync(migrated: false);
        var url = TestCluster.InDatabase(cluster.Postgres.OwnerUrl, database);
        await using var owner = TestCluster.Source(url);
        await owner.ExecuteAsync("create table public.agents (theirs text)", [], Cancelled);

        (await Should.ThrowAsync<MigrationException>(() => MigrateAsync(url))).Message.ShouldContain("public.agents");

        (await owner.ScalarAsync<long>("select count(*) from pg_namespace where nspname in ('weir', 'auth')", [], Cancelled)).ShouldBe(0);
    }

    [Fact]
    public async Task The_log_has_partitions_for_the_months_ahead()
    {
        var database = await cluster.CreateDatabaseAsync(migrated: true);
        await using var superuser = cluster.Superuser(database);

        var ahead = await superuser.ScalarAsync<long>(
            "select count(*) from pg_inherits where inhparent = to_regclass('public.mcp_interaction_logs')", [], Cancelled);

        ahead.ShouldBeGreaterThanOrEqualTo(12);
    }

    private Task<MigrationReport> MigrateAsync(string url) =>
        new Migrator(url, MigrationScript.Embedded()).MigrateAsync(cluster.Postgres.GatewayUrl, cluster.Postgres.EngineUrl, Cancelled);
}
