using System.Text.Json;
using Weir.Identity;
using Weir.Postgres;

namespace Weir.Tests.Infrastructure;

/// <summary>One organization with all that a call needs, made through the published functions as its owner.</summary>
public sealed class World
{

    private readonly TestDatabase _database;

    private World(TestDatabase database) => _database = database;

    public Guid OwnerId { get; private set; }

    public Guid OrganizationId { get; private set; }

    public Guid WorkspaceId { get; private set; }

    public Guid ChannelId { get; private set; }

    public Guid AgentId { get; private set; }

    public string AgentKey { get; private set; } = "";

    public static async Task<World> CreateAsync(TestDatabase database)
    {
        var world = new World(database) { OwnerId = await CreateUserAsync(database) };
        var name = "org-" + Guid.CreateVersion7(TimeProvider.System.GetUtcNow()).ToString("N")[20..];
        world.OrganizationId = await world.IdAsync("select public.create_organization($1)", Sql.Text(name));
        // Test classes share an organization; each test brings servers of its own.
        await database.Superuser.ExecuteAsync("update public.organizations set max_mcp_servers = 1000 where id = $1",
            [Sql.Uuid(world.OrganizationId)], CancellationToken.None);
        // They look at denials one by one, as many as they make in a minute.
        await database.Owner.ExecuteAsync("select weir.set_setting('equal_denials', '1000')", [], CancellationToken.None);
        world.WorkspaceId = await world.IdAsync("select public.create_workspace($1, $2)", Sql.Uuid(world.OrganizationId), Sql.Text("main"));
        world.ChannelId = await world.IdAsync("select public.create_channel($1, $2)", Sql.Uuid(world.WorkspaceId), Sql.Text("general"));
        (world.AgentId, world.AgentKey) = await world.CreateAgentAsync("helper");
        return world;
    }

    public static async Task<Guid> CreateUserAsync(TestDatabase database)
    {
        var email = $"{Guid.CreateVersion7(TimeProvider.System.GetUtcNow()):N}@example.test";
        if (database.Cluster.IsSupabase)
        {
            return await database.Superuser.ScalarAsync<Guid>(
                "insert into auth.users (id, email, email_confirmed_at) values (gen_random_uuid(), $1, now()) returning id",
                [Sql.Text(email)], CancellationToken.None);
        }

        return await database.Owner.ScalarAsync<Guid>(
            "select weir.create_user($1, $2)", [Sql.Text(email), Sql.Text(Logins.Hash("a password for tests"))], CancellationToken.None);
    }

    public async Task<(Guid Id, string Key)> CreateAgentAsync(string name)
    {
        var id = await IdAsync(
            "select public.create_agent($1, $2, null, $3)", Sql.Uuid(OrganizationId), Sql.Text(name), Sql.Uuid(WorkspaceId));
        return (id, await CreateKeyAsync(id));
    }

    public async Task<string> CreateKeyAsync(Guid agentId, DateTimeOffset? expiresAt = null)
    {
        var (text, keyId, secret) = Weir.Identity.AgentKey.Create();
        await CallAsync("select public.create_agent_key($1, $2, $3, $4, $5)", Sql.Uuid(agentId), Sql.Text("tests"), Sql.Text(keyId),
            Sql.Text(secret), Sql.Timestamp(expiresAt));
        return text;
    }

    /// <summary>
    /// A remote instance at a fixture server, deployed and recorded as running, its catalog refreshed by the replica itself.
    /// </summary>
    public async Task<Guid> AddRemoteAsync(string name, Uri url, string share = "instance")
    {
        var config = JsonSerializer.Serialize(new { instance_name = name, url = url.ToString(), share });
        var id = await IdAsync("select public.manage_mcp_servers('create', $1, $2)", Sql.Uuid(OrganizationId), Sql.Jsonb(config));
        await CallAsync("select public.manage_mcp_servers('deploy', $1, null, $2)", Sql.Uuid(OrganizationId), Sql.Uuid(id));
        return id;
    }

    /// <summary>An instance of a catalog entry, deployed.</summary>
    /// <param name="configuration">JSON.</param>
    public async Task<Guid> AddCatalogAsync(string name, string slug, string configuration)
    {
        var config = $$"""{"instance_name": "{{name}}", "catalog": "{{slug}}", "configuration": {{configuration}}}""";
        var id = await IdAsync("select public.manage_mcp_servers('create', $1, $2)", Sql.Uuid(OrganizationId), Sql.Jsonb(config));
        await CallAsync("select public.manage_mcp_servers('deploy', $1, null, $2)", Sql.Uuid(OrganizationId), Sql.Uuid(id));
        return id;
    }

    public Task GrantAsync(Guid instanceId, string permissions, Guid? agentId = null) => CallAsync(
        "select public.grant_mcp_access($1, $2, $3)", Sql.Uuid(agentId ?? AgentId), Sql.Uuid(instanceId), Sql.Jsonb(permissions));

    public Task RevokeAsync(Guid instanceId) =>
        CallAsync("select public.revoke_mcp_access($1, $2)", Sql.Uuid(AgentId), Sql.Uuid(instanceId));

    /// <summary>Calls a published function as the owner.</summary>
    internal Task<JsonElement> CallAsync(string sql, params Npgsql.NpgsqlParameter[] parameters) =>
        _database.Users.CallAsync(OwnerId, sql, parameters, CancellationToken.None);

    private async Task<Guid> IdAsync(string sql, params Npgsql.NpgsqlParameter[] parameters) =>
        (await CallAsync(sql, parameters)).GetProperty("id").GetGuid();
}
