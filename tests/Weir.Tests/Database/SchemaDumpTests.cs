using Weir.Tests.Infrastructure;

namespace Weir.Tests.Database;

/// <summary>
/// <c>db/schema.sql</c> is what the migrations make, so that a change of a function shows as a change. To write it anew:
/// <c>WEIR_TEST_WRITE_SCHEMA=1 ./weir test -class Weir.Tests.Database.SchemaDumpTests</c>.
/// </summary>
public sealed class SchemaDumpTests(TestCluster cluster)
{
    // Another major version writes other text for the same schema.
    private const int Major = 15;

    // Partitions are made by the month in which the migration runs.
    private static readonly string[] Options = ["--exclude-table=weir.mcp_interaction_logs_*", "--exclude-table=weir.schema_migrations"];

    [Fact]
    public async Task The_dumped_schema_is_what_the_migrations_make()
    {
        var database = await cluster.CreateDatabaseAsync(migrated: true);
        Assert.SkipUnless(cluster.Postgres.Binaries.Major == Major, $"schema.sql is a dump of PostgreSQL {Major}.");

        var dumped = await PostgresTools.DumpSchemaAsync(
            cluster.Postgres.Binaries, cluster.Postgres.SuperuserUrl(database), Options, TestContext.Current.CancellationToken);

        var file = Repository.PathOf("db/schema.sql");
        if (Environment.GetEnvironmentVariable("WEIR_TEST_WRITE_SCHEMA") == "1")
        {
            await File.WriteAllTextAsync(file, dumped, TestContext.Current.CancellationToken);
        }

        var kept = await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken);
        FirstDifference(kept, dumped)
            .ShouldBeNull("db/schema.sql is not what the migrations make; its comment above says how to write it anew");
        await cluster.DropDatabaseAsync(database);
    }

    private static string? FirstDifference(string kept, string dumped)
    {
        var (a, b) = (kept.Split('\n'), dumped.Split('\n'));
        for (var i = 0; i < Math.Max(a.Length, b.Length); i++)
        {
            if (a.ElementAtOrDefault(i) != b.ElementAtOrDefault(i))
            {
                return $"line {i + 1}: kept \"{a.ElementAtOrDefault(i)}\", made \"{b.ElementAtOrDefault(i)}\"";
            }
        }

        return null;
    }
}
