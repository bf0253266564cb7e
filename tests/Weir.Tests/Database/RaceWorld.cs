using System.Text.RegularExpressions;
using Npgsql;
using Weir.Gateway.Calls;
using Weir.Identity;
using Weir.Postgres;

namespace Weir.Tests.Database;

/// <summary>
/// An organization of which any part can be taken away. olga owns it, adam is an admin, mia owns the agent, and pat shares a workspace
/// with it; a server of the catalog runs, whose tool <c>echo</c> is approved and granted. mia asks for more, and a guest is invited.
/// Written row by row, so that a hundred cost little.
/// </summary>
internal sealed partial class RaceWorld
{
    private const string Rows = """
        set local session_replication_role = replica;
        insert into auth.users (id, email)
        select u, u || '@example.org' from unnest(array[{olga}, {adam}, {mia}, {pat}]) u;
        insert into public.organizations (id, name, slug) values ({org}, 'Race', {slug});
        insert into public.organization_members (organization_id, user_id, role)
        values ({org}, {olga}, 'owner'), ({org}, {adam}, 'admin'), ({org}, {mia}, 'member'), ({org}, {pat}, 'member');
        insert into public.agents (id, organization_id, name, user_id) values ({agent}, {org}, 'Robo', {mia});
        insert into public.agent_api_keys (organization_id, agent_id, name, key_id, secret_hash) values ({org}, {agent}, 'key', {key}, {hash});
        insert into public.workspaces (id, organization_id, name) values ({workspace}, {org}, 'Home');
        insert into public.workspace_members (organization_id, workspace_id, user_id, agent_id)
        values ({org}, {workspace}, {pat}, null), ({org}, {workspace}, null, {agent});
        insert into public.mcp_server_catalog (id, slug, version, name, display_name, transport, package, bin)
        values ({catalog}, {slug}, '1.0.0', {slug}, 'Race', 'stdio', 'race', 'race');
        insert into public.mcp_server_instances (id, organization_id, instance_name, catalog_server_id, status, generation, node_id, first_running_at)
        values ({server}, {org}, 'race', {catalog}, 'running', 2, {node}, now() - interval '1 day');
        insert into public.mcp_server_tools (organization_id, instance_id, kind, name, definition_hash, definition, status, announced, approved_at)
        values ({org}, {server}, 'tool', 'echo', sha256('echo'), '{"name":"echo"}', 'approved', true, now());
        insert into public.agent_mcp_permissions (organization_id, agent_id, mcp_server_instance_id, permissions, granted_by, granted_by_id)
        values ({org}, {agent}, {server}, '{"tools": {"echo": {}}}', {olga}, {olga});
        insert into public.permission_requests (id, organization_id, agent_id, mcp_server_instance_id, permissions, requested_by)
        values ({request}, {org}, {agent}, {server}, '{"tools": {"*": {}}}', {mia});
        insert into public.organization_api_keys (organization_id, name, key_id, secret_hash, scopes, expires_at)
        values ({org}, 'key', {key}, {hash}, array['audit.read'], now() + interval '1 day');
        insert into public.organization_invitations (id, organization_id, email, role, token_hash, expires_at)
        values ({invitation}, {org}, 'guest@example.org', 'member', {hash}, now() + interval '1 day');
        """;

    private const string Admit = """
        select coalesce(failures[1], 'admitted')
        from unnest(weir.admit(gen_random_uuid(), array[gen_random_uuid()], array[clock_timestamp()], array[{key}], array[{hash}], array[null]::uuid[],
          array[null]::uuid[], array['tool_execution'], array[{server}], array['echo'], array['{}'], array['1'], array[1], array[1::bigint],
          array[sha256('r')], array['{}'], array[null]::uuid[]))
        """;

    private readonly Dictionary<string, string> _values = [];
    private readonly Principal _agent;
    private readonly Guid _server = NewId();

    private RaceWorld()
    {
        var (text, keyId, _) = AgentKey.Create();
        var key = AgentKey.Parse(text)!;
        _agent = Principal.OfKey(key);
        foreach (var name in new[] { "org", "agent", "workspace", "catalog", "node", "request", "invitation" })
        {
            _values[name] = Literal(NewId());
        }

        foreach (var (name, id) in new[] { ("olga", Olga), ("adam", Adam), ("mia", Mia), ("pat", Pat), ("server", _server) })
        {
            _values[name] = Literal(id);
        }

        _values["key"] = $"'{keyId}'";
        _values["slug"] = $"'race-{keyId}'";
        _values["hash"] = $"'\\x{Convert.ToHexStringLower(key.SecretHash)}'::bytea";
    }

    public Guid Olga { get; } = NewId();

    public Guid Adam { get; } = NewId();

    public Guid Mia { get; } = NewId();

    public Guid Pat { get; } = NewId();

    /// <summary>The agent's call by its key, as a statement of the engine; its first value says <c>admitted</c> or why not.</summary>
    public string AdmitSql => Expand(Admit);

    public static async Task<RaceWorld> CreateAsync(NpgsqlDataSource superuser)
    {
        var world = new RaceWorld();
        // The platform's stop of the test before would be this one's too.
        await superuser.ExecuteAsync("delete from weir.platform_stop", [], TestContext.Current.CancellationToken);
        await superuser.ExecuteAsync(world.Expand(Rows), [], TestContext.Current.CancellationToken);
        return world;
    }

    /// <summary>The statement with each <c>{name}</c> replaced by the literal that it names.</summary>
    public string Expand(string sql) => Name().Replace(sql, m => _values[m.Groups["name"].Value]);

    /// <summary>A call of the tool: by the agent's key, or by pat through the agent.</summary>
    public AdmissionRequest Call(bool byPat)
    {
        return new AdmissionRequest(
            CallKey.At(TimeProvider.System.GetUtcNow()), OrganizationId: null,
            byPat ? Principal.OfPerson(Pat, Guid.Parse(_values["agent"][1..37])) : _agent, CallKinds.Tool, _server, "echo", "{}", "1", 1, 2,
            new byte[32], "{}");
    }

    private static Guid NewId() => Guid.CreateVersion7(TimeProvider.System.GetUtcNow());

    private static string Literal(Guid id) => $"'{id}'::uuid";

    [GeneratedRegex(@"\{(?<name>[a-z]+)\}", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Name();
}
