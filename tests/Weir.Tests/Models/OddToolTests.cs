using System.Net;
using System.Text.Json;
using Weir.Postgres;
using Weir.Tests.Chat;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Models;

/// <summary>A turn whose tools, arguments or results are odd goes on without the odd one.</summary>
public sealed class OddToolTests(PatientModelWorld weir) : IClassFixture<PatientModelWorld>
{
    private const string Plain = """{"name": "plain", "inputSchema": {"type": "object"}}""";

    [Theory]
    [InlineData("one", 32)]
    [InlineData("two", 32)]
    [InlineData("one", 58)]
    public async Task R05_a_tool_of_many_nested_objects_ends_no_turn_and_is_called(string provider, int levels)
    {
        var agent = await weir.CreateAgentAsync();
        await weir.ChooseAsync(new { provider, model = "small" }, agent);
        await using var server =
            await OddToolServer.StartAsync(Plain, $$"""{"name": "deep", "inputSchema": {{OddToolServer.Nested(levels)}}}""");
        await weir.AddServerAsync(server.Url, agent, """{"tools": {"*": {}}}""", new { });
        var arguments = string.Concat(Enumerable.Repeat("{\"a\":", levels)) + "\"x\"" + new string('}', levels);
        (provider == "one" ? weir.One : weir.Two).Otherwise = body => ModelWorld.Results(body).Length > 0
            ? ModelReply.Text("Done.")
            : new ModelReply.Says([], new ToolUse("a", ModelWorld.Tool(body, "deep"), arguments));

        var (status, answer) = await weir.ChatAsync(agent, "go deep");

        status.ShouldBe(HttpStatusCode.OK);
        answer.GetProperty("message").GetString().ShouldBe("Done.");
        answer.GetProperty("degraded").GetRawText().ShouldBe("[]");
        answer.GetProperty("toolCalls")[0].GetProperty("outcome").GetString().ShouldBe("ok");
        server.Calls.Single().ShouldBe(("deep", arguments));
    }

    [Fact]
    public async Task R05_a_tool_whose_definition_cannot_be_read_is_left_out_alone_and_said()
    {
        var agent = await weir.CreateAgentAsync();
        await using var server = await OddToolServer.StartAsync(Plain, """{"name": "odd", "inputSchema": {"type": "object"}}""");
        var (id, name) = await weir.AddServerAsync(server.Url, agent, """{"tools": {"*": {}}}""", new { });
        // As one of an older release might be: no reader of today takes it.
        await weir.Database.Superuser.ExecuteAsync(
            "begin; set local session_replication_role = replica; "
                + $$"""update public.mcp_server_tools set definition = '{"name": "odd", "inputSchema": {{OddToolServer.Nested(100)}}}' """
                + $$"""where instance_id = '{{id}}' and name = 'odd'; commit""",
            [], CancellationToken.None);
        weir.One.Otherwise =
            body =>
                ModelReply.Text(
                    string.Join(",",
                        body.GetProperty("tools").EnumerateArray().Select(t => t.GetProperty("function").GetProperty("name").GetString())));

        var (status, answer) = await weir.ChatAsync(agent, "which tools?");

        status.ShouldBe(HttpStatusCode.OK);
        answer.GetProperty("message").GetString().ShouldBe(name + "__plain");
        var degraded = answer.GetProperty("degraded").EnumerateArray().Single();
        Members(degraded, "source", "server", "tool", "reason").ShouldBe(["tool", name, "odd", "left_out"]);
    }

    [Theory]
    [InlineData("""{"resultType": "complete", "content": [{"type": "text", "text": "\ud800"}]}""", "ok")]
    [InlineData("""{"resultType": "complete", "content": 7}""", "ok")]
    [InlineData("""{"resultType": "complete", "content": [7, null, {"type": {}}, {"type": "resource"}]}""", "ok")]
    [InlineData("""{"resultType": "complete", "structuredContent": DEEP}""", "ok")]
    [InlineData("""{"resultType": "complete", "structuredContent": TOODEEP}""", "failed")]
    [InlineData("\"error\": {\"code\": 7, \"message\": \"\\ud800\"}", "*")]
    [InlineData("\"error\": {\"code\": 7, \"message\": \"no\", \"data\": DEEP}", "tool_error")]
    public async Task R05_whatever_one_result_is_the_turn_goes_on(string result, string outcome)
    {
        var agent = await weir.CreateAgentAsync();
        await using var server = await OddToolServer.StartAsync(Plain, """{"name": "odd", "inputSchema": {"type": "object"}}""");
        await weir.AddServerAsync(server.Url, agent, """{"tools": {"*": {}}}""", new { });
        result = result.Replace("TOODEEP", OddToolServer.Nested(100)).Replace("DEEP", OddToolServer.Nested(58));
        server.Answer = tool => tool == "odd" ? result : """{"resultType": "complete", "content": [{"type": "text", "text": "fine"}]}""";
        weir.One.Otherwise = body => ModelWorld.Results(body) is { Length: > 0 } results
            ? ModelReply.Text(results.Single(r => r.Contains("\"plain\"")))
            : new ModelReply.Says(
                [], new ToolUse("a", ModelWorld.Tool(body, "odd"), "{}"), new ToolUse("b", ModelWorld.Tool(body, "plain"), "{}"));

        var (status, answer) = await weir.ChatAsync(agent, "both");

        status.ShouldBe(HttpStatusCode.OK);
        answer.GetProperty("message").GetString()!.ShouldContain("fine");
        var calls = answer.GetProperty("toolCalls").EnumerateArray()
            .ToDictionary(c => c.GetProperty("id").GetString()!, c => c.GetProperty("outcome").GetString());
        calls["b"].ShouldBe("ok");
        calls["a"].ShouldBeOneOf(outcome == "*" ? ["failed", "tool_error"] : [outcome]);
        (answer.GetProperty("degraded").GetArrayLength() > 0).ShouldBe(calls["a"] != "ok");
    }

