using System.Text;
using System.Text.Json;
using Weir.Gateway;
using Weir.Mcp;

namespace Weir.Tests.Gateway;

public sealed class ForwardedBodyTests
{
    [Fact]
    public void Arguments_are_the_very_bytes_and_id_name_and_meta_are_made_anew()
    {
        var body = Build("""{"name":"files__read","arguments":{ "path" : "\u00e4" },"_meta":{"progressToken":"mine","traceparent":"00-1","baggage":"secret=1","io.modelcontextprotocol/clientInfo":{"name":"x"}}}""", modern: false);
        body.ShouldContain("\"arguments\":{ \"path\" : \"\\u00e4\" }");
        var message = JsonElement.Parse(body);
        message.GetProperty("id").GetInt64().ShouldBe(42);
        message.GetProperty("params").GetProperty("name").GetString().ShouldBe("read");
        var meta = message.GetProperty("params").GetProperty("_meta");
        meta.GetProperty("progressToken").GetInt64().ShouldBe(42);
        meta.GetProperty("traceparent").GetString().ShouldBe("00-1");
        meta.TryGetProperty("baggage", out _).ShouldBeFalse();
        meta.TryGetProperty("io.modelcontextprotocol/clientInfo", out _).ShouldBeFalse();
    }

    [Fact]
    public void A05_what_admission_did_not_judge_is_not_forwarded()
    {
        var body = Build("""{"name":"x","Arguments":{"evil":1},"Task":{},"_Meta":{},"unknown":1,"requestState":"s","inputResponses":{"k":1}}""", modern: true);
        var members = JsonElement.Parse(body).GetProperty("params").EnumerateObject().Select(m => m.Name);
        members.Order(StringComparer.Ordinal).ShouldBe(["_meta", "inputResponses", "name", "requestState"]);
    }

    [Fact]
    public void A_modern_server_is_told_version_and_the_modern_callers_capabilities()
    {
        const string Meta = "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\"io.modelcontextprotocol/clientCapabilities\":{\"elicitation\":{}}}";
        var meta = JsonElement.Parse(Build("{\"name\":\"x\"," + Meta + "}", modern: true)).GetProperty("params").GetProperty("_meta");
        meta.GetProperty("io.modelcontextprotocol/protocolVersion").GetString().ShouldBe("2026-07-28");
        meta.GetProperty("io.modelcontextprotocol/clientCapabilities").GetRawText().ShouldBe("""{"elicitation":{}}""");
        JsonElement.Parse(Build("""{"name":"x"}""", modern: true)).GetProperty("params").GetProperty("_meta")
            .GetProperty("io.modelcontextprotocol/clientCapabilities").GetRawText().ShouldBe("{}");
    }

    [Fact]
    public void A_legacy_server_gets_no_meta_that_the_caller_did_not_send() =>
        JsonElement.Parse(Build("""{"name":"x"}""", modern: false)).GetProperty("params").TryGetProperty("_meta", out _).ShouldBeFalse();

    private static string Build(string parameters, bool modern)
    {
        var body = Encoding.UTF8.GetBytes("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":" + parameters + "}");
        return Encoding.UTF8.GetString(ForwardedBody.Build(body, EnvelopeReader.Read(body), 42, "read", modern).Span);
    }
}
