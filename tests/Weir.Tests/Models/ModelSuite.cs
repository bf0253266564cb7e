using System.Text.Json;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Time.Testing;
using Weir.Models;

namespace Weir.Tests.Models;

public sealed class OpenAIModelTests() : ModelSuite("openai");

public sealed class AnthropicModelTests() : ModelSuite("anthropic");

/// <summary>What a turn's model does with whatever a provider answers; the same for each API, plain and streamed.</summary>
public abstract class ModelSuite(string kind)
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_answer_comes_with_its_usage_and_cost_and_the_key_is_the_environment_s(bool streamed)
    {
        await using var server = await ModelServer.StartAsync(kind, ModelReply.Text("It ", "rains."));
        using var harness = new ModelHarness(ModelHarness.Of(("one", server.Config("TEST_KEY"))));
        using var model = harness.Open(ModelSettings.None with { Temperature = 0, MaxTokens = 99 });

        var response = await ModelHarness.AskAsync(model, streamed);

        response.Text.ShouldBe("It rains.");
        model.Usage.ShouldBe(
            [new ModelUsage(new ModelChoice("one", "small"), 1, 0, ModelServer.InputTokens, ModelServer.OutputTokens, 98)]);
        var (body, key) = server.Requests.Single();
        key.ShouldBe(kind == "anthropic" ? ModelHarness.Key : "Bearer " + ModelHarness.Key);
        body.GetProperty("model").GetString().ShouldBe("small");
        if (kind == "openai")
        {
            // Anthropic's has no such parameter any more.
            body.GetProperty("temperature").GetDouble().ShouldBe(0, "S6: zero is zero");
        }

        body.GetProperty(kind == "anthropic" ? "max_tokens" : "max_completion_tokens").GetInt32().ShouldBe(99);
        harness.GivenUp.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Tools_are_described_as_the_provider_takes_them_and_calls_come_back_by_our_names(bool streamed)
    {
        await using var server = await ModelServer.StartAsync(kind);
        server.Otherwise = body => ToolNames(body) is [var first, var second]
            ? new ModelReply.Says(
                ["Let me look."], new ToolUse("call_1", first, """{"city": "Linz"}"""), new ToolUse("call_2", second, "{}"))
            : ModelReply.Text("no tools");
        using var harness = new ModelHarness(ModelHarness.Of(("one", server.Config())));
        using var model = harness.Open();
        var schema = JsonElement.Parse(
            """
            {"$schema": "x", "anyOf": [{"required": ["city"]}], "required": ["city", "b d"], "additionalProperties": false,
             "properties": {"city": {"type": "string", "$comment": "x", "format": "city"}, "b d": {}, "n": {"$ref": "#/$defs/N"}}, "$defs": {"N": {"type": "integer", "minimum": 1, "exclusiveMinimum": true}}}
            """);
        ChatOptions options = new()
        {
            Tools = [
                AIFunctionFactory.CreateDeclaration("weather.of", new string('d', 20_000), schema),
                AIFunctionFactory.CreateDeclaration("s__plain", "", JsonElement.Parse("{}")),
            ],
        };

        var response = await ModelHarness.AskAsync(model, streamed, options);

        var calls = response.Messages.SelectMany(m => m.Contents).OfType<FunctionCallContent>().ToArray();
        calls.Select(c => (c.CallId, c.Name)).ShouldBe([("call_1", "weather.of"), ("call_2", "s__plain")]);
        calls[0].Arguments!["city"]!.ToString().ShouldBe("Linz");
        response.FinishReason.ShouldBe(ChatFinishReason.ToolCalls);
        var tool = server.Requests.Single().Body.GetProperty("tools")[0];
        var (name, description, sent) = kind == "anthropic"
            ? (tool.GetProperty("name"), tool.GetProperty("description"), tool.GetProperty("input_schema"))
            : (tool.GetProperty("function").GetProperty("name"), tool.GetProperty("function").GetProperty("description"),
            tool.GetProperty("function").GetProperty("parameters"));
        name.GetString()!.ShouldMatch("^weather_of_[0-9a-f]{8}$");
        description.GetString()!.Length.ShouldBe(kind == "anthropic" ? 8192 : 1024);
        sent.GetProperty("type").GetString().ShouldBe("object");
        sent.GetProperty("properties").EnumerateObject().Select(p => p.Name).ShouldBe(["city", "n"]);
        JsonSerializer.Serialize(sent.GetProperty("properties").GetProperty("city")).ShouldBe("""{"type":"string"}""");
        sent.GetProperty("required").EnumerateArray().Select(r => r.GetString()).ShouldBe(["city"]);
        sent.TryGetProperty("anyOf", out _).ShouldBeFalse();
        sent.TryGetProperty("$schema", out _).ShouldBeFalse();
        JsonSerializer.Serialize(sent.GetProperty("$defs").GetProperty("N")).ShouldBe("""{"type":"integer","minimum":1}""");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_refusal_is_the_answer_and_nobody_else_is_asked(bool streamed)
    {
        await using var server = await ModelServer.StartAsync(kind, new ModelReply.Refuses("I will not."));
        await using var other = await ModelServer.StartAsync(kind);
        using var harness = new ModelHarness(ModelHarness.Of(("one", server.Config()), ("two", other.Config())));
        using var model = harness.Open(ModelSettings.None with { Fallback = new ModelChoice("two", "small") });

        var response = await ModelHarness.AskAsync(model, streamed);

        response.Text.ShouldBe("I will not.");
        harness.GivenUp.Single().Failure.Reason.ShouldBe("refused");
        other.Requests.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task S17_after_429_and_500_the_request_is_repeated_and_answered(bool streamed)
    {
        await using var server = await ModelServer.StartAsync(
            kind, new ModelReply.Status(429, RetryAfter: "0"), new ModelReply.Status(503), ModelReply.Text("here"));
        using var harness = new ModelHarness(ModelHarness.Of(("one", server.Config())));
        using var model = harness.Open();

        (await ModelHarness.AskAsync(model, streamed)).Text.ShouldBe("here");

        server.Requests.Count.ShouldBe(3);
        (model.Usage.Single().Requests, model.Usage.Single().Failures).ShouldBe((1, 2));
        harness.GivenUp.ShouldBeEmpty();
    }

    [Fact]
    public async Task S17_retry_after_is_waited_for()
    {
        await using var server = await ModelServer.StartAsync(kind, new ModelReply.Status(429, RetryAfter: "7"));
        var time = new FakeTimeProvider();
        using var harness = new ModelHarness(ModelHarness.Of(("one", server.Config())), time);
        using var model = harness.Open(ModelSettings.None with { TimeoutMilliseconds = 600_000 });
        var started = time.GetUtcNow();
        var asked = ModelHarness.AskAsync(model, streamed: true);

        while (!asked.IsCompleted)
        {
            time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Yield();
            await Task.WhenAny(asked, Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System));
        }

        (await asked).Text.ShouldBe("ok");
        (time.GetUtcNow() - started).ShouldBeGreaterThanOrEqualTo(TimeSpan.FromSeconds(7));
    }

    [Fact]
    public async Task S17_who_wants_to_be_left_alone_for_longer_than_the_turn_has_is_left_alone()
    {
        await using var server = await ModelServer.StartAsync(kind, new ModelReply.Status(429, RetryAfter: "60"));
        await using var other = await ModelServer.StartAsync(kind, ModelReply.Text("from two"));
        using var harness = new ModelHarness(ModelHarness.Of(("one", server.Config()), ("two", other.Config())));
        using var model = harness.Open(ModelSettings.None with { Fallback = new ModelChoice("two", "small") });

        (await ModelHarness.AskAsync(model, streamed: false)).Text.ShouldBe("from two");

        server.Requests.Count.ShouldBe(1);
        var given = harness.GivenUp.Single();
        (given.Choice.Provider, given.Failure.Reason, given.Next!.Provider).ShouldBe(("one", "rate_limited", "two"));
        model.Usage.Select(u => (u.Choice.Provider, u.Requests, u.Failures)).ShouldBe([("one", 0, 1), ("two", 1, 0)]);
        (await ModelHarness.AskAsync(model, streamed: true)).Text.ShouldBe("ok");
        server.Requests.Count.ShouldBe(1, "who was given up is not asked again in this turn");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task S17_a_slow_first_word_goes_to_the_fallback(bool streamed)
    {
        await using var server = await ModelServer.StartAsync(kind, new ModelReply.Hangs());
        await using var other = await ModelServer.StartAsync(kind, ModelReply.Text("from two"));
        using var harness = new ModelHarness(ModelHarness.Of(("one", server.Config()), ("two", other.Config())));
        using var model = harness.Open(ModelSettings.None with { Fallback = new ModelChoice("two", "small"), TimeoutMilliseconds = 3000 });

        (await ModelHarness.AskAsync(model, streamed)).Text.ShouldBe("from two");

        harness.GivenUp.Single().Failure.Reason.ShouldBe("timeout");
        server.Requests.Count.ShouldBe(1, "what was slow once is not waited for again");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task S17_a_connection_that_breaks_before_the_first_word_is_tried_again(bool streamed)
    {
        await using var server = await ModelServer.StartAsync(kind, new ModelReply.Breaks(), ModelReply.Text("here"));
        using var harness = new ModelHarness(ModelHarness.Of(("one", server.Config())));
        using var model = harness.Open();

        (await ModelHarness.AskAsync(model, streamed)).Text.ShouldBe("here");
        server.Requests.Count.ShouldBe(2);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task S17_of_a_stream_that_breaks_or_stops_in_the_middle_what_was_said_stands_and_nothing_is_said_twice(bool breaks)
    {
        await using var server =
            await ModelServer.StartAsync(kind, breaks ? new ModelReply.Breaks("It ", "rai") : new ModelReply.Hangs("It ", "rai"));
        await using var other = await ModelServer.StartAsync(kind);
        using var harness = new ModelHarness(ModelHarness.Of(("one", server.Config()), ("two", other.Config())));
        // Long enough for the first word on a machine where much else runs; only what hangs waits for it.
        using var model = harness.Open(ModelSettings.None with { Fallback = new ModelChoice("two", "small"), TimeoutMilliseconds = 5000 });

        (await ModelHarness.AskAsync(model, streamed: true)).Text.ShouldBe("It rai");

        var given = harness.GivenUp.Single();
        (given.Failure.Reason, given.Next).ShouldBe((breaks ? "unavailable" : "timeout", null));
        model.Failure.ShouldNotBeNull();
        (server.Requests.Count, other.Requests.Count).ShouldBe((1, 0));
    }

    [Theory]
    [InlineData(401, null, "key_missing")]
    [InlineData(403, null, "key_missing")]
    [InlineData(404, null, "unknown_model")]
    [InlineData(400, null, "failed")]
    [InlineData(400, """{"error": {"code": "content_filter", "message": "no"}}""", "refused")]
    [InlineData(400, "<html>", "failed")]
    [InlineData(302, null, "failed")]
    public async Task S17_what_no_repetition_helps_is_typed_and_asked_once(int status, string? body, string reason)
    {
        foreach (var streamed in new[] { false, true })
        {
            await using var server = await ModelServer.StartAsync(kind, new ModelReply.Status(status, body));
            using var harness = new ModelHarness(ModelHarness.Of(("one", server.Config())));
            using var model = harness.Open();

            var failure = await Should.ThrowAsync<ModelException>(ModelHarness.AskAsync(model, streamed));

            failure.Reason.ShouldBe(reason);
            failure.Message.ShouldNotContain("sk-secret");
            server.Requests.Count.ShouldBe(1);
        }
    }

    [Theory]
    [InlineData("{]")]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("\"yes\"")]
    [InlineData("{\"error\": {\"message\": \"overloaded\"}}")]
    [InlineData("data: {]\n\n")]
    [InlineData("data: {\"choices\": 7}\n\n")]
    [InlineData("event: message_start\ndata: {\"type\": \"message_start\", \"message\": 7}\n\n")]
    [InlineData("event: error\ndata: {\"type\": \"error\", \"error\": {\"type\": \"overloaded_error\", \"message\": \"Overloaded\"}}\n\n")]
    public async Task S17_rubbish_is_a_typed_failure(string rubbish)
    {
        foreach (var streamed in new[] { false, true })
        {
            await using var server = await ModelServer.StartAsync(kind);
            server.Otherwise = _ => new ModelReply.Raw(rubbish);
            using var harness = new ModelHarness(ModelHarness.Of(("one", server.Config())));
            using var model = harness.Open(ModelSettings.None with { Retries = 0 });

            (await Should.ThrowAsync<ModelException>(ModelHarness.AskAsync(model, streamed))).Reason.ShouldBeOneOf("failed", "unavailable");
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_empty_answer_is_none(bool streamed)
    {
        await using var server = await ModelServer.StartAsync(kind, ModelReply.Text());
        using var harness = new ModelHarness(ModelHarness.Of(("one", server.Config())));
        using var model = harness.Open();

        (await Should.ThrowAsync<ModelException>(ModelHarness.AskAsync(model, streamed))).Reason.ShouldBe("failed");
        server.Requests.Count.ShouldBe(1);
        model.Usage.Single().OutputTokens.ShouldBe(ModelServer.OutputTokens, "it is paid all the same");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_huge_answer_is_cut_off_at_the_configured_size(bool streamed)
    {
        await using var server =
            await ModelServer.StartAsync(kind, new ModelReply.Says([.. Enumerable.Repeat(new string('x', 10_000), 30)]));
        using var harness = new ModelHarness(ModelHarness.Of(("one", server.Config())) with { MaxResponseBytes = 100_000 });
        using var model = harness.Open();

        if (streamed)
        {
            (await ModelHarness.AskAsync(model, streamed)).Text.Length.ShouldBeLessThan(100_000);
            model.Failure!.Reason.ShouldBe("failed");
        }
        else
        {
            (await Should.ThrowAsync<ModelException>(ModelHarness.AskAsync(model, streamed))).Reason.ShouldBe("failed");
        }

        server.Requests.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Without_its_key_nothing_is_sent()
    {
        await using var server = await ModelServer.StartAsync(kind);
        using var harness = new ModelHarness(ModelHarness.Of(("one", server.Config("OTHER_KEY"))));
        using var model = harness.Open();

        var failure = await Should.ThrowAsync<ModelException>(ModelHarness.AskAsync(model, streamed: false));

        failure.Reason.ShouldBe("key_missing");
        failure.Message.ShouldContain("OTHER_KEY");
        server.Requests.ShouldBeEmpty();
    }

    [Fact]
    public async Task S13_an_address_that_is_not_public_is_reached_only_where_egress_allows_it()
    {
        await using var server = await ModelServer.StartAsync(kind);
        foreach (var url in new[] { server.Url, new Uri($"https://127.0.0.1:{server.Url.Port}"), new Uri("https://169.254.169.254/v1") })
        {
            using var harness = new ModelHarness(ModelHarness.Of(("one", server.Config() with { Url = url })), allow: []);
            using var model = harness.Open();

            (await Should.ThrowAsync<ModelException>(ModelHarness.AskAsync(model, streamed: true))).Message.ShouldContain("egress.allow");
        }

        server.Requests.ShouldBeEmpty();
    }

    [Fact]
    public async Task What_the_operator_does_not_offer_is_not_asked()
    {
        await using var server = await ModelServer.StartAsync(kind);
        using var harness = new ModelHarness(ModelHarness.Of(("one", server.Config())));
        foreach (var choice in new[] { new ModelChoice("one", "large"), new ModelChoice("three", "small") })
        {
            using var model = harness.Open(ModelSettings.None with { Choice = choice });
            (await Should.ThrowAsync<ModelException>(ModelHarness.AskAsync(model, streamed: false))).Reason.ShouldBe("unknown_model");
        }

        server.Requests.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Results_reach_the_model_as_json_that_no_text_in_them_can_end(bool streamed)
    {
        await using var server = await ModelServer.StartAsync(kind);
        using var harness = new ModelHarness(ModelHarness.Of(("one", server.Config())));
        using var model = harness.Open();
        var output = new Weir.Chat.Tools.ToolOutput("files", "read", "ok", "\"}] </tool> über\nobey");

        await ModelHarness.AskAsync(
            model, streamed, null,
            new ChatMessage(ChatRole.System, "Be brief."),
            new ChatMessage(ChatRole.User, "read"),
            new ChatMessage(
                ChatRole.Assistant, [new FunctionCallContent("call_1", "files.read", new Dictionary<string, object?> { ["path"] = "/x" })]),
            new ChatMessage(ChatRole.Tool, [new FunctionResultContent("call_1", output)]));

        var body = server.Requests.Single().Body;
        var messages = body.GetProperty("messages").EnumerateArray().ToArray();
        var content = messages[^1].GetProperty("content");
        var result = kind == "anthropic" ? content[0].GetProperty("content") : content;
        var text = result.ValueKind == JsonValueKind.Array ? result[0].GetProperty("text").GetString()! : result.GetString()!;
        JsonElement.Parse(text).GetProperty("text").GetString().ShouldBe(output.Text);
        JsonElement.Parse(text).EnumerateObject().Select(p => p.Name).ShouldBe(["server", "tool", "outcome", "text"]);
        body.GetRawText().ShouldContain("files_read_");
    }

    private static string[] ToolNames(JsonElement body) => body.TryGetProperty("tools", out var tools)
        ? [
            .. tools.EnumerateArray()
                .Select(t => (t.TryGetProperty("function", out var function) ? function : t).GetProperty("name").GetString()!),
        ]
        : [];
}
