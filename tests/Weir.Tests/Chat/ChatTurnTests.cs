using System.Net;
using System.Text.Json;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Chat;

/// <summary>One message, its calls, its answer and its record, over HTTP and with real servers.</summary>
public sealed class ChatTurnTests(ChatWorld weir) : IClassFixture<ChatWorld>
{
    [Fact]
    public async Task A_message_is_answered_with_a_tool_call_and_everything_is_recorded()
    {
        var agent = await weir.CreateAgentAsync();
        var channel = await weir.CreateChannelAsync();
        await using var server = await FixtureServer.StartAsync(FixtureServer.Tool("get_weather", (string city) => $"It rains in {city}."));
        var (instance, name) = await weir.AddServerAsync(server, agent);

        var (status, answer) = await weir.ChatAsync(agent, "the weather, city=Linz", channel);

        status.ShouldBe(HttpStatusCode.OK);
        answer.GetProperty("message").GetString()!.ShouldContain($"`{name}` answered to `get_weather`:\n\n> It rains in Linz.");
        answer.GetProperty("agent").GetProperty("id").GetGuid().ShouldBe(agent);
        var call = answer.GetProperty("toolCalls").EnumerateArray().Single();
        call.GetProperty("server").GetString().ShouldBe(name);
        call.GetProperty("tool").GetString().ShouldBe("get_weather");
        call.GetProperty("arguments").GetProperty("city").GetString().ShouldBe("Linz");
        call.GetProperty("outcome").GetString().ShouldBe("ok");
        var context = answer.GetProperty("context").GetProperty("servers").EnumerateArray().Single();
        context.GetProperty("id").GetGuid().ShouldBe(instance);
        context.GetProperty("status").GetString().ShouldBe("running");
        answer.GetProperty("context").GetProperty("documents").GetArrayLength().ShouldBe(0);
        answer.GetProperty("degraded").GetArrayLength().ShouldBe(0);
        answer.GetProperty("usage").GetProperty("model").GetString().ShouldBe("offline");

        var turn = answer.GetProperty("replyTo").GetGuid();
        var messages = await weir.MessagesAsync(channel);
        messages.Select(m => m.Sender).ShouldBe(["user", "agent"]);
        messages[1].ReplyTo.ShouldBe(turn);

        await Until.AsyncTrue(async () => (await weir.RecordAsync(turn)).Count == 3, "the call's two rows and the turn's");
        var rows = await weir.RecordAsync(turn);
        rows.ShouldAllBe(r => r.UserId == weir.OwnerId && r.AgentId == agent);
        rows.ShouldContain(r => r.Kind == "tool_execution" && r.Phase == "requested" && r.Item == "get_weather");
        rows.ShouldContain(r => r.Kind == "tool_execution" && r.Phase == "completed" && r.Outcome == "ok");
        rows.ShouldContain(r => r.Kind == "chat" && r.Outcome == "ok");
    }

    [Fact]
    public async Task A_previous_result_fills_in_an_argument_within_three_rounds()
    {
        var agent = await weir.CreateAgentAsync();
        await using var server = await FixtureServer.StartAsync(
            FixtureServer.Tool("list_allowed_directories", () => "Allowed directories:\n/srv/demo"),
            FixtureServer.Tool("list_directory", (string path) => $"[FILE] in {path}"));
        await weir.AddServerAsync(server, agent);

        var (_, answer) = await weir.ChatAsync(agent, "what files are in the demo folder?");

        answer.GetProperty("message").GetString()!.ShouldContain("> [FILE] in /srv/demo");
        answer.GetProperty("toolCalls").EnumerateArray().Select(c => c.GetProperty("tool").GetString())
            .ShouldBe(["list_allowed_directories", "list_directory"]);
    }

    [Theory]
    [InlineData(false, "*")]
    [InlineData(true, "other_*")]
    public async Task A_tool_that_is_not_announced_as_reading_or_not_marked_is_not_called(bool readOnly, string marked)
    {
        var agent = await weir.CreateAgentAsync();
        var calls = 0;
        await using var server =
            await FixtureServer.StartAsync(FixtureServer.Tool("get_weather", () => $"call {Interlocked.Increment(ref calls)}", readOnly));
        await weir.AddServerAsync(server, agent, [marked]);

        var (status, answer) = await weir.ChatAsync(agent, "how is the weather?");

        status.ShouldBe(HttpStatusCode.OK);
        answer.GetProperty("toolCalls").GetArrayLength().ShouldBe(0);
        answer.GetProperty("message").GetString()!.ShouldContain("1 other tool is not for me");
        calls.ShouldBe(0);
    }

