using System.Net;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Weir.Configuration;
using Weir.Errors;
using Weir.Identity;
using Weir.Postgres;
using Weir.Tests.Chat;
using Weir.Tests.Infrastructure;
using Weir.Tests.Journeys;

namespace Weir.Tests.Models;

/// <summary>A turn over HTTP with a provider's model and real servers.</summary>
public sealed class ModelTurnTests(ModelWorld weir) : IClassFixture<ModelWorld>
{
    [Theory]
    [InlineData("one")]
    [InlineData("two")]
    public async Task A_model_calls_a_tool_and_answers_and_everything_is_recorded(string provider)
    {
        var agent = await weir.CreateAgentAsync();
        await weir.ChooseAsync(new { provider, model = "small" }, agent);
        await using var server =
            await FixtureServer.StartAsync(FixtureServer.Tool("get_weather", (string city) => $"It rains in {city}.", readOnly: false));
        var (_, name) = await weir.AddServerAsync(server, agent, offline: []);
        var model = provider == "one" ? weir.One : weir.Two;
        var before = model.Requests.Count;
        model.Otherwise = body => ModelWorld.Results(body) is [.., var result]
            ? ModelReply.Text("Take an umbrella: ", JsonElement.Parse(result).GetProperty("text").GetString()!)
            : ModelReply.Call(ModelWorld.Tool(body, "get_weather"), new { city = "Linz" });

        var (status, answer) = await weir.ChatAsync(agent, "what about the weather?");

        status.ShouldBe(HttpStatusCode.OK);
        answer.GetProperty("message").GetString().ShouldBe("Take an umbrella: It rains in Linz.");
        answer.GetProperty("degraded").GetArrayLength().ShouldBe(0);
        var call = answer.GetProperty("toolCalls").EnumerateArray().Single();
        (call.GetProperty("id").GetString(), call.GetProperty("server").GetString(), call.GetProperty("outcome").GetString()).ShouldBe((
            "call_1", name, "ok"));
        var usage = answer.GetProperty("usage");
        usage.GetProperty("model").GetString().ShouldBe(provider + "/small");
        usage.GetProperty("inputTokens").GetInt64().ShouldBe(2 * ModelServer.InputTokens);
        usage.GetProperty("outputTokens").GetInt64().ShouldBe(2 * ModelServer.OutputTokens);
        (usage.GetProperty("costMicros").GetInt64(), usage.GetProperty("currency").GetString()).ShouldBe((195, "USD"));
        var turn = answer.GetProperty("replyTo").GetGuid();
        await Until.AsyncTrue(async () => (await weir.RecordAsync(turn)).Count == 3, "the call's two rows and the turn's");
        var hours = await weir.Database.Superuser.QueryAsync(
            "select provider, model, sum(turns)::bigint, sum(requests)::bigint, sum(cost_micros)::bigint from public.model_usage_hourly "
                + "where agent_id = $1 group by provider, model",
            [Sql.Uuid(agent)], r => (r.GetString(0), r.GetString(1), r.GetInt64(2), r.GetInt64(3), r.GetInt64(4)), CancellationToken.None);
        hours.ShouldBe([(provider, "small", 1L, 2L, 195L)]);
        model.Requests.Skip(before).ShouldAllBe(r => r.Key!.EndsWith(ModelWorld.Key, StringComparison.Ordinal));
        answer.GetRawText().ShouldNotContain(ModelWorld.Key);
    }

    [Fact]
    public async Task F02_arguments_with_a_number_out_of_range_reach_no_tool_and_are_not_kept()
    {
        var agent = await weir.CreateAgentAsync();
        await weir.ChooseAsync(new { provider = "one", model = "small" }, agent);
        var called = false;
        await using var server = await FixtureServer.StartAsync(FixtureServer.Tool("get_weather", (JsonElement city) => { called =
            true; return "rain"; }, readOnly: false));
        await weir.AddServerAsync(server, agent, offline: []);
        weir.One.Otherwise = body => ModelWorld.Results(body) is [.., _]
            ? ModelReply.Text("There is none.")
            : ModelReply.Call(ModelWorld.Tool(body, "get_weather"), new { city = JsonElement.Parse("[1e131000]") });

        var (status, answer) = await weir.ChatAsync(agent, "what about the weather?");

        status.ShouldBe(HttpStatusCode.OK);
        answer.GetProperty("message").GetString().ShouldBe("There is none.");
        answer.GetRawText().Length.ShouldBeLessThan(100_000);
        called.ShouldBeFalse();
    }