    [Theory]
    [InlineData("")]
    [InlineData(" \n")]
    [InlineData("null")]
    public async Task R06_blank_arguments_of_a_tool_without_parameters_are_none(string arguments)
    {
        var (_, answer, server, _) = await CallAsync(arguments);
        await using var running = server;

        server.Calls.Single().ShouldBe(("plain", "{}"));
        answer.GetProperty("degraded").GetRawText().ShouldBe("[]");
        var call = answer.GetProperty("toolCalls").EnumerateArray().Single();
        (call.GetProperty("outcome").GetString(), call.GetProperty("arguments").GetRawText()).ShouldBe(("ok", "{}"));
    }

    [Theory]
    [InlineData("{\"city\": ", "not a JSON object")]
    [InlineData("[{}]", "not a JSON object")]
    [InlineData("{\"a\": 1, \"a\": 2}", "the same key twice")]
    [InlineData("{\"a\": 1, \"A\": 2}", "two keys")]
    [InlineData("{\"a\": \"\\ud800\"}", "cannot be written as JSON")]
    [InlineData("{\"a\": 1e999}", "exponent of 400")]
    [InlineData("DEEP", "deeper than 128 levels")]
    public async Task R06_refused_arguments_are_reported_and_the_model_is_told(string arguments, string why)
    {
        var (name, answer, server, told) =
            await CallAsync(
                arguments == "DEEP" ? string.Concat(Enumerable.Repeat("{\"a\":", 150)) + "1" + new string('}', 150) : arguments);
        await using var running = server;

        server.Calls.ShouldBeEmpty();
        var call = answer.GetProperty("toolCalls").EnumerateArray().Single();
        Members(call, "id", "server", "tool", "outcome").ShouldBe(["a", name, "plain", "denied"]);
        call.GetProperty("error").GetProperty("code").GetString().ShouldBe("WR001");
        call.GetProperty("error").GetProperty("message").GetString()!.ShouldContain(why);
        var degraded = answer.GetProperty("degraded").EnumerateArray().Single();
        Members(degraded, "source", "server", "tool", "reason").ShouldBe(["tool", name, "plain", "denied"]);
        told.ShouldContain(why);
    }

    [Fact]
    public async Task R07_no_request_asks_for_strict_schemas_and_every_schema_is_within_the_rules()
    {
        var agent = await weir.CreateAgentAsync();
        await using var server = await OddToolServer.StartAsync(
            Plain,
            """{"name": "open", "inputSchema": {"type": "object", "additionalProperties": {"type": "array"}, "properties": {"a": """
                + """{"type": "array", "items": [{"type": "int"}, true]}}}}""",
            """{"name": "odd", "inputSchema": {"type": "object", "anyOf": [{"required": ["x"]}], "properties": {"x": """
                + """{"$ref": "#/$defs/x"}, "y": {"type": [], "pattern": "(", "minLength": -1}}}}""");
        await weir.AddServerAsync(server.Url, agent, """{"tools": {"*": {}}}""", new { });
        foreach (var provider in new[] { "one", "two" })
        {
            await weir.ChooseAsync(new { provider, model = "small" }, agent);
            JsonElement[] tools = [];
            (provider == "one" ? weir.One : weir.Two).Otherwise = body =>
            {
                tools = [.. body.GetProperty("tools").EnumerateArray()];
                return ModelReply.Text("ok");
            };

            await weir.ChatAsync(agent, "hello");

            tools.Length.ShouldBe(3);
            foreach (var tool in tools)
            {
                tool.GetRawText().ShouldNotContain("strict");
                var schema = tool.TryGetProperty("function", out var function)
                    ? function.GetProperty("parameters") : tool.GetProperty("input_schema");
                ProviderRules.Violations(schema, provider == "one" ? "openai" : "anthropic").ShouldBeEmpty();
            }
        }
    }

    private async Task<(string Name, JsonElement Answer, OddToolServer Server, string Told)> CallAsync(string arguments)
    {
        var agent = await weir.CreateAgentAsync();
        var server = await OddToolServer.StartAsync(Plain);
        var (_, name) = await weir.AddServerAsync(server.Url, agent, """{"tools": {"*": {}}}""", new { });
        var told = "";
        weir.One.Otherwise = body =>
        {
            told = string.Concat(ModelWorld.Results(body));
            return told.Length > 0
                ? ModelReply.Text("I see.") : new ModelReply.Says([], new ToolUse("a", ModelWorld.Tool(body, "plain"), arguments));
        };
        var (status, answer) = await weir.ChatAsync(agent, "call it");
        status.ShouldBe(HttpStatusCode.OK);
        answer.GetProperty("message").GetString().ShouldBe("I see.");
        return (name, answer, server, told);
    }

    private static string?[] Members(JsonElement json, params string[] names) => [.. names.Select(n => json.GetProperty(n).GetString())];
}
