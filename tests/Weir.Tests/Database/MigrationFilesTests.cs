using System.Text.RegularExpressions;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Database;

/// <summary>
/// The order of <c>db/migrations</c> and <c>db/tests</c>: everything about one feature is in one place, in the order of reading.
/// </summary>
public sealed partial class MigrationFilesTests
{
    private const int MostCharacters = 140;

    public static TheoryData<string> Files => new(Names("db/migrations"));

    /// <summary>The SQL of the whole repository that people write; <c>db/schema.sql</c> is dumped.</summary>
    public static TheoryData<string> SqlFiles => new(new[] { "bench", "db", "deploy", "docs", "eng", "src", "tests/Weir.Tests" }
        .SelectMany(folder => Directory.EnumerateFiles(Repository.PathOf(folder), "*.sql", SearchOption.AllDirectories))
        .Select(path => Path.GetRelativePath(Repository.Root, path).Replace('\\', '/'))
        .Where(path => path != "db/schema.sql")
        .Order(StringComparer.Ordinal));

    /// <summary>
    /// The files that could be edited in place: all of them before a release, then those of the first one. A later file can only alter a
    /// table.
    /// </summary>
    public static TheoryData<string> FirstFiles
    {
        get
        {
            var released = Repository.PathOf("db/released.txt");
            return new(OfFirstRelease(File.Exists(released) ? File.ReadAllText(released) : "", Names("db/migrations")));
        }
    }

    [Theory]
    [MemberData(nameof(SqlFiles))]
    public void No_line_is_longer_than_140_characters(string path) =>
        File.ReadAllLines(Repository.PathOf(path)).Where(line => line.Length > MostCharacters).ShouldBeEmpty();

    [Theory]
    [MemberData(nameof(Files))]
    public void What_is_made_has_a_comment_directly_above_it(string file)
    {
        var lines = Lines(file);
        var bare = Enumerable.Range(0, lines.Length)
            .Where(i => MadeForm().IsMatch(lines[i]) && !lines[Math.Max(0, i - 1)].StartsWith("--", StringComparison.Ordinal));

        bare.Select(i => $"line {i + 1}: {lines[i]}").ShouldBeEmpty();
    }

    [Theory]
    [MemberData(nameof(FirstFiles))]
    public void What_belongs_to_a_table_stands_in_the_file_that_makes_it(string file)
    {
        var text = string.Join('\n', Lines(file));
        var made = TableForm().Matches(text).Select(m => m.Groups["table"].Value).ToHashSet(StringComparer.Ordinal);

        PartForm().Matches(text).Where(m => !made.Contains(m.Groups["table"].Value)).Select(m => m.Value).ShouldBeEmpty();
        text.ShouldNotContain("add column", Case.Insensitive, "a column stands in its create table");
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void A_function_is_made_by_its_owner_and_the_file_ends_as_the_migrator(string file)
    {
        var lines = Lines(file);

        lines.Where(
            line =>
                line.StartsWith("alter function", StringComparison.Ordinal) || line.StartsWith("grant create on", StringComparison.Ordinal))
                .ShouldBeEmpty();
        var role = "";
        foreach (var line in lines)
        {
            if (line.StartsWith("set local role ", StringComparison.Ordinal))
            {
                role.ShouldBe("", $"{line} before reset role");
                role = line;
            }
            else if (line == "reset role;")
            {
                role.ShouldNotBe("", "reset role without set local role");
                role = "";
            }
        }

        role.ShouldBe("");
    }

    [Fact]
    public void A_number_names_one_migration()
    {
        var numbers = Names("db/migrations").Select(n => n[..4]).ToArray();

        numbers.ShouldAllBe(n => NumberForm().IsMatch(n));
        numbers.ShouldBeUnique();
    }

    [Fact]
    public void A_test_has_the_number_of_the_migration_that_it_tests_and_the_last_digit_counts_the_tests_of_one()
    {
        var migrations = Names("db/migrations").Select(n => n[..3]).ToHashSet(StringComparer.Ordinal);
        var tests = Names("db/tests");

        tests.Select(n => n[..4]).ShouldBeUnique();
        tests.Where(n => !migrations.Contains(n[..3])).ShouldBeEmpty();
    }

    [Fact]
    public void After_the_first_release_a_new_file_may_alter_a_table_of_a_released_one()
    {
        string[] files = ["0010_roles.sql", "0020_things.sql", "0030_column.sql"];

        OfFirstRelease("", files).ShouldBe(files);
        OfFirstRelease("0.1.0 0010_roles.sql aa\n0.1.0 0020_things.sql bb\n", files).ShouldBe(files[..2]);
        OfFirstRelease("0.1.0 0010_roles.sql aa\n0.1.0 0020_things.sql bb\n0.2.0 0030_column.sql cc\n", files).ShouldBe(files[..2]);
    }

    /// <summary>Of these files those that the first version of <c>db/released.txt</c> had; all of them before a release.</summary>
    private static string[] OfFirstRelease(string released, string[] files)
    {
        var rows = released.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' ')).ToArray();
        return [.. files.Where(f => rows.Length == 0 || rows.Any(r => r[0] == rows[0][0] && r.ElementAtOrDefault(1) == f))];
    }

    private static string[] Names(string folder) =>
        [.. Directory.GetFiles(Repository.PathOf(folder), "*.sql").Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal)];

    private static string[] Lines(string file) => File.ReadAllLines(Repository.PathOf($"db/migrations/{file}"));

    /// <summary>Not the wrappers in <c>public</c>: what they pass on to has the comment.</summary>
    [GeneratedRegex(@"^create (?:(?:table|view|type) |function weir\.)", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant,
        matchTimeoutMilliseconds: 1000)]
    private static partial Regex MadeForm();

    [GeneratedRegex(@"^\s*create table (?<table>[a-z_.]+)",
        RegexOptions.Multiline | RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex TableForm();

    [GeneratedRegex(
        @"^(?:create policy \w+ on|create (?:unique )?index \w+ on|create (?:constraint )?trigger \w+ [^;]*? on|alter table|grant "
            + @"(?!execute|usage|create)[^;]*? on|revoke all on(?! function| schema| type)) (?<table>[a-z_]+\.[a-z_]+)",
        RegexOptions.Multiline | RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex PartForm();

    [GeneratedRegex("^[0-9]{3}0$", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex NumberForm();
}
