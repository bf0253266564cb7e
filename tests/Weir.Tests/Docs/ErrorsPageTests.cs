using System.Text.RegularExpressions;
using Weir.Errors;
using Weir.Tests.Infrastructure;
using Weir.Upstream;

namespace Weir.Tests.Docs;

public sealed partial class ErrorsPageTests
{
    [Fact]
    public void The_page_lists_every_code_with_its_status_and_nothing_else()
    {
        var page = Row().Matches(File.ReadAllText(Repository.PathOf("docs/errors.md")))
            .Select(m => (Code: m.Groups["code"].Value, Status: m.Groups["status"].Value, Retry: m.Groups["retry"].Value));
        var program = Enum.GetValues<ErrorCode>().Select(c => (Code: c.Sqlstate(), Status: $"{c.HttpStatus()}", Retry: !c.IsRetryable() ? "no" : c.IsRetryable(mayHaveActed: true) ? "yes" : "unless sent"));
        page.ShouldBe(program);
    }

    [Fact]
    public void R13_the_page_lists_every_cause_and_nothing_else() =>
        Cause().Matches(File.ReadAllText(Repository.PathOf("docs/errors.md"))).Select(m => m.Groups["cause"].Value)
            .ShouldBe(Enum.GetValues<FailureCause>().Select(c => c.Name()));

    [Theory]
    [InlineData("WR002", true)]
    [InlineData("WR999", false)]
    [InlineData("42501", false)]
    [InlineData("WR", false)]
    [InlineData(null, false)]
    public void A_sqlstate_is_recognized_only_when_it_is_of_the_list(string? sqlstate, bool known) => ErrorCodes.TryParse(sqlstate, out _).ShouldBe(known);

    [GeneratedRegex(@"^\| (?<code>WR\d{3}) \| \w+ \| (?<status>\d{3}) \| (?<retry>yes|no|unless sent) \|", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Row();

    [GeneratedRegex(@"^\| `(?<cause>[a-z_]+)` \|", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Cause();
}