    [Theory]
    [InlineData("one")]
    [InlineData("two")]
    public async Task Events_carry_the_words_as_they_come_and_parallel_calls_run_at_once(string provider)
    {
        var agent = await weir.CreateAgentAsync();
        await weir.ChooseAsync(new { provider, model = "small" }, agent);
        TaskCompletionSource left = new(), right = new();
        await using var server = await FixtureServer.StartAsync(
            FixtureServer.Tool("left", async () => await Meet(left, right)),
            FixtureServer.Tool("right", async () => await Meet(right, left)));
        await weir.AddServerAsync(server, agent);
        (provider == "one" ? weir.One : weir.Two).Otherwise = body => ModelWorld.Results(body).Length == 2
            ? ModelReply.Text("Both ", "met.")
            : new ModelReply.Says(["One moment."], new ToolUse("a", ModelWorld.Tool(body, "left"), "{}"),
                new ToolUse("b", ModelWorld.Tool(body, "right"), "{}"));

        var events = await weir.StreamAsync(new { agentId = agent, channelId = weir.World.ChannelId, message = "meet" });

        events.Select(e => e.Type).Where(t => t is not ("tool_call" or "tool_result"))
            .ShouldBe(["context", "delta", "delta", "delta", "message", "done"]);
        events.Where(e => e.Type == "delta").Select(e => (e.Data.GetProperty("round").GetInt32(), e.Data.GetProperty("text").GetString()))
            .ShouldBe([(0, "One moment."), (1, "Both "), (1, "met.")]);
        events.Count(e => e.Type == "tool_result" && e.Data.GetProperty("outcome").GetString() == "ok").ShouldBe(2);
        events[^1].Data.GetProperty("message").GetString().ShouldBe("Both met.");
        events[^1].Data.GetProperty("usage").GetProperty("outputTokens").GetInt64().ShouldBe(2 * ModelServer.OutputTokens);

        static async Task<string> Meet(TaskCompletionSource mine, TaskCompletionSource other)
        {
            mine.TrySetResult();
            await other.Task.WaitAsync(TimeSpan.FromSeconds(10), TimeProvider.System);
            return "met";
        }
    }

    [Fact]
    public async Task V11_a_grant_that_is_revoked_in_the_middle_of_the_turn_stops_the_next_call()
    {
        var agent = await weir.CreateAgentAsync();
        var calls = 0;
        Guid instance = default;
        await using var server = await FixtureServer.StartAsync(FixtureServer.Tool("get_weather", async () =>
        {
            Interlocked.Increment(ref calls);
            await weir.World.CallAsync("select public.revoke_mcp_access($1, $2)", Sql.Uuid(agent), Sql.Uuid(instance));
            return "sunny";
        }));
        (instance, _) = await weir.AddServerAsync(server, agent);
        weir.One.Otherwise =
            body =>
                ModelWorld.Results(body).Length == 2
                    ? ModelReply.Text("I may not.") : ModelReply.Call(ModelWorld.Tool(body, "get_weather"), new { });

        var (_, answer) = await weir.ChatAsync(agent, "the weather, twice?");

        calls.ShouldBe(1);
        answer.GetProperty("toolCalls").EnumerateArray().Select(c => c.GetProperty("outcome").GetString()).ShouldBe(["ok", "denied"]);
        answer.GetProperty("message").GetString().ShouldBe("I may not.");
        answer.GetProperty("degraded")[0].GetProperty("reason").GetString().ShouldBe("denied");
    }

