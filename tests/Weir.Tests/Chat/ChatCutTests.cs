using System.Net;
using System.Text.Json;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Chat;

/// <summary>A turn is cut in the middle, or asked for at two replicas: what was called is not called again.</summary>
public sealed class ChatCutTests(ChatWorld weir) : IClassFixture<ChatWorld>
{
    [Fact]
    public async Task S15_a_turn_that_was_killed_after_a_call_is_not_run_again()
    {
        await using var replica = await ServingReplica.StartAsync(weir);
        var agent = await weir.CreateAgentAsync();
        var calls = 0;
        var called = new TaskCompletionSource();
        await using var server = await FixtureServer.StartAsync(
            FixtureServer.Tool("list_allowed_directories", () => $"/srv/demo {Interlocked.Increment(ref calls)}"),
            FixtureServer.Tool("list_directory", async (string path, CancellationToken ct) =>
            {
                Interlocked.Increment(ref calls);
                called.TrySetResult();
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, ct);
                return path;
            }));
        await weir.AddServerAsync(server, agent);
        var request = Request(agent, "what files are in the demo folder?");
        var asked = weir.PostAsync(request, weir.OwnerToken, replica.Url);
        await called.Task.WaitAsync(TimeSpan.FromSeconds(60), TimeProvider.System);

        await replica.KillAsync();
        await Should.ThrowAsync<HttpRequestException>(asked);
        await LeaseIsOverAsync(agent);
        var (status, answer) = await weir.PostAsync(request, weir.OwnerToken);

        status.ShouldBe(HttpStatusCode.OK);
        calls.ShouldBe(2, "nothing was called again");
        answer.GetProperty("toolCalls").EnumerateArray()
            .Select(c => (c.GetProperty("tool").GetString(), c.GetProperty("outcome").GetString()))
            .ShouldBe([("list_allowed_directories", "ok"), ("list_directory", "failed")]);
        answer.GetProperty("toolCalls")[1].GetProperty("error").GetProperty("message").GetString()!.ShouldContain("may have been done");
        var degraded = answer.GetProperty("degraded").EnumerateArray().Single();
        (degraded.GetProperty("source").GetString(), degraded.GetProperty("reason").GetString()).ShouldBe(("turn", "cut_off"));
        answer.GetProperty("usage").ValueKind.ShouldBe(JsonValueKind.Null);

