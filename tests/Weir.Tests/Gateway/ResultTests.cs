using System.Buffers;
using System.Text;
using System.Text.Json;
using Weir.Gateway;
using Weir.Mcp;

namespace Weir.Tests.Gateway;

public sealed class ResultTests
{
    [Fact]
    public void Uris_are_mapped_at_their_places_and_nowhere_else()
    {
        const string Result = """
            {"content":[{"type":"resource_link","uri":"file:///a","name":"uri"},{"type":"resource","resource":{"uri":"file:///b","text":"file:///c"}},
            {"type":"resource","resource":{"uri":"ui://widget"}},{"type":"text","text":"see file:///d","uri":"file:///e"},7],"structuredContent":{"uri":"file:///f"},"odd":"\ud83d"}
            """;
        var output = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(output))
        {
            ResourceUris.WriteMapped(json, Encoding.UTF8.GetBytes(Result), "files", Methods.ToolsCall);
        }

        var mapped = Encoding.UTF8.GetString(output.WrittenSpan);
        mapped.ShouldContain("weir://files/file:///a");
        mapped.ShouldContain("weir://files/file:///b");
        mapped.ShouldContain("\"uri\":\"ui://widget\"");
        mapped.Split("weir://").Length.ShouldBe(3);
        mapped.ShouldContain("\\ud83d", Case.Sensitive, "what is no text is passed on as it came");
    }

    [Theory]
    [InlineData("{}", """{"resultType":"complete"}""")]
    [InlineData("{ }", """{"resultType":"complete" }""")]
    [InlineData("""{"content":[]}""", """{"resultType":"complete","content":[]}""")]
    public void A_legacy_result_becomes_a_modern_one(string legacy, string modern)
    {
        var output = new ArrayBufferWriter<byte>();
        ResultEnvelope.WriteModern(output, Encoding.UTF8.GetBytes(legacy), hasType: false);
        Encoding.UTF8.GetString(output.WrittenSpan).ShouldBe(modern);
    }

    [Fact]
    public void A_modern_result_loses_what_strict_legacy_clients_reject()
    {
        var output = new ArrayBufferWriter<byte>();
        ResultEnvelope.WriteLegacy(output, """{"resultType":"complete","ttlMs":1,"cacheScope":"private","content":[],"_meta":{"io.modelcontextprotocol/serverInfo":{},"k":1}}"""u8.ToArray());
        Encoding.UTF8.GetString(output.WrittenSpan).ShouldBe("""{"content":[],"_meta":{"k":1}}""");
    }
}
