using System.Text.RegularExpressions;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Docs;

/// <summary>The feature folders have an order, written once in docs/architecture.md: a folder names only folders above it in that list.</summary>
public sealed partial class ArchitectureTests
{
    [Fact]
    public void Every_feature_folder_has_its_place_in_the_order() =>
        Order().Order(StringComparer.Ordinal).ShouldBe(Folders().Order(StringComparer.Ordinal));

    [Fact]
    public void A_folder_names_types_only_of_folders_before_it()
    {
        var order = Order();
        var broken = new List<string>();
        foreach (var folder in Folders())
        {
            foreach (var file in Directory.GetFiles(Repository.PathOf($"src/Weir/{folder}"), "*.cs", SearchOption.AllDirectories))
            {
                broken.AddRange(Named().Matches(File.ReadAllText(file)).Select(m => m.Groups["name"].Value)
                    .Where(named => order.Contains(named) && order.IndexOf(named) > order.IndexOf(folder))
                    .Select(named => $"{folder}/{Path.GetFileName(file)} names {named}"));
            }
        }

        broken.Distinct(StringComparer.Ordinal).ShouldBeEmpty();
    }

    [Fact]
    public void Only_the_postgres_folder_catches_what_postgresql_raises() =>
        Sources("src").Where(f => !f.Contains("/Postgres/", StringComparison.Ordinal) && File.ReadAllText(f).Contains("PostgresException", StringComparison.Ordinal)).ShouldBeEmpty();

    [Fact]
    public void No_statement_outside_the_migrations_names_a_table()
    {
        // Functions and views only: what follows from, join, into or update in a statement is weir.something(…) or public.get_…(…).
        // The migrator's journal is its own: no function can be there before the first migration.
        var broken = Sources("src").Where(f => !f.Contains("/Postgres/Migrations/", StringComparison.Ordinal)).SelectMany(f => TableName().Matches(File.ReadAllText(f)).Select(m => $"{Path.GetFileName(f)}: {m.Value}")).ToArray();
        broken.ShouldBeEmpty();
    }

    [Fact]
    public void F03_only_the_bounded_reader_reads_a_body() =>
        Sources("src").Where(f => !f.EndsWith("/Input/RequestBody.cs", StringComparison.Ordinal) && BodyOfRequest().IsMatch(File.ReadAllText(f))).ShouldBeEmpty();

    private static List<string> Order()
    {
        var section = File.ReadAllText(Repository.PathOf("docs/architecture.md")).Split("## The order of the feature folders")[1].Split("\n## ")[0];
        return [.. Entry().Matches(section).Select(m => m.Groups["name"].Value)];
    }

    private static IEnumerable<string> Folders() => Directory.GetDirectories(Repository.PathOf("src/Weir")).Select(d => Path.GetFileName(d)!).Where(d => d is not ("obj" or "bin"));

    private static IEnumerable<string> Sources(string folder) => Directory.GetFiles(Repository.PathOf(folder), "*.cs", SearchOption.AllDirectories);

    [GeneratedRegex(@"\bWeir\.(?<name>\w+)\b", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Named();

    [GeneratedRegex(@"[Rr]equest\.(Body|BodyReader|Form)\b|ReadFormAsync|ReadFromJsonAsync", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex BodyOfRequest();

    [GeneratedRegex(@"^\d+\. `(?<name>\w+)`", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Entry();

    [GeneratedRegex(@"\b(from|join|into|update)\s+(weir|public)\.\w+(?!\w*\()", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex TableName();
}