        var (_, again) = await weir.PostAsync(request, weir.OwnerToken);
        again.GetRawText().ShouldBe(answer.GetRawText());
        (await weir.MessagesAsync(weir.World.ChannelId)).Count(m => m.ReplyTo == answer.GetProperty("replyTo").GetGuid()).ShouldBe(1);
    }

    [Fact]
    public async Task S15_two_replicas_that_get_the_same_message_call_once_and_answer_alike()
    {
        await using var replica = await ServingReplica.StartAsync(weir);
        var agent = await weir.CreateAgentAsync();
        var calls = 0;
        var called = new TaskCompletionSource();
        var retried = new TaskCompletionSource();
        await using var server = await FixtureServer.StartAsync(FixtureServer.Tool("get_weather", async () =>
        {
            called.TrySetResult();
            await retried.Task;
            return $"call {Interlocked.Increment(ref calls)}";
        }));
        await weir.AddServerAsync(server, agent);
        var request = Request(agent, "the weather?");

        var first = weir.PostAsync(request, weir.OwnerToken, replica.Url);
        await called.Task.WaitAsync(TimeSpan.FromSeconds(60), TimeProvider.System);
        var begun = await weir.Database.Superuser.ScalarAsync<string>("select clock_timestamp()::text", [], CancellationToken.None);
        var second = weir.PostAsync(request, weir.OwnerToken);
        await Until.AsyncTrue(
            () => weir.Database.Superuser.ScalarAsync<bool>(
                "select exists (select from pg_stat_activity where query like '%weir.begin_chat_turn%' and pid <> pg_backend_pid() and "
                    + "query_start > $1::timestamptz)",
                [Sql.Text(begun)], CancellationToken.None),
            "the second has asked whether it may begin");
        retried.SetResult();

        var (one, two) = (await first, await second);
        calls.ShouldBe(1);
        one.Status.ShouldBe(HttpStatusCode.OK);
        two.Body.GetRawText().ShouldBe(one.Body.GetRawText());
    }

    [Fact]
    public async Task S15_who_was_taken_for_dead_makes_no_further_call_and_the_answer_of_the_retry_stands()
    {
        await using var replica = await ServingReplica.StartAsync(weir);
        var agent = await weir.CreateAgentAsync();
        var calls = 0;
        var called = new TaskCompletionSource();
        var retried = new TaskCompletionSource();
        await using var server = await FixtureServer.StartAsync(
            FixtureServer.Tool("list_allowed_directories", async () =>
            {
                called.TrySetResult();
                await retried.Task;
                return "/srv/demo";
            }),
            FixtureServer.Tool("list_directory", (string path) => $"call {Interlocked.Increment(ref calls)} {path}"));
        await weir.AddServerAsync(server, agent);
        var request = Request(agent, "what files are in the demo folder?");
        var slow = weir.PostAsync(request, weir.OwnerToken, replica.Url);
        await called.Task.WaitAsync(TimeSpan.FromSeconds(60), TimeProvider.System);
        await LeaseIsOverAsync(agent);

        var (_, answer) = await weir.PostAsync(request, weir.OwnerToken);
        retried.SetResult();

        answer.GetProperty("degraded")[0].GetProperty("reason").GetString().ShouldBe("cut_off");
        (await slow).Body.GetRawText().ShouldBe(answer.GetRawText());
        calls.ShouldBe(0);
    }

    [Fact]
    public async Task S15_a_retry_runs_a_turn_that_failed_before_its_first_call_and_not_one_that_failed_after_it()
    {
        var agent = await weir.CreateAgentAsync();
        var calls = 0;
        await using var server =
            await FixtureServer.StartAsync(FixtureServer.Tool("get_weather", () => $"call {Interlocked.Increment(ref calls)}"));
        await weir.AddServerAsync(server, agent);
        object[] requests = [Request(agent, "hello"), Request(agent, "the weather?")];
        await weir.Database.Superuser.ExecuteAsync(
            """
            create function public.refuse_answers() returns trigger language plpgsql as $$ begin raise exception using errcode = 'WR009', message = 'away'; end; $$;
            create trigger no_answers before insert on public.chat_messages for each row when (new.sender = 'agent') execute function public.refuse_answers()
            """,
            [], CancellationToken.None);
        foreach (var request in requests)
        {
            (await weir.PostAsync(request, weir.OwnerToken)).Status.ShouldBe(HttpStatusCode.ServiceUnavailable);
        }

        await weir.Database.Superuser.ExecuteAsync(
            "drop trigger no_answers on public.chat_messages; drop function public.refuse_answers", [], CancellationToken.None);
        var (status, hello) = await weir.PostAsync(requests[0], weir.OwnerToken);
        status.ShouldBe(HttpStatusCode.OK, hello.GetRawText());
        (status, var weather) = await weir.PostAsync(requests[1], weir.OwnerToken);
        status.ShouldBe(HttpStatusCode.OK, weather.GetRawText());

        hello.GetProperty("degraded").GetArrayLength().ShouldBe(0);
        hello.GetProperty("usage").GetProperty("model").GetString().ShouldBe("offline");
        weather.GetProperty("degraded")[0].GetProperty("reason").GetString().ShouldBe("cut_off");
        weather.GetProperty("toolCalls")[0].GetProperty("outcome").GetString().ShouldBe("ok");
        calls.ShouldBe(1);
    }

    [Fact]
    public async Task S15_an_answer_that_the_database_does_not_take_at_once_is_saved_all_the_same()
    {
        var agent = await weir.CreateAgentAsync();
        var calls = 0;
        await using var server =
            await FixtureServer.StartAsync(FixtureServer.Tool("get_weather", () => $"call {Interlocked.Increment(ref calls)}"));
        await weir.AddServerAsync(server, agent);
        await weir.Database.Superuser.ExecuteAsync(
            $$"""
            create sequence public.answers;
            create function public.refuse_the_first() returns trigger language plpgsql security definer as $$
              begin if nextval('public.answers') = 1 then raise exception using errcode = 'WR009', message = 'away'; end if; return new; end; $$;
            create trigger the_first before insert on public.chat_messages for each row when (new.agent_id = '{{agent}}') execute function public.refuse_the_first()
            """,
            [], CancellationToken.None);

        var (status, answer) = await weir.PostAsync(Request(agent, "the weather?"), weir.OwnerToken);

        await weir.Database.Superuser.ExecuteAsync(
            "drop trigger the_first on public.chat_messages; drop function public.refuse_the_first; drop sequence public.answers", [],
            CancellationToken.None);
        status.ShouldBe(HttpStatusCode.OK, answer.GetRawText());
        answer.GetProperty("message").GetString()!.ShouldContain("call 1");
        answer.GetProperty("toolCalls")[0].GetProperty("outcome").GetString().ShouldBe("ok");
        (await weir.MessagesAsync(weir.World.ChannelId)).Count(m => m.ReplyTo == answer.GetProperty("replyTo").GetGuid()).ShouldBe(1);
        calls.ShouldBe(1);
    }

    private object Request(Guid agent, string message) =>
        new { agentId = agent, channelId = weir.World.ChannelId, message, clientMessageId = $"{agent:N} {message}" };

    /// <summary>As if the time had passed in which a replica that lives answers.</summary>
    private Task LeaseIsOverAsync(Guid agent) => weir.Database.Superuser.ExecuteAsync(
        "update weir.chat_turns set leased_until = clock_timestamp() - interval '1 second' where agent_id = $1", [Sql.Uuid(agent)],
        CancellationToken.None);
}
