using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Weir.Errors;
using Weir.Postgres;

namespace Weir.Isolation.Attack;

/// <summary>An organization that is there only for the attack.</summary>
/// <param name="NewcomerId">A member who is in no workspace.</param>
/// <param name="Marker">Random letters that every text of its own holds.</param>
/// <param name="Ids">What a parameter may name: by its kind, as <see cref="Arguments.KindOf"/> has it.</param>
internal sealed record Tenant(Guid OwnerId, Guid MemberId, Guid NewcomerId, string Marker, IReadOnlyDictionary<string, string> Ids)
{
    public Actor Owner => Actor.Person(OwnerId);

    public Actor Member => Actor.Person(MemberId);
}

/// <summary>Makes a tenant with one of everything, through the published functions, as its owner and a member would.</summary>
internal sealed class TenantBuilder(Rehearsal database, Surface surface, CancellationToken ct)
{
    private const string Permissions = """{"tools":{"*":{}}}""";

    private readonly string _marker = "m" + RandomNumberGenerator.GetString("abcdefghijklmnopqrstuvwxyz", 15);
    private readonly Dictionary<string, string> _ids = new(StringComparer.Ordinal);

    public async Task<Tenant> BuildAsync()
    {
        var (owner, member, newcomer) = (await SignUpAsync("owner"), await SignUpAsync("member"), await SignUpAsync("newcomer"));
        await CallAsync(Actor.Person(owner), "create_organization", "organization", ("name", _marker));
        await JoinAsync(Actor.Person(owner), Actor.Person(member), "member");
        await JoinAsync(Actor.Person(owner), Actor.Person(newcomer), "newcomer");
        _ids["user"] = owner.ToString();
        await WorkAsync(Actor.Person(owner), Actor.Person(member), member);
        return new Tenant(owner, member, newcomer, _marker, _ids);
    }

    public static string Random(int letters) => RandomNumberGenerator.GetString("abcdefghijklmnopqrstuvwxyz0123456789", letters);

    private async Task<Guid> SignUpAsync(string name)
    {
        var embedded = await database.QueryAsync(AttackQueries.IsEmbeddedIssuer, [], row => row.GetBoolean(0), ct) is [true];
        return (await database.QueryAsync(
            embedded ? AttackQueries.CreateUser : AttackQueries.InsertUser, [Sql.Text(Email(name))], row => row.GetGuid(0), ct))[0];
    }

    private async Task JoinAsync(Actor owner, Actor member, string name)
    {
        var token = Random(43);
        await CallAsync(owner, "invite_member", null, ("organization_id", _ids["organization"]),
            ("email", Email(name)), ("role", "member"), ("token", token));
        await CallAsync(member, "accept_invitation", null, ("token", token));
    }

    private async Task WorkAsync(Actor owner, Actor member, Guid memberId)
    {
        await CallAsync(owner, "create_workspace", "workspace", ("organization_id", _ids["organization"]), ("name", _marker));
        await CallAsync(owner, "add_workspace_member", null, ("workspace_id", _ids["workspace"]), ("user_id", memberId.ToString()));
        await CallAsync(owner, "create_channel", "channel", ("workspace_id", _ids["workspace"]), ("name", _marker));
        await CallAsync(member, "create_agent", "agent",
            ("organization_id", _ids["organization"]), ("name", _marker), ("instructions", _marker), ("workspace_id", _ids["workspace"]));
        // One of another's in the same workspace.
        await CallAsync(owner, "create_agent", null, ("organization_id", _ids["organization"]), ("name", _marker + "2"),
            ("workspace_id", _ids["workspace"]));
        _ids["key"] = Random(16);
        await CallAsync(member, "create_agent_key", null, ("agent_id", _ids["agent"]), ("name", _marker), ("key_id", _ids["key"]),
            ("secret", Random(43)));
        await CallAsync(owner, "manage_mcp_servers", "server", ("action", "create"), ("organization_id", _ids["organization"]),
            ("server_config", $$"""{"instance_name":"{{_marker}}","url":"https://{{_marker}}.example/mcp"}"""));
        await CallAsync(owner, "grant_mcp_access", "grant",
            ("agent_id", _ids["agent"]), ("mcp_server_instance_id", _ids["server"]), ("permissions", Permissions));
        await CallAsync(member, "request_mcp_access", "request",
            ("agent_id", _ids["agent"]), ("mcp_server_instance_id", _ids["server"]), ("permissions", Permissions), ("message", _marker));
        await CallAsync(member, "post_chat_message", "message", ("channel_id", _ids["channel"]), ("content", _marker));
        await CallAsync(owner, "invite_member", "invitation",
            ("organization_id", _ids["organization"]), ("email", Email("guest")), ("role", "viewer"), ("token", Random(43)));
        await CallAsync(owner, "create_organization_api_key", null, ("organization_id", _ids["organization"]), ("name", _marker),
            ("key_id", Random(16)), ("secret", Random(43)), ("scopes", "{audit.read}"));
        await CallAsync(owner, "create_datastore", "datastore", ("organization_id", _ids["organization"]), ("name", _marker));
        await CallAsync(
            owner, "link_datastore", null, ("datastore_id", _ids.GetValueOrDefault("datastore", "")), ("agent_id", _ids["agent"]));
        await CallAsync(owner, "ingest_document", "document", ("datastore_id", _ids.GetValueOrDefault("datastore", "")), ("title", _marker),
            ("chunks", $$"""[{"text":"{{_marker}}"}]"""), ("source", _marker));
        await CallAsync(owner, "set_user_profile", null, ("display_name", _marker));
        await CallAsync(owner, "create_user_ssh_key", "ssh", ("name", _marker), ("public_key", SshKey()));
    }

    /// <summary>A function that this release does not have is passed over, and so is a parameter.</summary>
    private async Task CallAsync(Actor actor, string name, string? keep, params (string Name, string Value)[] arguments)
    {
        if (surface.Functions.FirstOrDefault(f => f.Name == "public." + name) is not { } function)
        {
            return;
        }

        var (sql, parameters) =
            AttackQueries.Call(function, arguments.ToDictionary(a => a.Name, string? (a) => a.Value, StringComparer.Ordinal));
        var answer = JsonElement.Parse((await database.ActAsync(actor, sql, parameters, ct))[0]);
        if (answer.TryGetProperty("error", out var error))
        {
            throw new WeirException(ErrorCode.Conflict,
                $"The attack could not make its tenants: {name} answered {error.GetString()}, "
                + $"{answer.GetProperty("message").GetString()}.");
        }

        if (keep is not null)
        {
            _ids[keep] = answer.GetProperty("id").GetString()!;
        }
    }

    private string Email(string name) => $"{name}@{_marker}.example";

    private static string SshKey()
    {
        var type = Encoding.ASCII.GetBytes("ssh-ed25519");
        var length = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(length, type.Length);
        return "ssh-ed25519 " + Convert.ToBase64String([.. length, .. type, 0, 0, 0, 32, .. RandomNumberGenerator.GetBytes(32)]);
    }
}
