using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Weir.Configuration;
using Weir.Identity;
using Weir.Postgres;
using Weir.Rest;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Rest;

/// <summary>
/// A replica with two organizations that know nothing of each other: the world's, whose owner has twelve channels (c01 to c12) and five
/// messages in its first channel, and another one, whose owner has a channel and an agent of secret names.
/// </summary>
public class RestWorld(TestCluster cluster) : RunningWeir(cluster)
{
    internal const int MaxRows = 10;
    internal const string PublicUrl = "https://weir.example/below";
    internal const string OtherSecret = "zebra-of-the-other-tenant";

    private const string Server = """{"instance_name": "one", "url": "https://one.example.org/mcp"}""";

    internal Guid OtherOwnerId { get; private set; }

    internal Guid OtherOrganizationId { get; private set; }

    internal Guid OtherAgentId { get; private set; }

    /// <summary>Everything of the other tenant that has an id, its organization, owner and agent among them.</summary>
    internal IReadOnlyList<Guid> OtherIds { get; private set; } = [];

    internal string OtherAgentKeyId { get; } = "otheragentskey01";

    internal string OtherOrganizationKeyId { get; } = "otherorgskey0001";

    /// <summary>A server of the world's own organization.</summary>
    internal Guid ServerId { get; private set; }

    /// <summary>A datastore of the world's own organization.</summary>
    internal Guid DatastoreId { get; private set; }

    internal string OwnerToken => TokenOf(World.OwnerId);

    internal string OtherToken => TokenOf(OtherOwnerId);

    internal virtual string AnonKey => Services.GetRequiredService<PersonTokens>().IssueAnonKey();

    internal virtual string TokenOf(Guid userId) => Services.GetRequiredService<PersonTokens>().Issue(userId, "someone@example.test");

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        for (var i = 1; i <= 12; i++)
        {
            await World.CallAsync("select public.create_channel($1, $2)", Sql.Uuid(World.WorkspaceId),
                Sql.Text("c" + i.ToString("00", CultureInfo.InvariantCulture)));
        }

        foreach (var message in new[]
        {
            "one, two",
            "a \"quoted\" (word)",
            "100%",
            "back\\slash",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!",
        })
        {
            await World.CallAsync("select public.post_chat_message($1, $2)", Sql.Uuid(World.ChannelId), Sql.Text(message));
        }

        OtherOwnerId = await World.CreateUserAsync(Database);
        OtherOrganizationId = await AsOtherAsync("select public.create_organization($1)", Sql.Text("other"));
        OtherAgentId = await AsOtherAsync("select public.create_agent($1, $2)", Sql.Uuid(OtherOrganizationId), Sql.Text(OtherSecret));
        var workspace = await AsOtherAsync("select public.create_workspace($1, $2)", Sql.Uuid(OtherOrganizationId), Sql.Text("theirs"));
        var channel = await AsOtherAsync("select public.create_channel($1, $2)", Sql.Uuid(workspace), Sql.Text(OtherSecret));
        var server =
            await AsOtherAsync("select public.manage_mcp_servers('create', $1, $2)", Sql.Uuid(OtherOrganizationId), Sql.Jsonb(Server));
        var datastore = await AsOtherAsync("select public.create_datastore($1, $2)", Sql.Uuid(OtherOrganizationId), Sql.Text(OtherSecret));
        var member = await World.CreateUserAsync(Database);
        await Database.Superuser.ExecuteAsync(
            "insert into public.organization_members (organization_id, user_id, role) values ($1, $2, 'member')",
            [Sql.Uuid(OtherOrganizationId), Sql.Uuid(member)], CancellationToken.None);
        OtherIds =
        [
            OtherOrganizationId, OtherOwnerId, OtherAgentId, workspace, channel, server, member, datastore,
            await AsOtherAsync("select public.ingest_document($1, $2, $3)", Sql.Uuid(datastore), Sql.Text(OtherSecret),
                Sql.Jsonb($$"""[{"text": "{{OtherSecret}}"}]""")),
            await AsOtherAsync("select public.post_chat_message($1, $2)", Sql.Uuid(channel), Sql.Text(OtherSecret)),
            await AsOtherAsync("select public.grant_mcp_access($1, $2, '{}')", Sql.Uuid(OtherAgentId), Sql.Uuid(server)),
            await AsOtherAsync("select public.request_mcp_access($1, $2, '{}')", Sql.Uuid(OtherAgentId), Sql.Uuid(server)),
            await AsOtherAsync(
                "select public.invite_member($1, 'guest@example.test', 'member', repeat('g', 43))", Sql.Uuid(OtherOrganizationId)),
            await AsOtherAsync("select public.create_user_ssh_key('theirs', $1)",
                Sql.Text("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl theirs")),
        ];
        await CallAsOtherAsync(
            "select public.create_agent_key($1, 'k', $2, repeat('s', 43))", Sql.Uuid(OtherAgentId), Sql.Text(OtherAgentKeyId));
        await CallAsOtherAsync("select public.create_organization_api_key($1, 'k', $2, repeat('s', 43), array['audit.read'])",
            Sql.Uuid(OtherOrganizationId), Sql.Text(OtherOrganizationKeyId));
        DatastoreId =
            (await World.CallAsync("select public.create_datastore($1, 'manuals')", Sql.Uuid(World.OrganizationId))).GetProperty("id")
                .GetGuid();
        ServerId =
            (await World.CallAsync("select public.manage_mcp_servers('create', $1, $2)", Sql.Uuid(World.OrganizationId),
                Sql.Jsonb(Server))).GetProperty("id").GetGuid();
    }

    /// <param name="path">Below <c>/rest/v1/</c>, as it goes over the wire.</param>
    internal Task<RestReply> GetAsync(string path, string? token = null, params (string Name, string Value)[] headers) =>
        SendAsync(HttpMethod.Get, path, null, token ?? OwnerToken, headers);

    internal Task<RestReply> RpcAsync(string function, string body, string? token = null, params (string Name, string Value)[] headers) =>
        SendAsync(HttpMethod.Post, "rpc/" + function, body, token ?? OwnerToken, headers);

    /// <param name="token">Empty: none.</param>
    internal Task<RestReply> SendAsync(
        HttpMethod method, string path, string? body, string token, params (string Name, string Value)[] headers) =>
        RestRequests.SendAsync(this, method, path, body, token, headers);

    /// <summary>A page of the documentation, as anybody gets it.</summary>
    internal async Task<string> GetDocsAsync(string page)
    {
        using var client = Client();
        return await client.GetStringAsync("/docs/" + page);
    }

    /// <summary>A value that goes with what this world has.</summary>
    internal object? Good(PublishedColumn argument) => argument switch
    {
        { Name: "organization_id" or "org_id" } => World.OrganizationId,
        { Name: "agent_id" } => World.AgentId,
        { Name: "workspace_id" } => World.WorkspaceId,
        { Name: "channel_id" or "p_channel_id" } => World.ChannelId,
        { Name: "mcp_server_instance_id" or "server_instance_id" or "server_id" } => ServerId,
        { Name: "datastore_id" } => DatastoreId,
        { Name: "backend" } => "postgres",
        { Name: "media_type" } => "text/plain",
        { Name: "chunks" } => new[] { new { text = "words" } },
        { Name: "user_id" } => World.OwnerId,
        { Name: "action" } => "stop",
        { Name: "role" } => "viewer",
        { Name: "secret" or "token" } => new string('s', 43),
        { Name: "status" } => "suspended",
        { Name: "kind" } => "tool",
        { Name: "part" } => "agents",
        { Name: "definition_hash" } => new string('a', 64),
        { Name: "before" } => null,
        { Name: "email" } => "x@example.org",
        { Type: "text[]" } => new[] { "audit.read" },
        { Name: "public_key" } => "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINb9BEMTCey7/XdRc9WoRuQl+rKaHCN3VJrMY519xddw",
        { Type: "text" } => new string('s', 16),
        { Type: "jsonb" } => new { },
        { Type: "integer" } => 1,
        _ => null,
    };

    private protected override WeirConfig Configure(WeirConfig config) => config with
    {
        Rest = new RestConfig { MaxRows = MaxRows, TimeoutSeconds = 1, MaxConcurrent = 200 },
        Http = config.Http with { PublicUrl = new Uri(PublicUrl) },
    };

    private async Task<Guid> AsOtherAsync(string sql, params Npgsql.NpgsqlParameter[] parameters) =>
        (await CallAsOtherAsync(sql, parameters)).GetProperty("id").GetGuid();

    private Task<JsonElement> CallAsOtherAsync(string sql, params Npgsql.NpgsqlParameter[] parameters) =>
        Database.Users.CallAsync(OtherOwnerId, sql, parameters, CancellationToken.None);
}