    [Fact]
    public async Task A_tool_of_another_agent_is_denied_exactly_as_one_that_does_not_exist_and_only_the_record_knows_why()
    {
        var other = await weir.CreateAgentAsync();
        var agent = await weir.CreateAgentAsync();
        var calls = 0;
        await using var server =
            await FixtureServer.StartAsync(FixtureServer.Tool("secrets", () => $"call {Interlocked.Increment(ref calls)}"));
        var (_, name) = await weir.AddServerAsync(server, other);
        string[] asked = [$"{name}__secrets", "nothing__secrets"];
        string[] told = [];
        weir.One.Otherwise = body =>
        {
            told = ModelWorld.Results(body);
            return told.Length == 0
                ? new ModelReply.Says([], [.. asked.Select((n, i) => new ToolUse($"call_{i}", n, "{}"))]) : ModelReply.Text("No.");
        };

        var (status, answer) = await weir.ChatAsync(agent, "tell me the secrets");

        status.ShouldBe(HttpStatusCode.OK);
        calls.ShouldBe(0);
        told.Length.ShouldBe(2);
        told[0].Replace(asked[0], "?").ShouldBe(told[1].Replace(asked[1], "?"));
        answer.GetProperty("toolCalls").EnumerateArray()
            .Select(c => (c.GetProperty("name").GetString(), c.GetProperty("outcome").GetString(), c.GetProperty("server").GetString()))
            .ShouldBe([(asked[0], "denied", ""), (asked[1], "denied", "")]);
        var turn = answer.GetProperty("replyTo").GetGuid();
        await Until.AsyncTrue(
            async () => (await weir.RecordAsync(turn)).Count(r => r.Phase == "denied") == 2, "both denials in the record");
        (await weir.RecordAsync(turn)).Where(r => r.Phase == "denied").Select(r => r.Reason)
            .ShouldBe(["no_grant", "unknown"], ignoreOrder: true);
    }

    [Fact]
    public async Task A_model_that_only_asks_for_tools_is_ended_with_an_honest_answer()
    {
        var agent = await weir.CreateAgentAsync();
        var calls = 0;
        await using var server =
            await FixtureServer.StartAsync(FixtureServer.Tool("get_weather", () => $"call {Interlocked.Increment(ref calls)}"));
        var (_, name) = await weir.AddServerAsync(server, agent);
        weir.One.Otherwise = _ => ModelReply.Call(name + "__get_weather", new { });

        var (status, answer) = await weir.ChatAsync(agent, "the weather?");

        status.ShouldBe(HttpStatusCode.OK);
        calls.ShouldBe(new ChatConfig().MaxToolRounds);
        answer.GetProperty("message").GetString()!.ShouldContain("There is no answer");
        var degraded = answer.GetProperty("degraded").EnumerateArray().Single();
        (degraded.GetProperty("source").GetString(), degraded.GetProperty("reason").GetString()).ShouldBe(("model", "failed"));
    }

    [Fact]
    public async Task Arguments_that_are_no_json_call_nothing()
    {
        var agent = await weir.CreateAgentAsync();
        var calls = 0;
        await using var server =
            await FixtureServer.StartAsync(FixtureServer.Tool("get_weather", () => $"call {Interlocked.Increment(ref calls)}"));
        await weir.AddServerAsync(server, agent);
        weir.One.Otherwise =
            body =>
                ModelWorld.Results(body) is [var result] ? ModelReply.Text(result)
                    : new ModelReply.Says([], new ToolUse("a", ModelWorld.Tool(body, "get_weather"), "{\"city\": "));

        var (status, answer) = await weir.ChatAsync(agent, "the weather?");

        status.ShouldBe(HttpStatusCode.OK);
        calls.ShouldBe(0);
        answer.GetProperty("message").GetString()!.ShouldContain("not a JSON object");
    }

