using System.Text.RegularExpressions;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Database;

/// <summary>Each file of <c>db/tests</c>, on a migrated database of its own.</summary>
public sealed class PgTapTests(TestCluster cluster) : PgTapSuite(cluster)
{
    [Theory]
    [MemberData(nameof(Files))]
    public Task Passes(string file) => RunAsync(file);
}

/// <summary>
/// The same, where Supabase's roles and default privileges are, its <c>postgres</c> owns everything, and everybody has TEMP.
/// </summary>
public sealed class PgTapOnSupabaseTests(SupabaseCluster cluster) : PgTapSuite(cluster)
{
    [Theory]
    [MemberData(nameof(Files))]
    public Task Passes(string file) => RunAsync(file);
}

public sealed class PgTapOnPostgres17Tests(Postgres17Cluster cluster) : PgTapSuite(cluster)
{
    [Theory]
    [MemberData(nameof(FilesForAnyVersion))]
    public Task Passes(string file) => RunAsync(file);
}

public sealed class PgTapOnPostgres18Tests(Postgres18Cluster cluster) : PgTapSuite(cluster)
{
    [Theory]
    [MemberData(nameof(FilesForAnyVersion))]
    public Task Passes(string file) => RunAsync(file);
}

public abstract partial class PgTapSuite(TestCluster cluster)
{
    // plpgsql_check is a library of one version's.
    private const string OfOneVersion = "0021_plpgsql_check.sql";

    public static TheoryData<string> FilesForAnyVersion => new(Files.Select(f => f.Data).Where(f => f != OfOneVersion));

    public static TheoryData<string> Files =>
        new(Directory.GetFiles(Repository.PathOf("db/tests"), "*.sql").Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal));

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    private protected async Task RunAsync(string file)
    {
        var database = await cluster.CreateDatabaseAsync(migrated: true);
        await AddPgTapAsync(cluster, database);

        var result = await PostgresTools.PsqlAsync(
            cluster.Postgres.Binaries, cluster.Postgres.SuperuserUrl(database), $"db/tests/{file}", Cancelled);

        Problems(result.Output, result.Error, result.ExitCode).ShouldBeEmpty();
        await cluster.DropDatabaseAsync(database);
    }

    /// <summary>
    /// Both extensions in a schema of their own, by the superuser: the migrator could not, and the product needs neither.
    /// </summary>
    internal static async Task AddPgTapAsync(TestCluster cluster, string database)
    {
        await using var superuser = cluster.Superuser(database);
        await superuser.ExecuteAsync(
            "create schema tap; grant usage on schema tap to public; create extension pgtap schema tap", [], Cancelled);
        if (await superuser.ScalarAsync<bool>(
            "select exists (select from pg_available_extensions where name = 'plpgsql_check')", [], Cancelled))
        {
            await superuser.ExecuteAsync("create extension plpgsql_check schema tap", [], Cancelled);
        }
    }

    /// <summary>
    /// What of a TAP stream is not as it should be: failed tests with their diagnosis, errors, and a plan that was not kept.
    /// </summary>
    internal static string Problems(string output, string error, int exitCode)
    {
        var lines = output.Split('\n');
        var failed = lines.Where(
            (line, i) => line.StartsWith("not ok", StringComparison.Ordinal) && !line.Contains("# TODO", StringComparison.Ordinal)
            || (line.StartsWith('#') && i > 0 && !line.StartsWith("# Looks like", StringComparison.Ordinal) && IsDiagnosis(lines, i)))
            .ToList();
        var planned = lines.Select(l => PlanForm().Match(l)).FirstOrDefault(m => m.Success)?.Groups["count"].Value;
        var ran = lines.Count(l => l.StartsWith("ok ", StringComparison.Ordinal) || l.StartsWith("not ok ", StringComparison.Ordinal));
        if (planned != $"{ran}")
        {
            failed.Add($"planned {planned ?? "nothing"}, ran {ran}");
        }

        if (exitCode != 0 || error.Contains("ERROR:", StringComparison.Ordinal))
        {
            failed.Add($"psql ended with {exitCode}: {error}");
        }

        // An extension that is missing must not look like a passed test.
        failed.AddRange(lines.Where(l => l.Contains("# SKIP", StringComparison.OrdinalIgnoreCase)));
        return string.Join('\n', failed);
    }

    private static bool IsDiagnosis(string[] lines, int i)
    {
        while (i >= 0 && lines[i].StartsWith('#'))
        {
            i--;
        }

        return i >= 0 && lines[i].StartsWith("not ok", StringComparison.Ordinal);
    }

    [GeneratedRegex(@"^1\.\.(?<count>\d+)", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex PlanForm();
}
