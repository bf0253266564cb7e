using System.Text.RegularExpressions;
using Weir.Errors;
using Weir.Nodes;
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
        var program = Enum.GetValues<ErrorCode>()
            .Select(
            c =>
                (Code: c.Sqlstate(), Status: $"{c.HttpStatus()}",
                Retry: !c.IsRetryable() ? "no" : c.IsRetryable(mayHaveActed: true) ? "yes" : "unless sent"));
        page.ShouldBe(program);
    }

    [Fact]
    public void R13_the_page_lists_every_reason_with_its_sentence_and_nothing_else() =>
        Cause().Matches(File.ReadAllText(Repository.PathOf("docs/errors.md")))
            .Select(m => KeyValuePair.Create(m.Groups["cause"].Value, m.Groups["sentence"].Value))
            .ShouldBe(FailureCodes.All);

    [Fact]
    public void What_the_gateway_and_a_node_may_say_is_in_the_one_list_of_reasons()
    {
        var known = FailureCodes.All.Select(c => c.Key).ToArray();
        known.Distinct().Count().ShouldBe(known.Length);
        Enum.GetValues<FailureCause>().Select(c => c.Name()).Except(known).ShouldBeEmpty();
        var ofNode = typeof(NodeErrors).GetFields().Select(f => (string)f.GetRawConstantValue()!).ToArray();
        ofNode.Length.ShouldBeGreaterThan(20);
        ofNode.Except(known).ShouldBeEmpty();
        new[] { NodeCallException.NodeUnreachable, NodeCallException.NodeKeyLost, ServerTemplates.TemplateInvalid }.Except(known)
            .ShouldBeEmpty();
    }

    [Theory]
    [InlineData("WR002", true)]
    [InlineData("WR999", false)]
    [InlineData("42501", false)]
    [InlineData("WR", false)]
    [InlineData(null, false)]
    public void A_sqlstate_is_recognized_only_when_it_is_of_the_list(string? sqlstate, bool known) =>
    ErrorCodes.TryParse(sqlstate, out _).ShouldBe(known);

    [GeneratedRegex(@"^\| (?<code>WR\d{3}) \| \w+ \| (?<status>\d{3}) \| (?<retry>yes|no|unless sent) \|",
        RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Row();

    [GeneratedRegex(@"^\| `(?<cause>[a-z_]+)` \| (?<sentence>[^|]+) \|", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Cause();
}
