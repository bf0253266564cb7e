using FsCheck.Xunit;
using Weir.Chat.Offline;

namespace Weir.Tests.Chat.Offline;

public sealed class QuotesTests
{
    [Theory]
    [InlineData("a\nb")]
    [InlineData("a\r\nb")]
    [InlineData("a\rb")]
    [InlineData("a\u2028b")]
    [InlineData("a\u2029b")]
    [InlineData("a\u0085b")]
    [InlineData("a\fb")]
    [InlineData("a\vb")]
    public void S12_every_line_is_marked_as_the_servers_whatever_ends_it(string text) => Quotes.Of(text).ShouldBe("> a\n> b");

    [Fact]
    public void S12_a_long_text_is_trimmed_and_not_dropped()
    {
        var quoted = Quotes.Of(new string('x', 20_000));
        quoted.ShouldStartWith("> xxx");
        quoted.ShouldEndWith("[cut: 12000 more characters]");
    }

    [Property]
    public bool S12_no_text_gets_out_of_its_quotation(string? text) => Quotes.Of(text ?? "")
        .Split('\n', '\r', '\u2028', '\u2029', '\u0085', '\f', '\v').All(l => l.StartsWith("> ", StringComparison.Ordinal));

    [Property]
    public bool S12_a_name_inside_a_sentence_stays_on_its_line(string? text) =>
    !Quotes.Inline(text ?? "").Any(c => char.IsControl(c) || c is '`' or '\u2028' or '\u2029');
}
