using System.Collections.Immutable;
using FsCheck;
using FsCheck.Fluent;

namespace Weir.Tests.Database.Model;

/// <summary>A world, what happens to it, and the calls that are tried before and after each deed.</summary>
public sealed record Story(World World, ImmutableArray<Deed> Deeds, ImmutableArray<Probe> Probes)
{
    /// <summary>An admin of every organization, whom nothing happens to.</summary>
    public static Guid Admin { get; } = Id(99, 0);

    /// <summary>For FsCheck's <c>Property</c>: how stories are made, and made shorter when one fails.</summary>
    public static Arbitrary<Story> Arbitrary() => Arb.From(Stories(), Shorter);

    private static IEnumerable<Story> Shorter(Story s) =>
        s.Deeds.Select(d => s with { Deeds = s.Deeds.Remove(d) })
            .Concat(s.Probes.Length > 1 ? s.Probes.Select(p => s with { Probes = [p] }) : []);

    private static Gen<Story> Stories() =>
        from world in Worlds()
        from deeds in Some(AnyDeed(world), 0, 2)
        from probes in Some(AnyProbe(world), 8, 8)
        select new Story(world, deeds, probes);

    private static Gen<World> Worlds() =>
        from organizations in Each(2, i => from active in Mostly(true, false) select new Organization(Id(1, i), active))
        let users = Enumerable.Range(0, 4).Select(i => new User(Id(2, i))).Append(new User(Admin)).ToImmutableArray()
        from members in Each(8, i =>
            from role in Gen.Elements("owner", "admin", "member", "viewer", "member")
            from status in Mostly("active", "suspended", "removed", "invited")
            select new Member(organizations[i / 4].Id, users[i % 4].Id, role, status))
        let everybody = members.AddRange(organizations.Select(o => new Member(o.Id, Admin, "owner", "active")))
        from agents in Each(4, i =>
            from owner in Gen.Choose(0, 3)
            from active in Mostly(true, false)
            select new Agent(Id(3, i), organizations[i / 2].Id, users[owner].Id, active))
        from keys in Each(4, i =>
            from revoked in Mostly(false, true)
            from expires in Mostly<int?>(null, 5, -5)
            select new Key($"key{i:0000000000000}", agents[i].Organization, agents[i].Id, revoked, expires))
        from catalog in Each(1, i => from state in Mostly("published", "withdrawn", "blocked") select new Published(Id(4, i), state))
        from servers in Each(4, i =>
            from status in Mostly("running", "degraded", "stopped", "failed", "deleting", "deleted")
            from url in Mostly(true, false)
            select new Server(Id(5, i), organizations[i / 2].Id, status, url ? null : catalog[0].Id))
        from pins in Each(12, i =>
            from status in Mostly("approved", "quarantined", "rejected")
            from announced in Mostly(true, false)
            select new Pin(servers[i / 3].Organization, servers[i / 3].Id, Granted.Tools[i % 3], status, announced))
        from grants in Each(8, i =>
            from permissions in Gen.Elements(Granted.Permissions.AsEnumerable())
            from starts in Mostly<int?>(null, -5, 5)
            from expires in Mostly<int?>(null, 10, -10)
            from revoked in Mostly(false, true)
            let agent = agents[i / 2]
            let window = starts > expires ? (Starts: (int?)null, Expires: expires) : (Starts: starts, Expires: expires)
            select new Grant(Id(6, i), agent.Organization, agent.Id, servers[(i / 4 * 2) + (i % 2)].Id, permissions, window.Starts,
                window.Expires, revoked))
        from rooms in Each(6, i =>
            from who in Gen.Choose(0, 3)
            from organization in Gen.Choose(0, 1)
            select i % 2 == 0
                ? new Seat(organizations[organization].Id, Id(7, organization), users[who].Id, null)
                : new Seat(organizations[organization].Id, Id(7, organization), null, agents[(organization * 2) + (who % 2)].Id))
        select new World(users, organizations, everybody, agents, keys, catalog, servers, pins, grants, [.. rooms.Distinct()]);

    private static Gen<Deed> AnyDeed(World w) => Gen.OneOf(
        from x in Gen.Elements(w.Grants.AsEnumerable()) select Deed.RevokeGrant(x),
        from x in Gen.Elements(w.Keys.AsEnumerable()) select Deed.RevokeKey(x),
        from x in Gen.Elements(w.Members.Where(m => m.User != Admin)) select Deed.Suspend(x),
        from x in Gen.Elements(w.Members.Where(m => m.User != Admin)) select Deed.MakeViewer(x),
        from x in Gen.Elements(w.Agents.AsEnumerable()) select Deed.StopAgent(x),
        from x in Gen.Elements(w.Organizations.AsEnumerable()) select Deed.StopOrganization(x),
        from x in Gen.Elements(w.Catalog.AsEnumerable()) select Deed.Block(x),
        from x in Gen.Elements(w.Catalog.AsEnumerable()) select Deed.Withdraw(x),
        from x in Gen.Elements(w.Pins.AsEnumerable()) select Deed.Quarantine(x),
        from x in Gen.Elements(w.Rooms.AsEnumerable()) select Deed.LeaveRoom(x));

    /// <summary>Mostly what has a chance: a caller with a grant on the server, a tool that it may name.</summary>
    private static Gen<Probe> AnyProbe(World w) =>
        from grant in Gen.Elements(w.Grants.AsEnumerable())
        from server in Mostly(grant.Server, [.. w.Servers.Select(s => s.Id)])
        from tool in Gen.Elements(Granted.Tools.AsEnumerable())
        from arguments in Mostly(Granted.Arguments[2], [.. Granted.Arguments])
        from key in Mostly(w.Keys.Single(k => k.Agent == grant.Agent).Id, null, "nokey00000000000")
        from user in Gen.Elements(w.Members.Where(m => m.Organization == grant.Organization || m.Status == "active").Select(m => m.User))
        from person in Gen.Elements(true, false)
        select person
            ? new Probe(null, user, grant.Agent, server, tool, arguments) : new Probe(key, null, grant.Agent, server, tool, arguments);

    private static Gen<ImmutableArray<T>> Each<T>(int count, Func<int, Gen<T>> make) =>
        Enumerable.Range(0, count).Aggregate(
            Gen.Constant(ImmutableArray<T>.Empty), (all, i) => from list in all from one in make(i) select list.Add(one));

    private static Gen<ImmutableArray<T>> Some<T>(Gen<T> one, int least, int most) =>
        from count in Gen.Choose(least, most)
        from all in Each(count, _ => one)
        select all;

    /// <summary>Six times of seven the first, else any of the others.</summary>
    private static Gen<T> Mostly<T>(T usual, params T[] others) => Gen.Frequency((6, Gen.Constant(usual)), (1, Gen.Elements(others)));

    private static Guid Id(int kind, int number) => Guid.Parse($"01900000-0000-7000-80{kind:00}-{number:000000000000}");
}
