using System.Buffers;
using System.Text;
using System.Text.Json;
using Weir.Gateway.AgentTools;
using Weir.Gateway.Forwarding;
using Weir.Http;
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
        mapped.ShouldContain("\"uri\":\"ui://files/widget\"");
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
        ResultEnvelope.WriteLegacy(
            output,
            """{"resultType":"complete","ttlMs":1,"cacheScope":"private","content":[],"_meta":{"io.modelcontextprotocol/serverInfo":{},"k":1}}"""u8.ToArray());
        Encoding.UTF8.GetString(output.WrittenSpan).ShouldBe("""{"content":[],"_meta":{"k":1}}""");
    }

    [Theory]
    [InlineData("""{"contents":[],"ttlMs":60000,"cacheScope":"public"}""", 60000)]
    [InlineData("""{"contents":[],"ttlMs":-5,"cacheScope":"public"}""", 0)]
    [InlineData("""{"contents":[],"ttlMs":"long"}""", 0)]
    [InlineData("""{"contents":[]}""", 0)]
    public void A22_whatever_a_server_says_a_result_is_kept_for_its_own_agent_only(string result, int ttl)
    {
        var output = new ArrayBufferWriter<byte>();
        ResultEnvelope.WriteCacheable(output, Encoding.UTF8.GetBytes(result));
        var written = System.Text.Json.JsonElement.Parse(output.WrittenSpan);
        written.GetProperty("cacheScope").GetString().ShouldBe("private");
        written.GetProperty("ttlMs").GetInt32().ShouldBe(ttl);
        written.GetProperty("resultType").GetString().ShouldBe("complete");
    }

    [Fact]
    public void A29_a_message_over_several_lines_is_one_event_and_cannot_make_another()
    {
        var output = new ArrayBufferWriter<byte>();
        EventStream.WriteMessage(output, message => message.Write("{\"a\":\n1,\r\n\r\n\"b\":2}\n\nevent: other\ndata: x"u8));
        Encoding.UTF8.GetString(output.WrittenSpan).ShouldBe("event: message\ndata: {\"a\":1,\"b\":2}event: otherdata: x\n\n");
    }

    [Theory]
    [InlineData(-32002, "resources/read", false, true, -32602)]
    [InlineData(-32602, "resources/read", true, false, -32002)]
    [InlineData(-32602, "tools/call", true, false, -32602)]
    [InlineData(-32021, "tools/call", true, true, -32021)]
    [InlineData(-32021, "tools/call", true, false, -32602)]
    [InlineData(-32020, "tools/call", true, true, -32603)]
    [InlineData(-32042, "tools/call", false, true, -32603)]
    [InlineData(-32042, "tools/call", false, false, -32042)]
    [InlineData(-32000, "tools/call", false, true, -32000)]
    public void An_error_code_is_one_that_the_clients_era_has(int code, string method, bool fromModern, bool toModern, int expected) =>
        EraErrors.Translate(code, method, fromModern, toModern).ShouldBe(expected);
}
