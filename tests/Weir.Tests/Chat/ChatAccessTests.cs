using System.Net;
using System.Text.Json;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Chat;

/// <summary>Who may say something to whom, and what a turn may do for them.</summary>
public sealed class ChatAccessTests(ChatWorld weir) : IClassFixture<ChatWorld>
{
    [Fact]
    public async Task A_viewer_says_nothing_and_executes_nothing()
    {
        var agent = await weir.CreateAgentAsync();
        var channel = await weir.CreateChannelAsync();
        var calls = 0;
        await using var server =
            await FixtureServer.StartAsync(FixtureServer.Tool("get_weather", () => $"call {Interlocked.Increment(ref calls)}"));
        await weir.AddServerAsync(server, agent);
        var viewer = await weir.AddPersonAsync("viewer");

        var (status, error) = await weir.ChatAsync(agent, "the weather?", channel, token: weir.TokenOf(viewer));

        status.ShouldBe(HttpStatusCode.Forbidden);
        error.GetProperty("code").GetString().ShouldBe("WR003");
        calls.ShouldBe(0);
        (await weir.MessagesAsync(channel)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Who_becomes_a_viewer_during_the_turn_executes_no_further_call()
    {
        var agent = await weir.CreateAgentAsync();
        var member = await weir.AddPersonAsync("member");
        var calls = 0;
        await using var server = await FixtureServer.StartAsync(
            FixtureServer.Tool("list_allowed_directories", async () =>
            {
                await weir.Database.Superuser.ExecuteAsync("update public.organization_members set role = 'viewer' where user_id = $1",
                    [Sql.Uuid(member)], CancellationToken.None);
                return "/srv/demo";
            }),
            FixtureServer.Tool("list_directory", (string path) => $"call {Interlocked.Increment(ref calls)} {path}"));
        await weir.AddServerAsync(server, agent);

        var (status, answer) = await weir.ChatAsync(agent, "what files are in the demo folder?", token: weir.TokenOf(member));

        calls.ShouldBe(0);
        status.ShouldBe(HttpStatusCode.OK);
        answer.GetProperty("toolCalls")[1].GetProperty("outcome").GetString().ShouldBe("denied");
        answer.GetProperty("toolCalls")[1].GetProperty("error").GetProperty("code").GetString().ShouldBe("WR003");
    }

    [Fact]
    public async Task A_grant_revoked_between_two_calls_of_a_turn_stops_the_second()
    {
        var agent = await weir.CreateAgentAsync();
        var calls = 0;
        var instance = Guid.Empty;
        await using var server = await FixtureServer.StartAsync(
            FixtureServer.Tool("list_allowed_directories", async () =>
            {
                await weir.World.CallAsync("select public.revoke_mcp_access($1, $2)", Sql.Uuid(agent), Sql.Uuid(instance));
                return "/srv/demo";
            }),
            FixtureServer.Tool("list_directory", (string path) => $"call {Interlocked.Increment(ref calls)} {path}"));
        (instance, var name) = await weir.AddServerAsync(server, agent);

        var (status, answer) = await weir.ChatAsync(agent, "what files are in the demo folder?");

        calls.ShouldBe(0);
        status.ShouldBe(HttpStatusCode.OK);
        answer.GetProperty("message").GetString()!.ShouldContain($"`list_directory` of `{name}` was not called");
        var degraded = answer.GetProperty("degraded").EnumerateArray().Single();
        degraded.GetProperty("reason").GetString().ShouldBe("denied");
        var turn = answer.GetProperty("replyTo").GetGuid();
        await Until.AsyncTrue(async () => (await weir.RecordAsync(turn)).Any(r => r is { Phase: "denied", Kind: "tool_execution" }),
            "the denial in the record");
    }

    [Fact]
    public async Task S1_ids_of_another_tenant_and_ids_that_do_not_belong_together_are_not_found()
    {
        var stranger = await World.CreateAsync(weir.Database);
        var agent = await weir.CreateAgentAsync();
        var elsewhere =
            (await weir.World.CallAsync("select public.create_workspace($1, $2)", Sql.Uuid(weir.World.OrganizationId),
                Sql.Text(ChatWorld.NewName("w")))).GetProperty("id").GetGuid();
        var missing = Guid.CreateVersion7(TimeProvider.System.GetUtcNow());
        (Guid? Agent, Guid? Workspace, Guid? Channel)[] asked =
        [
            (stranger.AgentId, null, weir.World.ChannelId),
            (agent, null, stranger.ChannelId),
            (agent, stranger.WorkspaceId, stranger.ChannelId),
            (stranger.AgentId, stranger.WorkspaceId, stranger.ChannelId),
            (null, null, stranger.ChannelId),
            (agent, elsewhere, weir.World.ChannelId),
            (missing, null, weir.World.ChannelId),
            (agent, null, missing),
        ];

        foreach (var (agentId, workspaceId, channelId) in asked)
        {
            var (status, error) =
                await weir.PostAsync(JsonSerializer.Serialize(new { agentId, workspaceId, channelId, message = "hello" }), weir.OwnerToken);
            status.ShouldBe(HttpStatusCode.NotFound);
            error.GetProperty("code").GetString().ShouldBe("WR004");
            error.GetProperty("message").GetString().ShouldBe("there is no such agent, workspace or channel");
        }

        (await weir.MessagesAsync(stranger.ChannelId)).ShouldBeEmpty();
    }

    [Fact]
    public async Task S2_without_a_channel_it_is_said_in_the_persons_own_conversation_with_the_agent()
    {
        var agent = await weir.CreateAgentAsync();
        var member = await weir.AddPersonAsync("member");
        var stranger = await weir.AddPersonAsync("member");

        var (status, first) = await weir.PostAsync(new { agentId = agent, message = "hello" }, weir.TokenOf(member));
        status.ShouldBe(HttpStatusCode.OK);
        (await weir.PostAsync(new { agentId = agent, workspaceId = weir.World.WorkspaceId, message = "and again" },
            weir.TokenOf(member))).Status.ShouldBe(HttpStatusCode.OK);
        (await weir.PostAsync(new { agentId = agent, message = "hello from another" }, weir.TokenOf(stranger))).Status.ShouldBe(
            HttpStatusCode.OK);

        var channel = await weir.ChannelOfAsync(first.GetProperty("replyTo").GetGuid());
        (await weir.MessagesAsync(channel)).Where(m => m.Sender == "user").Select(m => m.Content).ShouldBe(["hello", "and again"]);
        (await weir.ChatAsync(agent, "what was said?", channel, token: weir.TokenOf(stranger))).Status.ShouldBe(HttpStatusCode.NotFound);
        (await weir.ChatAsync(agent, "what was said?", channel)).Status.ShouldBe(
            HttpStatusCode.NotFound, "not even the organization's owner");
    }

    [Fact]
    public async Task S15_two_first_messages_at_once_begin_one_conversation_and_a_retry_without_a_channel_is_the_same_message()
    {
        var agent = await weir.CreateAgentAsync();
        var request = new { agentId = agent, message = "hello", clientMessageId = "m-1" };

        var answers = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => weir.PostAsync(request, weir.OwnerToken)));

        answers.ShouldAllBe(a => a.Status == HttpStatusCode.OK);
        var question = answers.Select(a => a.Body.GetProperty("replyTo").GetGuid()).Distinct().ShouldHaveSingleItem();
        (await weir.MessagesAsync(await weir.ChannelOfAsync(question))).Count.ShouldBe(2);
    }