    [Theory]
    [InlineData(500, "unavailable")]
    [InlineData(429, "rate_limited")]
    [InlineData(401, "key_missing")]
    [InlineData(404, "unknown_model")]
    [InlineData(400, "failed")]
    public async Task S17_a_model_that_fails_is_an_answer_that_says_so_and_the_message_is_saved_once(int code, string reason)
    {
        var agent = await weir.CreateAgentAsync();
        var channel = await weir.CreateChannelAsync();
        weir.One.Otherwise = _ => new ModelReply.Status(code);

        var (status, answer) = await weir.ChatAsync(agent, "hello", channel, "m-1");
        var (_, again) = await weir.ChatAsync(agent, "hello", channel, "m-1");

        status.ShouldBe(HttpStatusCode.OK);
        var degraded = answer.GetProperty("degraded").EnumerateArray().Single();
        (degraded.GetProperty("source").GetString(), degraded.GetProperty("reason").GetString()).ShouldBe(("model", reason));
        answer.GetProperty("message").GetString()!.ShouldContain($"There is no answer: the model one/small gave none ({reason}).");
        answer.GetRawText().ShouldNotContain("sk-");
        again.GetRawText().ShouldBe(answer.GetRawText());
        (await weir.MessagesAsync(channel)).Select(m => m.Sender).ShouldBe(["user", "agent"]);
    }

    [Fact]
    public async Task S17_the_fallback_answers_and_the_answer_says_so()
    {
        var agent = await weir.CreateAgentAsync();
        await weir.ChooseAsync(new { fallback = new { provider = "two", model = "small" }, timeout_ms = 500 }, agent);
        weir.One.Otherwise = _ => new ModelReply.Hangs();
        weir.Two.Otherwise = _ => ModelReply.Text("from two");

        var (_, answer) = await weir.ChatAsync(agent, "hello");

        answer.GetProperty("message").GetString().ShouldBe("from two");
        answer.GetProperty("usage").GetProperty("model").GetString().ShouldBe("two/small");
        var degraded = answer.GetProperty("degraded").EnumerateArray().Single();
        (degraded.GetProperty("source").GetString(), degraded.GetProperty("reason").GetString()).ShouldBe(("model", "timeout"));
        degraded.GetProperty("message").GetString()!.ShouldContain("two/small was asked instead");
    }

    [Fact]
    public async Task S17_a_model_that_hangs_leaves_the_turn_on_time()
    {
        var agent = await weir.CreateAgentAsync();
        await weir.ChooseAsync(new { timeout_ms = 60_000 }, agent);
        weir.One.Otherwise = _ => new ModelReply.Hangs("I am ", "thinking");
        var started = TimeProvider.System.GetTimestamp();

        var events = await weir.StreamAsync(new { agentId = agent, channelId = weir.World.ChannelId, message = "hello" });

        TimeProvider.System.GetElapsedTime(started).ShouldBeLessThan(ChatWorld.OnTime);
        var answer = events[^1].Data;
        answer.GetProperty("message").GetString().ShouldBe("I am thinking", "what was told stands");
        answer.GetProperty("degraded")[0].GetProperty("reason").GetString().ShouldBe("timeout");
    }

    [Fact]
    public async Task Without_a_key_or_with_a_model_that_is_not_offered_any_more_the_answer_says_so()
    {
        var keyless = await weir.CreateAgentAsync();
        await weir.ChooseAsync(new { provider = "keyless", model = "small" }, keyless);
        var gone = await weir.CreateAgentAsync();
        await weir.ChooseAsync(new { provider = "one", model = "large" }, gone);
        await weir.Database.Superuser.ExecuteAsync(
            "update public.model_settings set model = 'gone' where agent_id = $1", [Sql.Uuid(gone)], CancellationToken.None);

        var (_, first) = await weir.ChatAsync(keyless, "hello");
        var (_, second) = await weir.ChatAsync(gone, "hello");

        first.GetProperty("degraded")[0].GetProperty("reason").GetString().ShouldBe("key_missing");
        first.GetProperty("degraded")[0].GetProperty("message").GetString()!.ShouldContain("TEST_MODEL_WORLD_NO_KEY");
        second.GetProperty("degraded")[0].GetProperty("reason").GetString().ShouldBe("unknown_model");
        (await Should.ThrowAsync<WeirException>(weir.ChooseAsync(new { provider = "one", model = "gone" }, gone))).Code.ShouldBe(
            ErrorCode.InvalidArgument);
    }

