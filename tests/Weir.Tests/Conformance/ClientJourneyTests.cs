using System.Text.Json;
using Weir.Tests.Fixtures.Conformance;
using Weir.Tests.Infrastructure;
using Weir.Tests.Journeys;

namespace Weir.Tests.Conformance;

/// <summary>
/// Unmodified TypeScript clients use all that the fixture server has, through Weir. Each step is named, and those that do not work yet
/// are listed as the suite's scenarios are.
/// </summary>
public sealed class ClientJourneyTests(RunningWeir weir) : IClassFixture<RunningWeir>
{
    private const string LogLevel = "io.modelcontextprotocol/logLevel";
    private const string Watched = "test://watched-resource";

    [Theory]
    [InlineData("legacy.mjs", "legacy", ServerEras.Dual)]
    [InlineData("legacy.mjs", "legacy", ServerEras.Modern)]
    [InlineData("legacy.mjs", "legacy", ServerEras.Legacy)]
    [InlineData("modern.mjs", "legacy", ServerEras.Dual)]
    [InlineData("modern.mjs", "legacy", ServerEras.Modern)]
    [InlineData("modern.mjs", "legacy", ServerEras.Legacy)]
    [InlineData("modern.mjs", "auto", ServerEras.Dual)]
    [InlineData("modern.mjs", "auto", ServerEras.Modern)]
    [InlineData("modern.mjs", "auto", ServerEras.Legacy)]
    public async Task A_typescript_client_fails_only_the_listed_steps(string script, string mode, ServerEras eras)
    {
        await using var server = await ConformanceServer.StartAsync(eras);
        var (name, _) = await weir.AddReadyAsync(server.Url, """{"tools": {"*": {}}, "resources": ["*"], "prompts": ["*"]}""");
        var results = await RunAsync(new Uri(weir.Url, "/mcp/" + name), weir.World.AgentKey, script, mode);
        ExpectedFailures.Of($"typescript-{Path.GetFileNameWithoutExtension(script)}-{mode}-{eras}").Check(results);
    }

    /// <summary>What a client and the fixture cannot do without Weir, no cell above can measure.</summary>
    [Theory]
    [InlineData("legacy.mjs", "legacy", ServerEras.Dual)]
    [InlineData("legacy.mjs", "legacy", ServerEras.Legacy)]
    [InlineData("modern.mjs", "legacy", ServerEras.Dual)]
    [InlineData("modern.mjs", "auto", ServerEras.Dual)]
    [InlineData("modern.mjs", "auto", ServerEras.Modern)]
    public async Task A_typescript_client_takes_every_step_with_the_fixture_itself(string script, string mode, ServerEras eras)
    {
        await using var server = await ConformanceServer.StartAsync(eras);
        string.Join('\n', (await RunAsync(server.Url, "none", script, mode)).Where(r => !r.HasPassed)).ShouldBeEmpty();
    }

    private static async Task<ScenarioResult[]> RunAsync(Uri url, string key, string script, string mode)
    {
        var steps = Steps(mode == "auto", notFound: script == "modern.mjs" ? -32602 : -32002);
        var answers = await NodeScript.RunAsync(script, [url.ToString(), key, JsonSerializer.Serialize(steps.Select(s => s.Order)), mode]);
        answers[0].GetProperty("era").GetString().ShouldBe(mode == "auto" ? "modern" : "legacy");
        return [.. steps.Select((step, i) => step.Judge(answers[i + 1]))];
    }