    [Fact]
    public async Task S1_without_a_channel_who_shares_no_workspace_with_the_agent_is_not_found_and_a_viewer_begins_nothing()
    {
        var agent = await weir.CreateAgentAsync();
        var viewer = await weir.AddPersonAsync("viewer");
        var stranger = await World.CreateAsync(weir.Database);
        var elsewhere =
            (await weir.World.CallAsync("select public.create_workspace($1, $2)", Sql.Uuid(weir.World.OrganizationId),
                Sql.Text(ChatWorld.NewName("w")))).GetProperty("id").GetGuid();
        (object Request, string Token, HttpStatusCode Expected)[] asked =
        [
            (new { agentId = agent, message = "hello" }, weir.TokenOf(stranger.OwnerId), HttpStatusCode.NotFound),
            (new { agentId = agent, workspaceId = weir.World.WorkspaceId, message = "hello" }, weir.TokenOf(stranger.OwnerId),
                HttpStatusCode.NotFound),
            (new { agentId = stranger.AgentId, message = "hello" }, weir.OwnerToken, HttpStatusCode.NotFound),
            (new { agentId = agent, workspaceId = elsewhere, message = "hello" }, weir.OwnerToken, HttpStatusCode.NotFound),
            (new { agentId = agent, workspaceId = stranger.WorkspaceId, message = "hello" }, weir.OwnerToken, HttpStatusCode.NotFound),
            (new { agentId = agent, message = "hello" }, weir.TokenOf(viewer), HttpStatusCode.Forbidden),
            (new { agentId = (Guid?)null, message = "hello" }, weir.OwnerToken, HttpStatusCode.BadRequest),
            (new { agentId = (Guid?)null, workspaceId = weir.World.WorkspaceId, message = "hello" }, weir.OwnerToken,
                HttpStatusCode.BadRequest),
        ];

        foreach (var (request, token, expected) in asked)
        {
            (await weir.PostAsync(request, token)).Status.ShouldBe(expected, request.ToString());
        }

        (await weir.Database.Superuser.ScalarAsync<long>("select count(*) from public.chat_channels where agent_id = any($1)",
            [Sql.Array(NpgsqlTypes.NpgsqlDbType.Uuid, [agent, stranger.AgentId])], CancellationToken.None)).ShouldBe(0);
    }

