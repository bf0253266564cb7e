using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Weir.Configuration;
using Weir.Gateway.AgentTools;
using Weir.Identity;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Chat;

/// <summary>A replica with a short turn, and what tests of chat need: people, servers with marked tools, and the call itself.</summary>
public class ChatWorld(TestCluster cluster) : RunningWeir(cluster)
{
    internal const int DeadlineSeconds = 6;

    /// <summary>By then a turn has ended by its deadline, on a machine of any load: whatever hangs would go on for a minute.</summary>
    internal static readonly TimeSpan OnTime = TimeSpan.FromSeconds(30);

    internal Guid OwnerId => World.OwnerId;

    internal string OwnerToken => TokenOf(OwnerId);

    internal string TokenOf(Guid userId) => Services.GetRequiredService<PersonTokens>().Issue(userId, "someone@example.test");

    internal static string NewName(string prefix) => prefix + Guid.CreateVersion7(TimeProvider.System.GetUtcNow()).ToString("N")[20..];

    /// <summary>An agent of the test's own in the world's workspace, so that no other test's servers are in its turns.</summary>
    internal async Task<Guid> CreateAgentAsync() => (await World.CreateAgentAsync(NewName("agent"))).Id;

    internal async Task<Guid> CreateChannelAsync() =>
        (await World.CallAsync(
            "select public.create_channel($1, $2)", Sql.Uuid(World.WorkspaceId), Sql.Text(NewName("channel")))).GetProperty("id").GetGuid();

    /// <summary>A granted server that runs, once the agent's list shows its tools.</summary>
    internal Task<(Guid Id, string Name)> AddServerAsync(
        FixtureServer server, Guid agentId, string[]? offline = null, int priority = 100,
        string permissions = """{"tools": {"*": {}}}""") =>
        AddServerAsync(server.Url, agentId, permissions, new { priority, chat = new { offline = offline ?? ["*"] } });

    /// <param name="more">Of the server's configuration.</param>
    internal async Task<(Guid Id, string Name)> AddServerAsync(Uri url, Guid agentId, string permissions, object more)
    {
        var name = NewName("s");
        var config = JsonSerializer.SerializeToNode(more)!.AsObject();
        config["instance_name"] = name;
        config["url"] = url.ToString();
        var id =
            (await World.CallAsync("select public.manage_mcp_servers('create', $1, $2)", Sql.Uuid(World.OrganizationId),
                Sql.Jsonb(config.ToJsonString()))).GetProperty("id").GetGuid();
        await World.CallAsync("select public.manage_mcp_servers('deploy', $1, null, $2)", Sql.Uuid(World.OrganizationId), Sql.Uuid(id));
        await World.GrantAsync(id, permissions, agentId);
        var catalogs = Services.GetRequiredService<AgentToolsCache>();
        await Until.AsyncTrue(
            async () =>
                (await catalogs.LoadAsync(Principal.OfPerson(OwnerId, agentId), null, CancellationToken.None)).Items.Any(
                    i => i.InstanceId == id), "the tools of " + name);
        return (id, name);
    }

    /// <summary>A person of the organization and of the world's workspace.</summary>
    internal async Task<Guid> AddPersonAsync(string role)
    {
        var person = await World.CreateUserAsync(Database);
        await Database.Superuser.ExecuteAsync(
            "insert into public.organization_members (organization_id, user_id, role, status) values ($1, $2, $3, 'active')",
            [Sql.Uuid(World.OrganizationId), Sql.Uuid(person), Sql.Text(role)], CancellationToken.None);
        await World.CallAsync("select public.add_workspace_member($1, $2)", Sql.Uuid(World.WorkspaceId), Sql.Uuid(person));
        return person;
    }

    internal Task<(HttpStatusCode Status, JsonElement Body)> ChatAsync(
        Guid? agentId, string message, Guid? channelId = null, string? clientMessageId = null, string? token = null) =>
        PostAsync(JsonSerializer.Serialize(new { agentId, message, channelId = channelId ?? World.ChannelId, clientMessageId }),
            token ?? OwnerToken);

    internal Task<(HttpStatusCode Status, JsonElement Body)> PostAsync(object request, string token, Uri? replica = null) =>
        PostAsync(JsonSerializer.Serialize(request), token, replica);

    internal async Task<(HttpStatusCode Status, JsonElement Body)> PostAsync(string body, string? token, Uri? replica = null)
    {
        using var client = Client(token);
        client.BaseAddress = replica ?? Url;
        using var response = await client.PostAsync("/functions/v1/chat", new StringContent(body, Encoding.UTF8, "application/json"));
        return (response.StatusCode, JsonElement.Parse(await response.Content.ReadAsStringAsync()));
    }

    /// <summary>The same as events.</summary>
    internal async Task<List<(string Type, JsonElement Data)>> StreamAsync(object request)
    {
        using var client = Client(OwnerToken);
        using var post = new HttpRequestMessage(HttpMethod.Post, "/functions/v1/chat") { Content = JsonContent.Create(request) };
        post.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("text/event-stream"));
        using var response = await client.SendAsync(post, HttpCompletionOption.ResponseHeadersRead);
        response.Content.Headers.ContentType!.MediaType.ShouldBe("text/event-stream");
        await using var stream = await response.Content.ReadAsStreamAsync();
        List<(string, JsonElement)> events = [];
        await foreach (var item in System.Net.ServerSentEvents.SseParser.Create(stream).EnumerateAsync())
        {
            events.Add((item.EventType, JsonElement.Parse(item.Data)));
        }

        return events;
    }

    internal Task<IReadOnlyList<(string Sender, string Content, Guid? ReplyTo)>> MessagesAsync(Guid channelId) =>
        Database.Superuser.QueryAsync(
        "select sender, content, reply_to from public.chat_messages where channel_id = $1 order by created_at, id",
        [Sql.Uuid(channelId)], r => (r.GetString(0), r.GetString(1), r.GetNullable<Guid>(2)), CancellationToken.None);

    internal Task<Guid> ChannelOfAsync(Guid messageId) =>
        Database.Superuser.ScalarAsync<Guid>(
            "select channel_id from public.chat_messages where id = $1", [Sql.Uuid(messageId)], CancellationToken.None);

    /// <summary>The rows of one turn: its calls and itself carry the id of the person's message.</summary>
    internal Task<IReadOnlyList<TurnRow>> RecordAsync(Guid turnId) => Database.Superuser.QueryAsync(
        "select phase, kind, item, reason, outcome, user_id, agent_id, error_code from public.mcp_interaction_logs where request_id in "
            + "($1, '\"' || $1 || '\"') order by created_at, id, phase desc",
        [Sql.Text(turnId.ToString())],
        r => new TurnRow(
            r.GetString(0), r.GetString(1), r.GetNullableString(2), r.GetNullableString(3), r.GetNullableString(4), r.GetNullable<Guid>(5),
            r.GetNullable<Guid>(6), r.GetNullableString(7)),
        CancellationToken.None);

    // A turn's share for gathering is more than by default: on a machine where much else runs, what is asked at once takes longer.
    private protected override WeirConfig Configure(WeirConfig config) =>
        config
            with
            {
                Chat = new ChatConfig { DeadlineSeconds = DeadlineSeconds, ContextMilliseconds = 2500 },
                Mcp = config.Mcp with { CallTimeoutSeconds = 60 },
            };
}

internal sealed record TurnRow(
    string Phase, string Kind, string? Item, string? Reason, string? Outcome, Guid? UserId, Guid? AgentId, string? ErrorCode);