    /// <param name="notFound">The code by which the client says that there is no such resource: the newer one says the modern code in both
    /// eras.</param>
    private static Step[] Steps(bool isModern, int notFound) =>
    [
        new("tools", new { list = true }, a => Has(a, "test_simple_text")),
        new("tool", new { call = "test_simple_text", arguments = new { } }, a => Text(a) == "This is a simple text response for testing."),
        new("tool-error", new { call = "test_error_handling", arguments = new { } }, a => a.GetProperty("isError").GetBoolean()),
        new("progress", new { call = "test_tool_with_progress", arguments = new { }, progress = true },
            a => a.GetProperty("progress").GetRawText() == "[0,50,100]"),
        new("resources", new { resources = true }, a => Has(a, "test://static-text")),
        new("templates", new { templates = true }, a => Has(a, "test://template/{id}/data")),
        new("read", new { read = "test://static-text" },
            a => a[0].GetProperty("text").GetString() == "This is the content of the static text resource."),
        new("read-template", new { read = "test://template/42/data" },
            a => a[0].GetProperty("text").GetString()!.Contains("Data for ID: 42", StringComparison.Ordinal)),
        new("read-unknown", new { read = "test://nothing" }, a => a.GetProperty("error").GetProperty("code").GetInt32() == notFound),
        new("prompts", new { prompts = true }, a => Has(a, "test_simple_prompt")),
        new("prompt", new { prompt = "test_prompt_with_arguments", arguments = new { arg1 = "a", arg2 = "b" } },
            a => a[0].GetProperty("content").GetProperty("text").GetString()!.Contains("arg1='a', arg2='b'", StringComparison.Ordinal)),
        new("prompt-with-question", new { prompt = "test_input_required_result_prompt" },
            a => a[0].GetProperty("content").GetProperty("text").GetString() == "Prompt with context: context"),
        new("complete-prompt",
            new
            {
                complete = new
                {
                    @ref = new { type = "ref/prompt", name = "test_prompt_with_arguments" },
                    argument = new { name = "arg1", value = "par" },
                },
            }, a => a.GetRawText() == """["paris","park","party"]"""),
        new("complete-template",
            new
            {
                complete = new
                {
                    @ref = new { type = "ref/resource", uri = "test://template/{id}/data" },
                    argument = new { name = "id", value = "12" },
                },
            }, a => a.GetRawText() == """["12","123"]"""),
        new("log-level", isModern ? (object)new { list = true } : new { level = "info" },
            a => a.ValueKind == JsonValueKind.Array || !a.TryGetProperty("error", out _)),
        new("logging-tool",
            new
            {
                call = "test_tool_with_logging",
                arguments = new { },
                meta = new Dictionary<string, string> { [isModern ? LogLevel : "example.test/unused"] = "info" },
            }, a => Text(a) == "Tool with logging executed successfully"),
        new("logging", new { @await = "notifications/message" }, a => a.GetProperty("data").GetString() == "Tool execution started"),
        new("elicitation", new { call = "test_elicitation", arguments = new { message = "Who?" } },
            a => Text(a) == """User response: action=accept, content={"username":"username","email":"email"}"""),
        new("elicitation-defaults", new { call = "test_elicitation_sep1034_defaults", arguments = new { } },
            a => Text(a).Contains("\"score\":95.5", StringComparison.Ordinal)),
        new("elicitation-enums", new { call = "test_elicitation_sep1330_enums", arguments = new { } },
            a => Text(a).Contains("\"titledMulti\":[\"value1\"]", StringComparison.Ordinal)),
        new("elicitation-url", new { call = "test_elicitation_url", arguments = new { } },
            a => Text(a).StartsWith("User response: action=accept", StringComparison.Ordinal)),
        new("sampling", new { call = "test_sampling", arguments = new { prompt = "Hello?" } },
            a => Text(a) == "LLM response: a sampled answer"),
        new("roots", new { call = "test_input_required_result_list_roots", arguments = new { } }, a => Text(a) == "Found 1 root(s)"),
        new("several-questions", new { call = "test_input_required_result_multiple_inputs", arguments = new { } },
            a => Text(a) == "Name: name; Greeting: a sampled answer; Roots: 1"),
        new("several-rounds", new { call = "test_input_required_result_multi_round", arguments = new { } },
            a => Text(a) == "Multi-round complete for name who likes color"),
        new("asked", new { asked = true }, a => Has(a, "elicitation/create") && Has(a, "sampling/createMessage") && Has(a, "roots/list")),
        new("subscribe", new { subscribe = Watched }, a => !a.TryGetProperty("error", out _)),
        new("trigger-update", new { call = "test_trigger_resource_update", arguments = new { } }, a => Text(a) == "Mutation triggered"),
        new("updated", new { @await = "notifications/resources/updated" }, a => a.GetProperty("uri").GetString() == Watched),
        new("read-updated", new { read = Watched },
            a => a[0].GetProperty("text").GetString()!.EndsWith("version 1", StringComparison.Ordinal)),
        new("trigger-tools", new { call = "test_trigger_tool_change", arguments = new { } }, a => Text(a) == "Mutation triggered"),
        new("tools-changed", new { @await = "notifications/tools/list_changed" }, a => !a.TryGetProperty("error", out _)),
        new("trigger-prompts", new { call = "test_trigger_prompt_change", arguments = new { } }, a => Text(a) == "Mutation triggered"),
        new("prompts-changed", new { @await = "notifications/prompts/list_changed" }, a => !a.TryGetProperty("error", out _)),
        new("unsubscribe", new { unsubscribe = Watched }, a => !a.TryGetProperty("error", out _)),
    ];

    private static bool Has(JsonElement names, string name) => names.EnumerateArray().Any(n => n.GetString() == name);

    private static string Text(JsonElement result) => result.GetProperty("content")[0].GetProperty("text").GetString()!;

    /// <summary>What a client is told to do, and whether the answer is the one that the server gave.</summary>
    private sealed record Step(string Name, object Order, Func<JsonElement, bool> Holds)
    {
        public ScenarioResult Judge(JsonElement answer)
        {
            var holds = false;
            try
            {
                holds = Holds(answer);
            }
            catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or IndexOutOfRangeException)
            {
                // Another answer altogether, an error most often.
            }

            return new ScenarioResult(Name, [new Check(Name, holds ? "SUCCESS" : "FAILURE", answer.GetRawText())]);
        }
    }
}