    [Fact]
    public async Task History_and_instructions_reach_the_model_and_the_instructions_alone_are_the_system_s()
    {
        var agent = await weir.CreateAgentAsync();
        var channel = await weir.CreateChannelAsync();
        await weir.Database.Superuser.ExecuteAsync(
            "update public.agents set instructions = 'Be brief.' where id = $1", [Sql.Uuid(agent)], CancellationToken.None);
        weir.One.Otherwise = _ => ModelReply.Text("first");
        await weir.ChatAsync(agent, "one", channel);
        JsonElement asked = default;
        weir.One.Otherwise = body =>
        {
            asked = body;
            return ModelReply.Text("second");
        };

        await weir.ChatAsync(agent, "two", channel);

        asked.GetProperty("messages").EnumerateArray().Select(m => m.GetProperty("role").GetString())
            .ShouldBe(["system", "user", "assistant", "user"]);
        asked.GetProperty("messages")[0].GetRawText().ShouldContain("Be brief.");
        asked.TryGetProperty("tools", out _).ShouldBeFalse("no tools, no list of tools");
    }

    [Fact]
    public async Task Supabase_js_reads_the_answer_and_the_words_as_they_come()
    {
        var email = await weir.Database.Superuser.ScalarAsync<string>(
            "select email from auth.users where id = $1", [Sql.Uuid(weir.OwnerId)], CancellationToken.None);
        var agent = await weir.CreateAgentAsync();
        weir.One.Otherwise = _ => ModelReply.Text("Hello ", "there.");
        string[] arguments =
        [
            weir.Url.ToString(), weir.Services.GetRequiredService<PersonTokens>().IssueAnonKey(), email!, "a password for tests",
            JsonSerializer.Serialize(new { agentId = agent, message = "hello" }),
        ];

        var plain = await NodeScript.RunAsync("chat.mjs", arguments, node22: true);
        var streamed = await NodeScript.RunAsync("chat.mjs", [.. arguments, "stream"], node22: true);

        plain.GetProperty("data").GetProperty("message").GetString().ShouldBe("Hello there.");
        streamed.GetProperty("events").EnumerateArray().Select(e => e.GetProperty("type").GetString())
            .ShouldBe(["context", "delta", "delta", "message", "done"]);
        streamed.GetProperty("events")[3].GetProperty("data").GetProperty("message").GetString().ShouldBe("Hello there.");
    }

    [Fact]
    public async Task S15_a_turn_that_was_killed_between_a_call_and_its_answer_is_completed_without_another_call()
    {
        var providers =
            JsonSerializer.Serialize(new { one = new { kind = "openai", url = weir.One.Url, models = new { small = new { } } } });
        await using var replica =
            await ServingReplica.StartAsync(weir, ("WEIR_MODELS_PROVIDERS", providers), ("WEIR_MODELS_DEFAULT", "one/small"));
        var agent = await weir.CreateAgentAsync();
        var calls = 0;
        var asked = 0;
        var called = new TaskCompletionSource();
        await using var server = await FixtureServer.StartAsync(
            FixtureServer.Tool("book", () => $"booked {Interlocked.Increment(ref calls)}", readOnly: false),
            FixtureServer.Tool("pay", async (CancellationToken ct) =>
            {
                Interlocked.Increment(ref calls);
                called.TrySetResult();
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, ct);
                return "paid";
            }, readOnly: false));
        await weir.AddServerAsync(server, agent);
        weir.One.Otherwise = body =>
        {
            Interlocked.Increment(ref asked);
            return ModelReply.Call(ModelWorld.Tool(body, ModelWorld.Results(body).Length == 0 ? "book" : "pay"), new { },
                $"call_{ModelWorld.Results(body).Length}");
        };
        var request = new { agentId = agent, channelId = weir.World.ChannelId, message = "book and pay", clientMessageId = $"{agent:N}" };
        var first = weir.PostAsync(request, weir.OwnerToken, replica.Url);
        await called.Task.WaitAsync(TimeSpan.FromSeconds(20), TimeProvider.System);

