using System.Text.RegularExpressions;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Docs;

/// <summary>docs/reports.md says which tests keep a fault out that was found. Here it is held to that.</summary>
public sealed partial class ReportsTests
{
    private static readonly string Page = File.ReadAllText(Repository.PathOf("docs/reports.md"));

    [Fact]
    public void Every_fault_has_its_section_and_in_it_a_test_with_its_id()
    {
        var sections = Section().Matches(Page)
            .Select(s => (Id: s.Groups["id"].Value, Tests: NamedTest.In(s.Groups["text"].Value).ToArray())).ToArray();

        sections.Select(s => s.Id)
            .ShouldBe([.. Enumerable.Range(1, 11).Select(n => $"F{n:00}"), .. Enumerable.Range(1, 17).Select(n => $"R{n:00}")]);
        sections.Where(s => !s.Tests.Any(t => t.Name.StartsWith(s.Id + "_", StringComparison.Ordinal))).Select(s => s.Id).ShouldBeEmpty();
    }

    [Fact]
    public void Every_test_that_the_page_names_is_in_the_file_that_it_names() =>
    NamedTest.In(Page).Where(t => !t.IsThere()).ShouldBeEmpty();

    // A line that is written otherwise would not be looked at above.
    [Fact]
    public void Every_item_of_the_page_is_a_test() =>
        Item().Matches(Page).Select(i => i.Groups["text"].Value).Where(i => NamedTest.Rest(i).Length > 0).ShouldBeEmpty();

    [GeneratedRegex(@"^### (?<id>[FR]\d\d): .*\n(?<text>(?:(?!##).*\n)*)",
        RegexOptions.Multiline | RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Section();

    [GeneratedRegex(@"^- (?<text>.+)$", RegexOptions.Multiline | RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Item();
}
