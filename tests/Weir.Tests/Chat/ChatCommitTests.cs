using System.Net;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Chat;

/// <summary>Which commits of a turn wait for the disk (decision 0059).</summary>
public sealed class ChatCommitTests(ChatWorld weir) : IClassFixture<ChatWorld>
{
    /// <summary>Deferred triggers run in the commit, when what a statement set last holds. The cluster of the tests waits for no commit by itself, so it counts who said so.</summary>
    private const string Watch = """
        create table public.seen_commits (at bigint generated always as identity primary key, what text not null, waits text not null);
        create function public.see_commit() returns trigger language plpgsql security definer as $$
        begin
          insert into public.seen_commits (what, waits) values (concat_ws(' ', tg_argv[0], to_jsonb(new) ->> 'sender', to_jsonb(new) ->> 'phase'), 
            (select case source when 'session' then setting else 'as configured' end from pg_settings where name = 'synchronous_commit'));
          return null;
        end $$;
        create constraint trigger seen after insert on public.chat_messages deferrable initially deferred for each row execute function public.see_commit('message');
        create constraint trigger seen after insert on weir.chat_turns deferrable initially deferred for each row execute function public.see_commit('turn');
        create constraint trigger seen after insert on public.mcp_interaction_logs deferrable initially deferred for each row execute function public.see_commit('record');
        """;

    [Fact]
    public async Task Whatever_a_turn_does_or_tells_waits_for_the_disk_and_its_beginning_does_not()
    {
        var agent = await weir.CreateAgentAsync();
        await using var server = await ContextServer.StartAsync();
        await weir.AddServerAsync(server.Url, agent, """{"tools": {"*": {}}, "resources": ["*"], "prompts": ["*"]}""", new { context = new { resources = new[] { "note:///a" } } });
        await weir.Database.Superuser.ExecuteAsync(Watch, [], CancellationToken.None);

        (await weir.ChatAsync(agent, "hello")).Status.ShouldBe(HttpStatusCode.OK);
        var turn = await SeenAsync();
        (await weir.ChatAsync(null, "to the people here")).Status.ShouldBe(HttpStatusCode.OK);
        var message = (await SeenAsync()).Skip(turn.Count).ToArray();

        turn.ShouldContain(("message user", "off"));
        turn.ShouldContain(("turn", "off"));
        turn.ShouldContain(("record requested", "as configured"));
        turn.ShouldContain(("message agent", "as configured"));
        // An outcome is told to nobody before its call's answer is: that it may be lost is the record's own rule.
        turn.Where(c => c.What is not ("message user" or "turn" or "record completed")).ShouldAllBe(c => c.Waits == "as configured");
        message.ShouldContain(("message user", "as configured"));
    }

    private Task<IReadOnlyList<(string What, string Waits)>> SeenAsync() => weir.Database.Superuser.QueryAsync(
        "select what, waits from public.seen_commits order by at", [], r => (r.GetString(0), r.GetString(1)), CancellationToken.None);
}