    [Fact]
    public async Task S15_the_message_is_saved_once_before_the_answer_and_a_retry_gets_the_same_answer_without_a_call()
    {
        var agent = await weir.CreateAgentAsync();
        var channel = await weir.CreateChannelAsync();
        var calls = 0;
        var savedFirst = false;
        await using var server = await FixtureServer.StartAsync(FixtureServer.Tool("get_weather", async () =>
        {
            Interlocked.Increment(ref calls);
            savedFirst = (await weir.MessagesAsync(channel)).Select(m => m.Sender).SequenceEqual(["user"]);
            return "sunny";
        }));
        await weir.AddServerAsync(server, agent);

        var (_, first) = await weir.ChatAsync(agent, "the weather?", channel, "m-1");
        var (status, second) = await weir.ChatAsync(agent, "the weather?", channel, "m-1");

        savedFirst.ShouldBeTrue();
        status.ShouldBe(HttpStatusCode.OK);
        second.GetRawText().ShouldBe(first.GetRawText());
        calls.ShouldBe(1);
        (await weir.MessagesAsync(channel)).Count.ShouldBe(2);

        var (conflict, error) = await weir.ChatAsync(agent, "something else", channel, "m-1");
        conflict.ShouldBe(HttpStatusCode.Conflict);
        error.GetProperty("code").GetString().ShouldBe("WR005");
    }

