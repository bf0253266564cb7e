using Weir.Knowledge.Text;

namespace Weir.Tests.Knowledge;

public sealed class MarkdownTextTests
{
    [Fact]
    public void Headings_are_the_context_of_what_is_below_them_and_the_rest_stays_as_it_is() => MarkdownText.Read("""
        Before.

        # Leave #

        - twenty days
        - **two** more

        ## Sick

        Call in.

        Pay
        ===

        | a | b |
        |---|---|
        | 1 | 2 |
        """.ReplaceLineEndings("\n")).ShouldBe(
        [
            new Section("", "Before."), new Section("Leave", "- twenty days\n- **two** more"), new Section("Leave › Sick", "Call in."),
            new Section("Pay", "| a | b |\n|---|---|\n| 1 | 2 |"),
        ]);

    [Fact]
    public void A_hash_in_code_is_no_heading() =>
        MarkdownText.Read("# A\n\n```sh\n# not a heading\nls\n```\n").ShouldBe([new Section("A", "```sh\n# not a heading\nls\n```")]);

    [Theory]
    [InlineData("good\n\n<!-- bad -->\n\nend")]
    [InlineData("good <!-- bad -->\n\nend")]
    [InlineData("good\n\n<script>bad</script>\n\nend")]
    [InlineData("good\n\n<div hidden>bad</div>\n\nend")]
    public void A25_comments_and_hidden_html_are_dropped(string markdown) =>
    MarkdownText.Read(markdown).Single().Text.ShouldNotContain("bad");

    [Fact]
    public void What_is_nested_deeper_than_the_parser_goes_is_text() =>
    MarkdownText.Read(new string('>', 50_000) + " x").Single().Text.ShouldEndWith(" x");

    [Fact]
    public void A_heading_and_nothing_below_it_is_nothing() => MarkdownText.Read("# Alone").ShouldBeEmpty();
}