        await replica.KillAsync();
        await Should.ThrowAsync<HttpRequestException>(first);
        await weir.Database.Superuser.ExecuteAsync(
            "update weir.chat_turns set leased_until = clock_timestamp() - interval '1 second' where agent_id = $1", [Sql.Uuid(agent)],
            CancellationToken.None);
        var (status, answer) = await weir.PostAsync(request, weir.OwnerToken);

        status.ShouldBe(HttpStatusCode.OK);
        (calls, asked).ShouldBe((2, 2), "neither the tools nor the model were asked again");
        answer.GetProperty("toolCalls").EnumerateArray()
            .Select(c => (c.GetProperty("tool").GetString(), c.GetProperty("outcome").GetString()))
            .ShouldBe([("book", "ok"), ("pay", "failed")]);
        answer.GetProperty("degraded")[0].GetProperty("reason").GetString().ShouldBe("cut_off");
    }

    [Fact]
    public async Task What_a_model_writes_that_no_database_holds_costs_no_turn()
    {
        var agent = await weir.CreateAgentAsync();
        var calls = 0;
        await using var server = await FixtureServer.StartAsync(
            FixtureServer.Tool("get_weather", (string city) => $"call {Interlocked.Increment(ref calls)} {city}"));
        await weir.AddServerAsync(server, agent);
        weir.One.Otherwise = body => ModelWorld.Results(body).Length > 0
            ? new ModelReply.Raw(OpenAIWire.Body(ModelReply.Text("WORDS")).Replace("WORDS", "so\\u0000 it is"))
            : new ModelReply.Says(
                [],
                new ToolUse("same", ModelWorld.Tool(body, "get_weather"), """{"city": "\u0000"}"""),
                new ToolUse("same", ModelWorld.Tool(body, "get_weather"), """{"city": "\ud800"}"""),
                new ToolUse("\0", "drop\0 table", "{}"),
                new ToolUse(new string('i', 5000), new string('n', 5000), "{}"));

        var (status, answer) = await weir.ChatAsync(agent, "the weather?");

        status.ShouldBe(HttpStatusCode.OK, answer.GetRawText());
        calls.ShouldBe(0);
        answer.GetProperty("message").GetString().ShouldBe("so it is");
        var made = answer.GetProperty("toolCalls").EnumerateArray().ToArray();
        made.Length.ShouldBe(4);
        made.ShouldAllBe(c => c.GetProperty("arguments").GetRawText() == "{}", "of arguments that are no text nothing is kept");
        made.ShouldAllBe(c => c.GetProperty("outcome").GetString() == "denied" && c.GetProperty("name").GetString()!.Length <= 128);
        made.Select(c => c.GetProperty("id").GetString()).Distinct().Count().ShouldBe(4);
    }

    [Fact]
    public async Task Tools_that_the_provider_has_no_room_for_are_said()
    {
        var agent = await weir.CreateAgentAsync();
        await using var server =
            await FixtureServer.StartAsync([.. Enumerable.Range(0, 130).Select(n => FixtureServer.Tool($"tool_{n}", () => "x"))]);
        await weir.AddServerAsync(server, agent);
        var offered = 0;
        weir.One.Otherwise = body =>
        {
            offered = body.GetProperty("tools").GetArrayLength();
            return ModelReply.Text("ok");
        };

        var (_, answer) = await weir.ChatAsync(agent, "hello");

        offered.ShouldBe(128);
        var degraded = answer.GetProperty("degraded").EnumerateArray().Single();
        (degraded.GetProperty("source").GetString(), degraded.GetProperty("reason").GetString()).ShouldBe(("model", "left_out"));
        degraded.GetProperty("message").GetString()!.ShouldContain("2 were left out");
    }
}
