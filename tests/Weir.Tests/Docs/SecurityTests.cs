using System.Globalization;
using System.Text.RegularExpressions;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Docs;

/// <summary>
/// docs/security.md says which tests prove a promise, and which mutations of the database no test can notice. Here it is held to that.
/// </summary>
public sealed partial class SecurityTests
{
    private static readonly string Page = File.ReadAllText(Repository.PathOf("docs/security.md"));

    [Fact]
    public void Every_promise_that_is_kept_has_its_section_and_in_it_tests()
    {
        var promises = Promise().Matches(File.ReadAllText(Repository.PathOf("docs/architecture.md"))).Select(p => p.Groups["number"].Value)
            .ToArray();
        var sections = Section().Matches(Page)
            .ToDictionary(s => s.Groups["number"].Value, s => NamedTest.In(s.Groups["text"].Value).Count());

        promises.ShouldNotBeEmpty();
        sections.Keys.ShouldBe(promises);
        sections.Where(s => s.Value == 0).ShouldBeEmpty();
    }

    [Fact]
    public void Every_test_that_the_page_names_is_in_the_file_that_it_names() =>
    NamedTest.In(Page).Where(t => !t.IsThere()).ShouldBeEmpty();

    // A line that is written otherwise would not be looked at above.
    [Fact]
    public void Every_item_of_a_promise_is_a_test() =>
        Section().Matches(Page).SelectMany(s => Item().Matches(s.Groups["text"].Value)).Select(i => i.Groups["text"].Value)
            .Where(i => NamedTest.Rest(i).Length > 0).ShouldBeEmpty();

    [Fact]
    public void Every_attack_on_tenancy_is_tried_through_http_and_through_sql()
    {
        var rows = Attack().Matches(Page).ToArray();

        rows.Select(r => r.Groups["number"].Value).ShouldBe(["1", "2", "3", "4", "5", "6", "7", "16"]);
        rows.Where(r => !NamedTest.In(r.Groups["http"].Value).Any() || !NamedTest.In(r.Groups["sql"].Value).Any()).ShouldBeEmpty();
    }

    [Fact]
    public void The_equivalent_mutations_are_counted_by_their_reasons()
    {
        var listed = File.ReadLines(Repository.PathOf("eng/mutations-equivalent.txt")).Where(l => l.Length > 0 && !l.StartsWith('#'))
            .Select(l => l.Split('\t')).ToArray();

        listed.ShouldAllBe(l => l.Length == 2);
        Reasons().ShouldBe(listed.GroupBy(l => l[1], StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Count()), ignoreOrder: true);
    }

    private static Dictionary<string, int> Reasons() => Row()
        .Matches(Page[Page.IndexOf("| equivalent, because |", StringComparison.Ordinal)..])
        .ToDictionary(r => r.Groups["reason"].Value, r => int.Parse(r.Groups["count"].Value, CultureInfo.InvariantCulture));

    [GeneratedRegex(
        @"^\| (?<number>\d+) \| \*\*", RegexOptions.Multiline | RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Promise();

    [GeneratedRegex(@"^## Promise (?<number>\d+):.*\n(?<text>(?:(?!## ).*\n)*)",
        RegexOptions.Multiline | RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Section();

    [GeneratedRegex(@"^\| (?<number>\d+) \| [^|\n]+ \|(?<http>[^|\n]+)\|(?<sql>[^|\n]+)\|$",
        RegexOptions.Multiline | RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Attack();

    [GeneratedRegex(@"^- (?<text>.+)$", RegexOptions.Multiline | RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Item();

    [GeneratedRegex(@"^\| (?<reason>[^|\n]+) \| (?<count>\d+) \|$",
        RegexOptions.Multiline | RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Row();
}
