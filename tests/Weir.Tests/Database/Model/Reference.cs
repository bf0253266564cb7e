namespace Weir.Tests.Database.Model;

/// <summary>Who may do what, said as plainly as it can be: what the SQL is compared with.</summary>
public static class Reference
{
    /// <summary>Whether admission lets the call through.</summary>
    public static bool Admits(World w, Probe p) =>
        Caller(w, p) is { } agent && MayExecute(w, agent) && (p.User is null || MayActThrough(w, p.User.Value, agent))
        && Access(w, agent, p.Server, out var server, out var grant)
        && Granted.Tool(grant.Permissions, p.Tool, p.Arguments) && IsPinned(w, p) && IsUp(server);

    /// <summary>Whether the person may use the server through the agent at all, whatever the tool, and whether it is up or not.</summary>
    public static bool Validates(World w, Probe p) =>
        w.Agents.FirstOrDefault(a => a.Id == p.Agent) is { } agent && MayExecute(w, agent) && MayActThrough(w, p.User!.Value, agent)
            && Access(w, agent, p.Server, out _, out _);

    /// <summary>Whether the tool is in the caller's list.</summary>
    public static bool Lists(World w, Probe p) =>
        Caller(w, p) is { } agent
            && (p.User is null || (Member(w, agent.Organization, p.User.Value) is { Status: "active" } && Shares(w, p.User.Value, agent)))
        && agent.Active && w.Organizations.Single(o => o.Id == agent.Organization).Active
        && Member(w, agent.Organization, agent.Owner) is { Status: "active" }
        && Access(w, agent, p.Server, out var server, out var grant) && Granted.Name(grant.Permissions, p.Tool) && IsPinned(w, p)
        && IsUp(server);

    private static Agent? Caller(World w, Probe p) =>
        p.Key is null
            ? w.Agents.FirstOrDefault(a => a.Id == p.Agent && p.User is not null)
            : w.Keys.FirstOrDefault(k => k.Id == p.Key && !k.Revoked && !(k.Expires <= 0)) is { } key
                ? w.Agents.Single(a => a.Id == key.Agent) : null;

    private static bool MayExecute(World w, Agent agent) =>
        agent.Active && w.Organizations.Single(o => o.Id == agent.Organization).Active
            && Member(w, agent.Organization, agent.Owner) is { Status: "active", Role: not "viewer" };

    private static bool MayActThrough(World w, Guid user, Agent agent) =>
        Member(w, agent.Organization, user) is { Status: "active", Role: not "viewer" } && Shares(w, user, agent);

    private static bool Shares(World w, Guid user, Agent agent) =>
        agent.Owner == user || w.Rooms.Any(r => r.User == user && w.Rooms.Any(s => s.Agent == agent.Id && s.Workspace == r.Workspace));

    private static bool Access(World w, Agent agent, Guid id, out Server server, out Grant grant)
    {
        server =
            w.Servers.FirstOrDefault(s => s.Id == id && s.Organization == agent.Organization && s.Status is not ("deleting" or "deleted"))!;
        grant = w.Grants.FirstOrDefault(g => g.Agent == agent.Id && g.Server == id && !g.Revoked && !(g.Starts > 0) && !(g.Expires <= 0))!;
        return server is not null && grant is not null
            && (server.Catalog is not { } catalog || w.Catalog.Single(c => c.Id == catalog).State != "blocked");
    }

    private static bool IsPinned(World w, Probe p) =>
        w.Pins.Any(t => t.Server == p.Server && t.Name == p.Tool && t.Status == "approved" && t.Announced);

    private static bool IsUp(Server server) => server.Status is "running" or "degraded";

    private static Member? Member(World w, Guid organization, Guid user) =>
        w.Members.FirstOrDefault(m => m.Organization == organization && m.User == user);
}
