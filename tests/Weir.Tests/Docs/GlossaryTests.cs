extern alias NodeAgent;

using System.Text.RegularExpressions;
using Weir.Server.Hosting;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Docs;

/// <summary>Every word of docs/glossary.md names a type of the code, or an object of the database, that is there.</summary>
public sealed partial class GlossaryTests
{
    private static readonly HashSet<string> Types = [
        .. TypeNames(typeof(Weir.Errors.ErrorCode)), .. TypeNames(typeof(WeirHost)),
        .. TypeNames(typeof(NodeAgent::Weir.NodeAgent.NodeApp)),
    ];

    private static readonly string Schema = File.ReadAllText(Repository.PathOf("db/schema.sql"));

    public static TheoryData<string> Terms => new(Rows().Select(r => r.Term));

    [Theory]
    [MemberData(nameof(Terms))]
    public void A_term_names_what_is_there(string term)
    {
        var names = Rows().Single(r => r.Term == term).Names;
        names.ShouldNotBeEmpty();
        names.Where(name => !Exists(name)).ShouldBeEmpty();
    }

    [Fact]
    public void No_term_is_there_twice() => Rows().Select(r => r.Term).ShouldBeUnique();

    [Theory]
    [InlineData("Weir.Gateway.NotThere")]
    [InlineData("public.not_there")]
    [InlineData("public.agents.not_there")]
    public void A_name_that_is_not_there_is_seen(string name) => Exists(name).ShouldBeFalse();

    private static bool Exists(string name) => name.StartsWith("Weir.", StringComparison.Ordinal)
        ? Types.Contains(name) : InDatabase(name.Split('.'));

    private static bool InDatabase(string[] parts) => parts switch
    {
        [var schema, var name] => Regex.IsMatch(
            Schema, $@"^CREATE (TABLE|FUNCTION|VIEW) {schema}\.{name}\b", RegexOptions.Multiline, TimeSpan.FromSeconds(5)),
        [var schema, var table, var column] => Regex.IsMatch(
            Schema, $@"^CREATE TABLE {schema}\.{table} \((\n    .*)*?\n    {column} ", RegexOptions.Multiline, TimeSpan.FromSeconds(5)),
        _ => false,
    };

    private static IEnumerable<string> TypeNames(Type of) =>
        of.Assembly.GetTypes().SelectMany(t => new[] { t.FullName!.Split('`')[0], t.Namespace ?? "" }).Distinct(StringComparer.Ordinal);

    private static IReadOnlyList<(string Term, string[] Names)> Rows() =>
    [
        .. File.ReadAllLines(Repository.PathOf("docs/glossary.md")).Select(line => Row().Match(line))
            .Where(m => m.Success && m.Groups["term"].Value is not ("term" or "---"))
            .Select(m => (m.Groups["term"].Value, Code().Matches(m.Groups["code"].Value).Select(c => c.Groups["name"].Value).ToArray())),
    ];

    [GeneratedRegex(@"^\| (?<term>[^|]+) \| [^|]+ \| (?<code>[^|]+) \|$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Row();

    [GeneratedRegex("`(?<name>[^`]+)`", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Code();
}