    [Fact]
    public async Task A_suspended_person_and_one_outside_the_workspace_see_nothing()
    {
        var agent = await weir.CreateAgentAsync();
        var suspended = await weir.AddPersonAsync("member");
        await weir.Database.Superuser.ExecuteAsync("update public.organization_members set status = 'suspended' where user_id = $1",
            [Sql.Uuid(suspended)], CancellationToken.None);
        var outsider = await World.CreateUserAsync(weir.Database);
        (await weir.ChatAsync(agent, "hello", token: weir.TokenOf(suspended))).Status.ShouldBe(HttpStatusCode.NotFound);
        (await weir.ChatAsync(agent, "hello", token: weir.TokenOf(outsider))).Status.ShouldBe(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task Only_a_persons_token_is_taken()
    {
        var body = JsonSerializer.Serialize(new { agentId = weir.World.AgentId, channelId = weir.World.ChannelId, message = "hello" });
        foreach (var token in (string?[])[null, "nonsense", weir.World.AgentKey])
        {
            var (status, error) = await weir.PostAsync(body, token);
            status.ShouldBe(HttpStatusCode.Unauthorized);
            error.GetProperty("code").GetString().ShouldBe("WR002");
        }
    }

    [Fact]
    public async Task S15_what_another_person_said_in_a_channel_that_one_is_not_in_stays_there()
    {
        var agent = await weir.CreateAgentAsync();
        var other = await weir.AddPersonAsync("member");
        var workspace =
            (await weir.World.CallAsync("select public.create_workspace($1, $2)", Sql.Uuid(weir.World.OrganizationId),
                Sql.Text(ChatWorld.NewName("w")))).GetProperty("id").GetGuid();
        var channel =
            (await weir.World.CallAsync("select public.create_channel($1, $2)", Sql.Uuid(workspace), Sql.Text("private"))).GetProperty("id")
                .GetGuid();
        (await weir.ChatAsync(agentId: null, "a secret", channel)).Status.ShouldBe(HttpStatusCode.OK);
        (await weir.ChatAsync(agent, "what was said?", channel, token: weir.TokenOf(other))).Status.ShouldBe(HttpStatusCode.NotFound);
    }
}
