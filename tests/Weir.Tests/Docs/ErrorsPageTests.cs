using System.Text.RegularExpressions;
using Weir.Errors;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Docs;

public sealed partial class ErrorsPageTests
{
    [Fact]
    public void The_page_lists_every_code_with_its_status_and_nothing_else()
    {
        var page = Row().Matches(File.ReadAllText(Repository.PathOf("docs/errors.md")))
            .Select(m => (Code: m.Groups[1].Value, Status: m.Groups[2].Value, Retry: m.Groups[3].Value));
        var program = Enum.GetValues<ErrorCode>().Select(c => (Code: c.Sqlstate(), Status: $"{c.HttpStatus()}", Retry: c.IsRetryable() ? "yes" : "no"));
        page.ShouldBe(program);
    }

    [Theory]
    [InlineData("WR002", true)]
    [InlineData("WR999", false)]
    [InlineData("42501", false)]
    [InlineData("WR", false)]
    [InlineData(null, false)]
    public void A_sqlstate_is_recognized_only_when_it_is_of_the_list(string? sqlstate, bool known) => ErrorCodes.TryParse(sqlstate, out _).ShouldBe(known);

    [GeneratedRegex(@"^\| (?<code>WR\d{3}) \| \w+ \| (?<status>\d{3}) \| (?<retry>yes|no) \|", RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Row();
}
