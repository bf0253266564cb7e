using System.Text;
using System.Text.Json;
using Weir.Gateway.Calls;
using Weir.Gateway.Forwarding;
using Weir.Identity;
using Weir.Mcp;

namespace Weir.Tests.Gateway.Forwarding;

public sealed class ForwardedBodyTests
{
    [Fact]
    public void Arguments_are_the_very_bytes_and_id_name_and_meta_are_made_anew()
    {
        var body = Build(
            """{"name":"files__read","arguments":{ "path" : "\u00e4" """
                + """},"_meta":{"progressToken":"mine","traceparent":"00-1","baggage":"secret=1","io.modelcontextprotocol/"""
                + """clientInfo":{"name":"x"}}}""", modern: false);
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
        var body = Build(
            """{"name":"x","Arguments":{"evil":1},"Task":{},"unknown":1,"requestState":"s","inputResponses":{"k":1},"_meta":{"io."""
                + """modelcontextprotocol/protocolVersion":"2026-07-28"}}""", modern: true);
        var members = JsonElement.Parse(body).GetProperty("params").EnumerateObject().Select(m => m.Name);
        members.Order(StringComparer.Ordinal).ShouldBe(["_meta", "inputResponses", "name", "requestState"]);
    }

    [Fact]
    public void A_modern_server_is_told_version_and_the_modern_callers_capabilities()
    {
        const string Meta =
            "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\"io.modelcontextprotocol/"
                + "clientCapabilities\":{\"elicitation\":{}}}";
        var meta = JsonElement.Parse(Build("{\"name\":\"x\"," + Meta + "}", modern: true)).GetProperty("params").GetProperty("_meta");
        meta.GetProperty("io.modelcontextprotocol/protocolVersion").GetString().ShouldBe("2026-07-28");
        meta.GetProperty("io.modelcontextprotocol/clientCapabilities").GetRawText().ShouldBe("""{"elicitation":{}}""");
        JsonElement.Parse(Build("""{"name":"x"}""", modern: true)).GetProperty("params").GetProperty("_meta")
            .GetProperty("io.modelcontextprotocol/clientCapabilities").GetRawText().ShouldBe("{}");
    }

    [Fact]
    public void A_legacy_server_gets_no_meta_that_the_caller_did_not_send() =>
        JsonElement.Parse(Build("""{"name":"x"}""", modern: false)).GetProperty("params").TryGetProperty("_meta", out _).ShouldBeFalse();

    [Theory]
    [InlineData("resources/read", CallKinds.Resource, """{"uri":"weir://s/file:///a","unknown":1}""", """{"uri":"read"}""")]
    [InlineData("prompts/get", CallKinds.Prompt, """{"name":"s__p","arguments":{"a":"b"}}""", """{"name":"read","arguments":{"a":"b"}}""")]
    [InlineData(
        "completion/complete", CallKinds.Prompt, """{"ref":{"type":"ref/prompt","name":"s__p"},"argument":{"name":"a","value":"b"}}""",
        """{"ref":{"type":"ref/prompt","name":"read"},"argument":{"name":"a","value":"b"}}""")]
    [InlineData(
        "completion/complete", CallKinds.Resource,
        """{"context":{},"ref":{"type":"ref/resource","uri":"weir://s/x://{a}"},"argument":{"name":"a","value":""}}""",
        """{"ref":{"type":"ref/resource","uri":"read"},"context":{},"argument":{"name":"a","value":""}}""")]
    public void Every_method_names_its_subject_in_its_own_way(string method, string kind, string parameters, string expected) =>
        JsonElement.Parse(Build(parameters, modern: false, method, kind)).GetProperty("params").GetRawText().ShouldBe(expected);

    [Fact]
    public void What_a_legacy_client_answered_reaches_the_modern_server_with_the_servers_own_state()
    {
        var parameters = JsonElement.Parse(
            Build("""{"name":"x","requestState":"the client's own"}""", modern: true,
                input: new InputForServer("""{"k":{"action":"accept"}}"""u8.ToArray(), "s\u00e4"))).GetProperty("params");
        parameters.GetProperty("requestState").GetString().ShouldBe("sä");
        parameters.GetProperty("inputResponses").GetRawText().ShouldBe("""{"k":{"action":"accept"}}""");
    }

    private static string Build(
        string parameters, bool modern, string method = "tools/call", string kind = CallKinds.Tool, InputForServer input = default)
    {
        var body = Encoding.UTF8.GetBytes("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"" + method + "\",\"params\":" + parameters + "}");
        var message = ClientMessageReader.Read(body);
        var call = new GovernedCall
        {
            Principal = Principal.OfPerson(Guid.Empty, Guid.Empty),
            Kind = kind,
            ExposedName = "",
            Body = body,
            Message = message,
            RequestId = "1",
            SessionAffinity = "",
            Offered = ClientCapabilities.Read(message.ClientCapabilities.Of(body)),
        };
        return Encoding.UTF8.GetString(ForwardedBody.Build(call, "read", modern, 42, input).Span);
    }
}
