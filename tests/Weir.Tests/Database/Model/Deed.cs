using System.Collections.Immutable;

namespace Weir.Tests.Database.Model;

/// <summary>Something that happens to a world: what it changes in the model, and the same as direct SQL.</summary>
public sealed record Deed(string Name, Func<World, World> Model, string Statement, params object?[] Values)
{
    public static Deed RevokeGrant(Grant g) => new(
        "revoke a grant", w => w with { Grants = Change(w.Grants, x => x.Id == g.Id, x => x with { Revoked = true }) },
        "update agent_mcp_permissions set revoked_at = now() where id = $1", g.Id);

    public static Deed RevokeKey(Key k) => new(
        "revoke a key", w => w with { Keys = Change(w.Keys, x => x.Id == k.Id, x => x with { Revoked = true }) },
        "update agent_api_keys set revoked_at = now() where key_id = $1", k.Id);

    public static Deed Suspend(Member m) => new(
        "suspend a member",
        w =>
            w with
            {
                Members = Change(
                    w.Members, x => x.Organization == m.Organization && x.User == m.User, x => x with { Status = "suspended" }),
            },
        "update organization_members set status = 'suspended' where organization_id = $1 and user_id = $2", m.Organization, m.User);

    public static Deed MakeViewer(Member m) => new(
        "make a viewer",
        w =>
            w with
            {
                Members = Change(w.Members, x => x.Organization == m.Organization && x.User == m.User, x => x with { Role = "viewer" }),
            },
        "update organization_members set role = 'viewer' where organization_id = $1 and user_id = $2", m.Organization, m.User);

    public static Deed StopAgent(Agent a) => new(
        "deactivate an agent", w => w with { Agents = Change(w.Agents, x => x.Id == a.Id, x => x with { Active = false }) },
        "update agents set stopped_at = now() where id = $1", a.Id);

    public static Deed StopOrganization(Organization o) => new(
        "deactivate an organization",
        w => w with { Organizations = Change(w.Organizations, x => x.Id == o.Id, x => x with { Active = false }) },
        "update organizations set platform_stopped_at = now() where id = $1", o.Id);

    public static Deed Withdraw(Published p) => new(
        "withdraw a catalog server",
        w =>
            w with { Catalog = Change(w.Catalog, x => x.Id == p.Id, x => x with { State = x.State == "blocked" ? x.State : "withdrawn" }) },
        "update mcp_server_catalog set withdrawn_at = now() where id = $1", p.Id);

    public static Deed Block(Published p) => new(
        "block a catalog server", w => w with { Catalog = Change(w.Catalog, x => x.Id == p.Id, x => x with { State = "blocked" }) },
        "update mcp_server_catalog set blocked_at = now(), block_reason = 'x' where id = $1", p.Id);

    public static Deed Quarantine(Pin p) => new(
        "quarantine a definition",
        w => w with { Pins = Change(w.Pins, x => x.Server == p.Server && x.Name == p.Name, x => x with { Status = "quarantined" }) },
        "update mcp_server_tools set status = 'quarantined' where instance_id = $1 and name = $2", p.Server, p.Name);

    public static Deed LeaveRoom(Seat s) => new(
        "leave a workspace", w => w with { Rooms = w.Rooms.Remove(s) },
        "delete from workspace_members where workspace_id = $1 and user_id is not distinct from $2 and agent_id is not distinct from $3",
        s.Workspace, s.User, s.Agent);

    public override string ToString() => Name;

    private static ImmutableArray<T> Change<T>(
        ImmutableArray<T> all, Func<T, bool> which, Func<T, T> how) => [.. all.Select(x => which(x) ? how(x) : x)];
}