    [Fact]
    public async Task S15_two_equal_requests_at_once_are_one_turn()
    {
        var agent = await weir.CreateAgentAsync();
        var channel = await weir.CreateChannelAsync();
        var calls = 0;
        await using var server =
            await FixtureServer.StartAsync(FixtureServer.Tool("get_weather", () => $"call {Interlocked.Increment(ref calls)}"));
        await weir.AddServerAsync(server, agent);

        var answers = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => weir.ChatAsync(agent, "the weather?", channel, "m-1")));

        answers.Select(a => a.Body.GetProperty("messageId").GetGuid()).Distinct().Count().ShouldBe(1);
        calls.ShouldBe(1);
        (await weir.MessagesAsync(channel)).Count.ShouldBe(2);
    }

    [Fact]
    public async Task S15_an_answer_far_above_in_the_channel_is_found_again()
    {
        var agent = await weir.CreateAgentAsync();
        var channel = await weir.CreateChannelAsync();
        var (_, first) = await weir.ChatAsync(agent, "hello", channel, "m-1");
        await weir.Database.Superuser.ExecuteAsync(
            """
            insert into public.chat_messages (organization_id, workspace_id, channel_id, sender, user_id, content)
            select c.organization_id, c.workspace_id, c.id, 'user', $2, 'later ' || n from public.chat_channels c, generate_series(1, 450) n where c.id = $1
            """,
            [Sql.Uuid(channel), Sql.Uuid(weir.OwnerId)], CancellationToken.None);

        var (_, second) = await weir.ChatAsync(agent, "hello", channel, "m-1");

        second.GetProperty("messageId").GetGuid().ShouldBe(first.GetProperty("messageId").GetGuid());
    }

    [Fact]
    public async Task Whoever_goes_away_during_the_turn_finds_the_answer_in_the_channel()
    {
        var agent = await weir.CreateAgentAsync();
        var channel = await weir.CreateChannelAsync();
        var called = new TaskCompletionSource();
        var gone = new TaskCompletionSource();
        await using var server = await FixtureServer.StartAsync(FixtureServer.Tool("get_weather", async () =>
        {
            called.TrySetResult();
            await gone.Task;
            return "sunny";
        }));
        await weir.AddServerAsync(server, agent);
        using var leave = new CancellationTokenSource();
        using var client = weir.Client(weir.OwnerToken);
        var asked = client.PostAsync(
            "/functions/v1/chat",
            new StringContent(JsonSerializer.Serialize(new { agentId = agent, channelId = channel, message = "the weather?" }),
                System.Text.Encoding.UTF8, "application/json"), leave.Token);
        await called.Task;
        await leave.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(asked);
        gone.SetResult();

        await Until.AsyncTrue(async () => (await weir.MessagesAsync(channel)).Count == 2, "the answer");
        (await weir.MessagesAsync(channel))[1].Content.ShouldContain("> sunny");
    }

    [Fact]
    public async Task Without_an_agent_the_message_is_only_saved()
    {
        var channel = await weir.CreateChannelAsync();
        var (status, answer) = await weir.ChatAsync(agentId: null, "a note", channel);
        status.ShouldBe(HttpStatusCode.OK);
        answer.GetProperty("message").ValueKind.ShouldBe(JsonValueKind.Null);
        (await weir.MessagesAsync(channel)).Single().Content.ShouldBe("a note");
    }

    [Fact]
    public async Task Events_tell_what_happens_while_it_happens()
    {
        var agent = await weir.CreateAgentAsync();
        await using var server = await FixtureServer.StartAsync(FixtureServer.Tool("get_weather", () => "sunny\nand warm"));
        var (_, name) = await weir.AddServerAsync(server, agent);
        await using var silent = await FixtureServer.StartAsync(FixtureServer.Tool("nothing", () => ""));
        var (stopped, stoppedName) = await weir.AddServerAsync(silent, agent);
        await weir.World.CallAsync("select public.stop_mcp_server_instance($1)", Sql.Uuid(stopped));

        var events = await weir.StreamAsync(new { agentId = agent, channelId = weir.World.ChannelId, message = "how is the weather?" });

        events.Select(e => e.Type).ShouldBe(["degraded", "context", "tool_call", "tool_result", "delta", "message", "done"]);
        events[0].Data.GetProperty("server").GetString().ShouldBe(stoppedName);
        events[1].Data.GetProperty("servers").GetArrayLength().ShouldBe(2);
        events[2].Data.GetProperty("server").GetString().ShouldBe(name);
        events[3].Data.GetProperty("text").GetString().ShouldBe("sunny\nand warm");
        events[3].Data.GetProperty("id").GetString().ShouldBe(events[2].Data.GetProperty("id").GetString());
        var done = events[6].Data;
        events[4].Data.GetProperty("text").GetString().ShouldBe(done.GetProperty("message").GetString());
        events[5].Data.GetProperty("message").GetString().ShouldBe(done.GetProperty("message").GetString());
        done.GetProperty("toolCalls").GetArrayLength().ShouldBe(1);
        done.GetProperty("degraded").GetArrayLength().ShouldBe(1);
    }

    [Fact]
    public async Task An_error_before_the_first_event_is_an_ordinary_response()
    {
        using var client = weir.Client(weir.OwnerToken);
        client.DefaultRequestHeaders.Accept.ParseAdd("text/event-stream");
        using var response =
            await client.PostAsync("/functions/v1/chat", new StringContent("{}", System.Text.Encoding.UTF8, "application/json"));
        response.StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        JsonElement.Parse(await response.Content.ReadAsStringAsync()).GetProperty("code").GetString().ShouldBe("WR001");
    }

    [Fact]
    public async Task The_command_prints_the_answer_and_a_refusal_is_one_line()
    {
        var agent = await weir.CreateAgentAsync();
        await using var server = await FixtureServer.StartAsync(FixtureServer.Tool("get_weather", () => "sunny"));
        await weir.AddServerAsync(server, agent);
        string[] to = ["--url", weir.Url.ToString(), "--token", weir.OwnerToken, "--channel", weir.World.ChannelId.ToString(), "--agent"];

        var (code, output, _) = await Journeys.RunningUp.RunAsync(["chat", "how is the weather?", .. to, agent.ToString()]);
        code.ShouldBe(0);
        output.ShouldContain("> sunny");

        (code, output, _) = await Journeys.RunningUp.RunAsync(["chat", "how is the weather?", "--json", .. to, agent.ToString()]);
        code.ShouldBe(0);
        JsonElement.Parse(output).GetProperty("toolCalls").GetArrayLength().ShouldBe(1);

        // Without a channel: the direct conversation.
        (code, output, _) =
            await Journeys.RunningUp.RunAsync(
                ["chat", "how is the weather?", "--url", weir.Url.ToString(), "--token", weir.OwnerToken, "--agent", agent.ToString()]);
        code.ShouldBe(0);
        output.ShouldContain("> sunny");

        (code, output, var errors) = await Journeys.RunningUp.RunAsync(["chat", "hello", .. to, weir.World.ChannelId.ToString()]);
        code.ShouldBe(1);
        output.ShouldBeEmpty();
        errors.Trim().Split('\n').Length.ShouldBe(1);
        errors.ShouldContain("WR004");

        (code, _, _) = await Journeys.RunningUp.RunAsync("chat");
        code.ShouldBe(2);
    }
}