internal static class RestRequests
{
    /// <param name="path">Below <c>/rest/v1/</c>, or with a slash before it anywhere.</param>
    /// <param name="token">Empty: none.</param>
    public static async Task<RestReply> SendAsync(
        this RunningWeir weir, HttpMethod method, string path, string? body, string token, params (string Name, string Value)[] headers)
    {
        using var client = weir.Client(token.Length == 0 ? null : token);
        using var request = new HttpRequestMessage(method, new Uri(weir.Url, path.StartsWith('/') ? path : "/rest/v1/" + path));
        request.Content = body is null ? null : new StringContent(body, Encoding.UTF8, "application/json");
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        using var response = await client.SendAsync(request);
        var all = response.Headers.Concat(response.Content.Headers)
            .ToDictionary(h => h.Key, h => string.Join(',', h.Value), StringComparer.OrdinalIgnoreCase);
        return new RestReply(response.StatusCode, all, await response.Content.ReadAsStringAsync());
    }
}

/// <summary>On a database as a Supabase project's, whose own issuer signs people in.</summary>
public sealed class SupabaseRestWorld(SupabaseCluster cluster) : RestWorld(cluster)
{
    internal override string AnonKey => SupabaseProject.Token(null, "anon");

    internal override string TokenOf(Guid userId) => SupabaseProject.Token(userId);

    private protected override WeirConfig Configure(WeirConfig config) =>
        base.Configure(config) with { Auth = new AuthConfig { JwtSecret = SupabaseProject.JwtSecret, Issuer = SupabaseProject.Issuer } };
}

internal sealed record RestReply(HttpStatusCode Status, IReadOnlyDictionary<string, string> Headers, string Body)
{
    public JsonElement Json => JsonElement.Parse(Body);

    public string? Code => Json.GetProperty("code").GetString();

    public string? Hint => Json.GetProperty("hint").GetString();

    public string ContentRange => Headers["Content-Range"];

    /// <summary>One member of each row.</summary>
    public string?[] Column(string name) => [.. Json.EnumerateArray().Select(row => row.GetProperty(name).ToString())];

    public void ShouldBeError(HttpStatusCode status, string code)
    {
        Status.ShouldBe(status, Body);
        Code.ShouldBe(code, Body);
        Json.EnumerateObject().Select(p => p.Name).ShouldBe(["code", "message", "details", "hint"]);
    }
}
