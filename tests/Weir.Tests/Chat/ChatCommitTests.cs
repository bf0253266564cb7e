using System.Net;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Chat;

/// <summary>Which commits of a turn wait for the disk (decision 0059).</summary>
public sealed class ChatCommitTests(ChatWorld weir) : IClassFixture<ChatWorld>
{
    private const string Waits = "as configured";

    /// <summary>
    /// Deferred triggers run in the commit, when what a statement set last holds. The cluster of the tests waits for no commit by itself,
    /// so it counts who said so.
    /// </summary>
    private const string Watch = """
        create table public.seen_commits (at bigint generated always as identity primary key, what text not null, waits text not null);
        create function public.see_commit() returns trigger language plpgsql security definer as $$
        begin
          insert into public.seen_commits (what, waits) values (
            concat_ws(' ', tg_argv[0], to_jsonb(new) ->> 'sender', to_jsonb(new) ->> 'phase', lower(tg_op)),
            (select case source when 'session' then setting else 'as configured' end from pg_settings where name = 'synchronous_commit'));
          return null;
        end $$;
        create constraint trigger seen after insert on public.chat_messages deferrable initially deferred for each row execute function public.see_commit('message');
        create constraint trigger seen after insert or update on weir.chat_turns deferrable initially deferred for each row execute function public.see_commit('turn');
        create constraint trigger seen after insert on public.mcp_interaction_logs deferrable initially deferred for each row execute function public.see_commit('record');
        """;

    [Fact]
    public async Task Only_the_message_of_a_turn_does_not_wait_for_the_disk_and_what_comes_next_does()
    {
        var agent = await weir.CreateAgentAsync();
        await using var context = await ContextServer.StartAsync();
        await weir.AddServerAsync(context.Url, agent, """{"tools": {"*": {}}, "resources": ["*"], "prompts": ["*"]}""",
            new { context = new { resources = new[] { "note:///a" } } });
        await using var tools = await FixtureServer.StartAsync(FixtureServer.Tool("get_weather", () => "dry"));
        await weir.AddServerAsync(tools, agent);
        var viewer = await weir.AddPersonAsync("viewer");
        await weir.Database.Superuser.ExecuteAsync(Watch, [], CancellationToken.None);

        (await weir.ChatAsync(agent, "the weather?", clientMessageId: "once")).Status.ShouldBe(HttpStatusCode.OK);
        var turn = await SeenAsync(0);
        (await weir.ChatAsync(null, "to the people here")).Status.ShouldBe(HttpStatusCode.OK);
        var message = await SeenAsync(turn.Length);
        (await weir.ChatAsync(agent, "the weather?", token: weir.TokenOf(viewer))).Status.ShouldBe(HttpStatusCode.Forbidden);
        var refused = await SeenAsync(turn.Length + message.Length);

        turn[..2].ShouldBe([("message user insert", "off"), ("turn insert", Waits)]);
        turn.ShouldContain(("record requested insert", Waits));
        turn.ShouldContain(("turn update", Waits), "the call has its place in the turn");
        turn.ShouldContain(("message agent insert", Waits));
        // Of a call's outcome, the audit log's own rule is that a crash may cost it.
        turn[2..].Where(c => c.What is not "record completed insert").ShouldAllBe(c => c.Waits == Waits);
        message.ShouldContain(("message user insert", Waits), "its sender is told at once");
        refused.ShouldContain(("record denied insert", Waits), "and of a refusal too");
    }

    [Fact]
    public async Task Whoever_is_told_that_a_message_was_there_already_has_waited_for_it()
    {
        await weir.World.CallAsync("select public.post_chat_message($1, 'hello', 'again')", Sql.Uuid(weir.World.ChannelId));

        // A transaction without a number of its own has nothing to wait for.
        await using var again = await HeldTransaction.BeginAsync(weir.Database.Pools.Gateway, weir.OwnerId);
        (await again.RunAsync(
            "select public.post_chat_message($1, 'hello', 'again') ->> 'created'", Sql.Uuid(weir.World.ChannelId))).ShouldBe("false");
        (await again.RunAsync("select pg_current_xact_id_if_assigned() is not null")).ShouldBe("True");
    }

    private async Task<(string What, string Waits)[]> SeenAsync(int after) => [.. await weir.Database.Superuser.QueryAsync(
        "select what, waits from public.seen_commits order by at offset $1", [Sql.Integer(after)], r => (r.GetString(0), r.GetString(1)),
        CancellationToken.None)];
}
