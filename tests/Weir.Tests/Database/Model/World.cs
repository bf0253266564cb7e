using System.Collections.Immutable;
using System.Text.Json;

namespace Weir.Tests.Database.Model;

/// <summary>
/// A small world: all that a decision reads. Serialized, it is what <c>model.build</c> of <c>db/testing/model.sql</c> makes.
/// </summary>
public sealed record World(
    ImmutableArray<User> Users,
    ImmutableArray<Organization> Organizations,
    ImmutableArray<Member> Members,
    ImmutableArray<Agent> Agents,
    ImmutableArray<Key> Keys,
    ImmutableArray<Published> Catalog,
    ImmutableArray<Server> Servers,
    ImmutableArray<Pin> Pins,
    ImmutableArray<Grant> Grants,
    ImmutableArray<Seat> Rooms)
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    public override string ToString() => JsonSerializer.Serialize(this, Json);
}

public sealed record User(Guid Id);

public sealed record Organization(Guid Id, bool Active);

public sealed record Member(Guid Organization, Guid User, string Role, string Status);

public sealed record Agent(Guid Id, Guid Organization, Guid Owner, bool Active);

/// <param name="Expires">Minutes from now; null is never.</param>
public sealed record Key(string Id, Guid Organization, Guid Agent, bool Revoked, int? Expires);

/// <param name="State"><c>published</c>, <c>withdrawn</c> or <c>blocked</c>.</param>
public sealed record Published(Guid Id, string State);

public sealed record Server(Guid Id, Guid Organization, string Status, Guid? Catalog);

public sealed record Pin(Guid Organization, Guid Server, string Name, string Status, bool Announced);

/// <param name="Starts">Minutes from now, as <paramref name="Expires"/>.</param>
public sealed record Grant(
    Guid Id, Guid Organization, Guid Agent, Guid Server, JsonElement Permissions, int? Starts, int? Expires, bool Revoked);

/// <summary>A person or an agent in a workspace.</summary>
public sealed record Seat(Guid Organization, Guid Workspace, Guid? User, Guid? Agent);

/// <summary>A call that somebody tries: by a key, or a person through an agent.</summary>
public sealed record Probe(string? Key, Guid? User, Guid Agent, Guid Server, string Tool, string? Arguments);

/// <summary>What every way in said about one probe. Null: it raised, because the caller may not ask.</summary>
public sealed record Answer(bool Admitted, string? Reason, bool? Explained, bool? Validated, bool? Listed);
