using System.Text.RegularExpressions;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Docs;

/// <summary>
/// The folders of each project have an order, written once in docs/architecture.md: a folder names only folders before it.
/// </summary>
public sealed partial class ArchitectureTests
{
    private static readonly Lazy<SourceGraph> Engine = new(() => SourceGraph.Read("Weir"));
    private static readonly Lazy<SourceGraph> Server = new(() => SourceGraph.Read("Weir.Server", "Weir"));
    private static readonly Lazy<SourceGraph> NodeAgent = new(() => SourceGraph.Read("Weir.NodeAgent", "Weir"));

    [Theory]
    [InlineData("Weir")]
    [InlineData("Weir.Server")]
    [InlineData("Weir.NodeAgent")]
    public void Every_folder_has_its_place_in_the_order(string project) =>
        Order(project).Order(StringComparer.Ordinal)
            .ShouldBe(GraphOf(project).Folders.Where(f => f.Length > 0).Order(StringComparer.Ordinal));

    [Theory]
    [InlineData("Weir")]
    [InlineData("Weir.Server")]
    [InlineData("Weir.NodeAgent")]
    public void A_folder_names_types_only_of_folders_before_it(string project)
    {
        var graph = GraphOf(project);
        graph.Edges.ShouldNotBeEmpty("the graph must be there to be judged");
        graph.FirstClimbing(Order(project))?.ToString().ShouldBeNull();
    }

    [Fact]
    public void An_edge_that_climbs_is_found() =>
        Engine.Value.FirstClimbing(["Postgres", "Errors"]).ShouldNotBeNull().To.ShouldBe("Errors");

    [Theory]
    [InlineData("Weir")]
    [InlineData("Weir.Server")]
    [InlineData("Weir.NodeAgent")]
    public void No_type_name_is_declared_twice_in_a_project(string project) =>
        GraphOf(project).Types.GroupBy(t => t, StringComparer.Ordinal).Where(g => g.Count() > 1).Select(g => g.Key).ShouldBeEmpty();

    [Fact]
    public void Only_the_postgres_folder_catches_what_postgresql_raises() =>
        Sources("src")
            .Where(
            f =>
                !f.Contains("/Postgres/", StringComparison.Ordinal)
                    && File.ReadAllText(f).Contains("PostgresException", StringComparison.Ordinal)).ShouldBeEmpty();

    [Fact]
    public void No_statement_outside_the_migrations_names_a_table()
    {
        // Functions and views only: what follows from, join, into or update in a statement is weir.something(…) or public.get_…(…).
        // The migrator's journal is its own: no function can be there before the first migration.
        var broken = Sources("src").Where(f => !f.Contains("/Postgres/Migrations/", StringComparison.Ordinal))
            .SelectMany(f => TableName().Matches(File.ReadAllText(f)).Select(m => $"{Path.GetFileName(f)}: {m.Value}")).ToArray();
        broken.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("Weir", "Input/RequestBody.cs")]
    [InlineData("Weir.Server", null)]
    [InlineData("Weir.NodeAgent", null)]
    public void F03_only_the_bounded_reader_reads_a_body(string project, string? reader)
    {
        var reads = GraphOf(project).BodyReads;
        reads.Where(r => reader is null || !r.StartsWith(reader + ":", StringComparison.Ordinal)).ShouldBeEmpty();
        reads.Any().ShouldBe(reader is not null, "the bounded reader's own read is seen");
    }

    private static SourceGraph GraphOf(string project) => project switch
    {
        "Weir" => Engine.Value,
        "Weir.Server" => Server.Value,
        _ => NodeAgent.Value,
    };

    /// <summary>The folders of a project from the bottom up, as docs/architecture.md lists them.</summary>
    private static List<string> Order(string project)
    {
        var section = File.ReadAllText(Repository.PathOf("docs/architecture.md")).Split($"### `src/{project}`\n")[1];
        return [.. Entry().Matches(NextHeading().Split(section)[0]).Select(m => m.Groups["name"].Value)];
    }

    private static IEnumerable<string> Sources(string folder) =>
        Directory.GetFiles(Repository.PathOf(folder), "*.cs", SearchOption.AllDirectories);

    [GeneratedRegex(@"^ *(\d+\.|-) `(?<name>[\w/]+)`", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Entry();

    [GeneratedRegex("^##", RegexOptions.Multiline, 1000)]
    private static partial Regex NextHeading();

    [GeneratedRegex(@"\b(from|join|into|update)\s+(weir|public)\.\w+(?!\w*\()", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex TableName();
}
