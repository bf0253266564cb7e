using System.Text.RegularExpressions;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Docs;

/// <summary>docs/traps.md says which test proves that a defect of the first draft is not there. Here it is held to that.</summary>
public sealed partial class TrapsTests
{
    // How many defects each group has, in the order of the page.
    private static readonly (char Group, int Count)[] Groups = [('M', 21), ('V', 13), ('G', 8), ('D', 7), ('T', 21), ('S', 17)];

    [Fact]
    public void Every_defect_has_its_row_once_and_in_order() =>
        Rows().Select(r => r.Id).ShouldBe(Groups.SelectMany(g => Enumerable.Range(1, g.Count).Select(n => $"{g.Group}{n}")));

    [Fact]
    public void Every_row_has_a_test_of_its_own_or_says_what_it_waits_for() =>
        Rows().Where(r => r.WaitsFor.Length == 0 && !r.Tests.Any(t => t.Name.Split('_').Contains(r.Id, StringComparer.Ordinal)))
            .Select(r => r.Id).ShouldBeEmpty();

    [Fact]
    public void Every_test_that_a_row_names_is_in_the_file_that_it_names()
    {
        var tests = Rows().SelectMany(r => r.Tests).Distinct().ToArray();

        tests.ShouldNotBeEmpty();
        tests.Where(t => !t.IsThere()).ShouldBeEmpty();
    }

    [Fact]
    public void Nothing_of_a_row_is_left_unread() =>
    Rows().Where(r => NamedTest.Rest(r.Cell).Trim(' ', ';').Length > 0).Select(r => r.Id).ShouldBeEmpty();

    private static List<(string Id, string Cell, NamedTest[] Tests, string WaitsFor)> Rows() =>
    [
        .. Row().Matches(File.ReadAllText(Repository.PathOf("docs/traps.md"))).Select(row => (
            row.Groups["id"].Value,
            row.Groups["tests"].Value,
            NamedTest.In(row.Groups["tests"].Value).ToArray(),
            row.Groups["waits"].Value.Trim())),
    ];

    [GeneratedRegex(@"^\| (?<id>[MVGDTS]\d+) \|[^|\n]+\|(?<tests>[^|\n]*)\|(?<waits>[^|\n]*)\|$",
        RegexOptions.Multiline | RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Row();
}
