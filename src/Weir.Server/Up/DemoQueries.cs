using System.Text.Json;
using Npgsql;
using Weir.Postgres;

namespace Weir.Server.Up;

/// <summary>
/// What the demo asks of the database: as the owner only what the platform's operator does, all else as the demo's person.
/// </summary>
internal sealed class DemoQueries(string ownerUrl, UserSession users)
{
    private const string Publish = "select weir.publish_catalog_server($1)";
    private const string CreateOrganization = "select public.create_organization($1)";
    private const string CreateWorkspace = "select public.create_workspace($1, $2)";
    private const string CreateChannel = "select public.create_channel($1, $2)";
    private const string CreateAgent = "select public.create_agent($1, $2, $3, $4)";
    private const string CreateAgentKey = "select public.create_agent_key($1, $2, $3, $4)";
    private const string CreateServer = "select public.manage_mcp_servers('create', $1, $2)";
    private const string DeployServer = "select public.manage_mcp_servers('deploy', $1, null, $2)";
    private const string Grant = "select public.grant_mcp_access($1, $2, $3)";
    private const string Servers = "select id, instance_name, status, last_error_code from public.get_organization_mcp_configs($1, null)";

    public sealed record Server(Guid Id, string Name, string Status, string? ErrorCode);

    public Task<Guid> CreateUserAsync(string email, string passwordHash, CancellationToken ct) =>
        new PlatformQueries(ownerUrl).CreateUserAsync(email, passwordHash, ct);

    public Task AddPlatformAdminAsync(Guid user, CancellationToken ct) => new PlatformQueries(ownerUrl).AddAdminAsync(user, ct);

    public async Task PublishAsync(IEnumerable<string> entries, CancellationToken ct)
    {
        await using var owner = NpgsqlDataSource.Create(Configuration.DatabaseUrl.Parse(ownerUrl).ConnectionString);
        foreach (var entry in entries)
        {
            await owner.ScalarAsync<Guid>(Publish, [Sql.Jsonb(entry)], ct);
        }
    }

    public Task<Guid> CreateOrganizationAsync(Guid user, string name, CancellationToken ct) =>
        IdAsync(user, CreateOrganization, ct, Sql.Text(name));

    public Task<Guid> CreateWorkspaceAsync(Guid user, Guid organization, string name, CancellationToken ct) =>
        IdAsync(user, CreateWorkspace, ct, Sql.Uuid(organization), Sql.Text(name));

    public Task<Guid> CreateChannelAsync(Guid user, Guid workspace, string name, CancellationToken ct) =>
        IdAsync(user, CreateChannel, ct, Sql.Uuid(workspace), Sql.Text(name));

    public Task<Guid> CreateAgentAsync(
        Guid user, Guid organization, string name, string instructions, Guid workspace, CancellationToken ct) =>
        IdAsync(user, CreateAgent, ct, Sql.Uuid(organization), Sql.Text(name), Sql.Text(instructions), Sql.Uuid(workspace));

    public Task CreateAgentKeyAsync(Guid user, Guid agent, string name, string keyId, string secret, CancellationToken ct) =>
        users.CallAsync(user, CreateAgentKey, [Sql.Uuid(agent), Sql.Text(name), Sql.Text(keyId), Sql.Text(secret)], ct);

    public Task<Guid> CreateServerAsync(Guid user, Guid organization, string config, CancellationToken ct) =>
        IdAsync(user, CreateServer, ct, Sql.Uuid(organization), Sql.Jsonb(config));

    public Task DeployServerAsync(Guid user, Guid organization, Guid server, CancellationToken ct) =>
        users.CallAsync(user, DeployServer, [Sql.Uuid(organization), Sql.Uuid(server)], ct);

    public Task GrantAsync(Guid user, Guid agent, Guid server, string permissions, CancellationToken ct) =>
        users.CallAsync(user, Grant, [Sql.Uuid(agent), Sql.Uuid(server), Sql.Jsonb(permissions)], ct);

    public Task<IReadOnlyList<Server>> ServersAsync(Guid user, Guid organization, CancellationToken ct) => users.QueryAsync(
        user, Servers, [Sql.Uuid(organization)], r => new Server(r.GetGuid(0), r.GetString(1), r.GetString(2), r.GetNullableString(3)), ct);

    private async Task<Guid> IdAsync(Guid user, string sql, CancellationToken ct, params NpgsqlParameter[] parameters)
    {
        var answer = await users.CallAsync(user, sql, parameters, ct);
        return answer.GetProperty("id").GetGuid();
    }
}
