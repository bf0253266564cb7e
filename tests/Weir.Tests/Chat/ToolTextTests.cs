using System.Text.Json;
using Weir.Chat.Tools;

namespace Weir.Tests.Chat;

public sealed class ToolTextTests
{
    [Theory]
    [InlineData("""{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}""", "a\nb")]
    [InlineData("""{"content":[{"type":"image","mimeType":"image/png","data":"AAAA"}]}""", "[image, image/png, 3 bytes]")]
    [InlineData("""{"content":[{"type":"resource_link","uri":"file:///a","name":"a"}]}""", "[a: file:///a]")]
    [InlineData("""{"content":[{"type":"resource","resource":{"uri":"file:///a","text":"x"}}]}""", "[file:///a]\nx")]
    [InlineData("""{"content":[{"type":"resource","resource":{"uri":"file:///a","mimeType":"application/pdf","blob":"AAAA"}}]}""",
        "[file:///a, application/pdf]")]
    [InlineData("""{"content":[],"structuredContent":{"a":1}}""", """{"a":1}""")]
    [InlineData("""{"content":[{"type":"text","text":"a"}],"structuredContent":{"a":1}}""", "a")]
    [InlineData("""{"content":"nonsense"}""", "")]
    [InlineData("""{"content":[7,null,{"type":7},{"type":"new"},{"type":"text","text":"\ud800"},{"type":"text","text":"a\u0000b"}]}""",
        "[text that is not Unicode]\nab")]
    [InlineData("{}", "")]
    public void A_result_is_read_as_text(string result, string text) => ToolText.Of(JsonElement.Parse(result)).ShouldBe(text);

    [Fact]
    public void S12_a_large_result_is_trimmed_between_characters_and_says_so()
    {
        var text = ToolText.Trim(new string('x', ToolText.MaxLength - 1) + "😀" + new string('y', 100));
        text.ShouldEndWith("… [cut: 102 more characters]");
        text.EnumerateRunes().ShouldNotContain(System.Text.Rune.ReplacementChar);
    }
}
