using System.Text.RegularExpressions;
using Weir.Postgres.Migrations;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Database;

/// <summary>
/// From the first release on a migration is never changed or removed: its checksum is in every database, and <c>weir migrate</c> refuses.
/// A release is a version in <c>CHANGELOG.md</c>, and <c>db/released.txt</c> names the files that it had. To write that file for a new
/// version:
/// <c>WEIR_TEST_WRITE_RELEASE=1 ./weir test -class Weir.Tests.Database.ReleasedMigrationsTests</c>.
/// </summary>
public sealed partial class ReleasedMigrationsTests
{
    private const string Unreleased = "# Changelog\n\n## [Unreleased]\n";
    private const string Released = "# Changelog\n\n## [Unreleased]\n\n## [0.1.0] - 2027-01-15\n";

    private static readonly MigrationScript[] Two = [new("0010_roles.sql", "create role a;"), new("0020_things.sql", "create table b ();")];

    [Fact]
    public void No_released_migration_was_changed_or_removed()
    {
        var changelog = File.ReadAllText(Repository.PathOf("CHANGELOG.md"));
        var file = Repository.PathOf("db/released.txt");
        if (Environment.GetEnvironmentVariable("WEIR_TEST_WRITE_RELEASE") == "1")
        {
            File.WriteAllText(file, Written(changelog, Kept(file), MigrationScript.Embedded()));
        }

        Problems(changelog, Kept(file), MigrationScript.Embedded()).ShouldBeEmpty();
    }

    [Fact]
    public void Before_the_first_release_any_change_is_allowed() => Problems(Unreleased, "", Two).ShouldBeEmpty();

    [Fact]
    public void A_release_whose_migrations_are_not_written_down_is_refused() =>
        Problems(Released, "", Two).ShouldHaveSingleItem().ShouldContain("0.1.0 is not in db/released.txt");

    [Fact]
    public void A_migration_that_was_changed_since_its_release_is_refused() =>
        Problems(Released, Written(Released, "", Two), [Two[0], Two[1] with { Text = "create table c ();" }])
            .ShouldHaveSingleItem().ShouldBe("0020_things.sql was released with 0.1.0 and is changed: put it back, and write a new file.");

    [Fact]
    public void A_migration_that_was_removed_since_its_release_is_refused() =>
        Problems(Released, Written(Released, "", Two), [Two[0]])
            .ShouldHaveSingleItem().ShouldBe("0020_things.sql was released with 0.1.0 and is gone: put it back.");

    [Fact]
    public void A_migration_that_was_renamed_since_its_release_is_refused() =>
        Problems(Released, Written(Released, "", Two), [Two[0], Two[1] with { Name = "0030_things.sql" }])
            .ShouldHaveSingleItem().ShouldContain("0020_things.sql was released with 0.1.0 and is gone");

    [Fact]
    public void A_new_migration_comes_after_all_released_ones() =>
        Problems(Released, Written(Released, "", Two), [Two[0], new("0015_between.sql", ""), Two[1]])
            .ShouldHaveSingleItem()
            .ShouldBe("0015_between.sql is new and comes before 0020_things.sql, which was released: give it a higher number.");

    [Fact]
    public void A_later_release_keeps_what_an_earlier_one_had()
    {
        var later = Released.Replace("## [0.1.0]", "## [0.2.0] - 2027-03-01\n\n## [0.1.0]", StringComparison.Ordinal);
        MigrationScript[] three = [.. Two, new("0030_more.sql", "")];

        var kept = Written(later, Written(Released, "", Two), three);

        Problems(later, kept, three).ShouldBeEmpty();
        kept.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line[..5]).ShouldBe(["0.1.0", "0.1.0", "0.2.0"]);
    }

    [Fact]
    public void A_release_without_a_new_migration_is_written_down_too_and_a_later_migration_is_still_free()
    {
        var later = Released.Replace("## [0.1.0]", "## [0.2.0] - 2027-03-01\n\n## [0.1.0]", StringComparison.Ordinal);
        var first = Written(Released, "", Two);
        Problems(later, first, Two).ShouldHaveSingleItem().ShouldContain("0.2.0 is not in db/released.txt");

        var kept = Written(later, first, Two);

        kept.ShouldEndWith("\n0.2.0\n");
        Problems(later, kept, Two).ShouldBeEmpty();
        MigrationScript[] three = [.. Two, new("0030_more.sql", "")];
        Problems(later, kept, three).ShouldBeEmpty();
    }

    [Fact]
    public void Line_ends_of_a_checkout_change_nothing() =>
        Problems(Released, Written(Released, "", [new("0010_a.sql", "a\nb\n")]), [new("0010_a.sql", "a\r\nb\r\n")]).ShouldBeEmpty();

    private static string Kept(string file) => File.Exists(file) ? File.ReadAllText(file) : "";

    private static IEnumerable<string[]> Lines(string kept) =>
        kept.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' '));

    private static IEnumerable<(string Version, string Name, string Checksum)> Rows(string kept) =>
        Lines(kept).Where(parts => parts.Length > 1).Select(parts => (parts[0], parts[1], parts[2]));

    private static IReadOnlyList<string> Versions(string changelog) => [
        .. VersionForm().Matches(changelog).Select(m => m.Groups["version"].Value),
    ];

    /// <summary>
    /// What is kept, and the newest version with each file that no version had before: a line "version name sha256" for each, or the
    /// version alone where it has no new file.
    /// </summary>
    private static string Written(string changelog, string kept, IReadOnlyList<MigrationScript> scripts)
    {
        if (Versions(changelog) is not [var version, ..])
        {
            return kept;
        }

        var known = Rows(kept).Select(r => r.Name).ToHashSet(StringComparer.Ordinal);
        var added = string.Concat(scripts.Where(s => !known.Contains(s.Name))
            .Select(s => $"{version} {s.Name} {Convert.ToHexStringLower(s.Checksum)}\n"));
        return kept + (added.Length == 0 && Lines(kept).All(parts => parts[0] != version) ? $"{version}\n" : added);
    }

    private static IReadOnlyList<string> Problems(string changelog, string kept, IReadOnlyList<MigrationScript> scripts)
    {
        var rows = Rows(kept).ToArray();
        if (Versions(changelog) is [var version, ..] && Lines(kept).All(parts => parts[0] != version))
        {
            return [$"{version} is not in db/released.txt; the comment of this test says how to write it."];
        }

        var now = scripts.ToDictionary(s => s.Name, StringComparer.Ordinal);
        var last = rows.Select(r => r.Name).Max(StringComparer.Ordinal);
        return
        [
            .. rows.Where(r => !now.ContainsKey(r.Name)).Select(r => $"{r.Name} was released with {r.Version} and is gone: put it back."),
            .. rows.Where(r => now.TryGetValue(r.Name, out var script) && Convert.ToHexStringLower(script.Checksum) != r.Checksum)
                .Select(r => $"{r.Name} was released with {r.Version} and is changed: put it back, and write a new file."),
            .. scripts.Where(s => rows.All(r => r.Name != s.Name) && string.CompareOrdinal(s.Name, last) < 0)
                .Select(s => $"{s.Name} is new and comes before {last}, which was released: give it a higher number."),
        ];
    }

    [GeneratedRegex(@"^## \[?v?(?<version>[0-9]+\.[0-9]+\.[0-9]+)",
        RegexOptions.Multiline | RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex VersionForm();
}
