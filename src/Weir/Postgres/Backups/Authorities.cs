using Npgsql;
using Weir.Errors;

namespace Weir.Postgres.Backups;

/// <summary>Something that somebody may, as far as it can be taken away (<c>weir.authorities</c>).</summary>
/// <param name="State">What can change of it without its end: a role, a password's hash. Never printed.</param>
internal sealed record Authority(string Kind, string Id, Guid? OrganizationId, string Label, string? State);

/// <summary>What a restored database gives that the newer one does not.</summary>
/// <param name="NewState">What the newer one gives instead; null: nothing.</param>
/// <param name="Problem">Why it was not taken away again; null where it was, or nobody asked for that.</param>
internal sealed record BroughtBack(Authority Authority, string? NewState, string? Problem = null)
{
    public string AsText()
    {
        var change = NewState is null
            ? "revoked, stopped or gone" : Authority.Kind is "member" or "catalog server" ? $"now {NewState}" : "changed";
        return $"{Authority.Kind} {Authority.Label} ({change} since){(Problem is null ? "" : $": NOT taken away: {Problem}")}";
    }
}

/// <summary>Compares who may do what in two databases.</summary>
internal static class Authorities
{
    private const string All = "select kind, key, organization_id, label, state from weir.authorities()";
    private const string Revoke = "select weir.revoke_again($1, $2, $3, $4, $5)";

    /// <summary>The kinds of <c>weir.authorities</c>, for whoever reads what a restore found.</summary>
    public const string Compared =
        "organizations, members and their roles, workspace members, agents, keys of agents and of organizations, grants,"
        + " invitations, nodes' keys, platform admins, people and their passwords, approved definitions, catalog servers and their states, "
        + "running servers,"
        + " the platform's server switches and its stop of all calls, datastores, agents' links to them, documents";

    /// <summary>Kinds whose states are ordered, the weakest first.</summary>
    private static readonly Dictionary<string, string[]> Orders = new(StringComparer.Ordinal)
    {
        ["member"] = ["viewer", "member", "admin", "owner"],
        ["catalog server"] = ["withdrawn", "published"],
    };

    public static Task<IReadOnlyList<Authority>> OfAsync(OwnerSession session, CancellationToken ct) => session.QueryAsync(
        All,
        r => new Authority(r.GetString(0), r.GetString(1), r.GetNullable<Guid>(2), r.GetString(3), r.GetNullableString(4)), ct);

    /// <summary>Those of another database, by a URL that may read as weir_backup there.</summary>
    public static async Task<IReadOnlyList<Authority>> OfAsync(string url, CancellationToken ct)
    {
        await using var newer = await OwnerSession.OpenAsync(url, "the newer database", ct);
        try
        {
            await using var transaction = await newer.Connection.BeginTransactionAsync(ct);
            await newer.BecomeBackupAsync(ct);
            return await OfAsync(newer, ct);
        }
        catch (NpgsqlException e)
        {
            throw new WeirException(ErrorCode.Unavailable, $"The newer database cannot be read: {DatabaseBackup.Explain(e)} {newer.Where}.",
                "Restore without --newer, or name a database that this release has migrated.", e);
        }
    }

    public static IReadOnlyList<BroughtBack> Difference(IReadOnlyList<Authority> restored, IReadOnlyList<Authority> newer)
    {
        var now = newer.ToDictionary(a => (a.Kind, a.Id), a => a.State);
        return restored
            .Where(a => !now.TryGetValue((a.Kind, a.Id), out var state) || IsLess(a, state))
            .Select(a => new BroughtBack(a, now.GetValueOrDefault((a.Kind, a.Id))))
            .ToArray();
    }

    /// <summary>In the order of the list, each by itself: one that cannot be done says why and keeps no other.</summary>
    public static async Task<IReadOnlyList<BroughtBack>> RevokeAsync(
        OwnerSession session, IReadOnlyList<BroughtBack> found, CancellationToken ct)
    {
        var done = new List<BroughtBack>();
        foreach (var one in found)
        {
            done.Add(one with
            {
                Problem = await session.ScalarAsync<string?>(
                    Revoke, ct, Sql.Text(one.Authority.Kind), Sql.Text(one.Authority.Id), Sql.Text(one.NewState),
                    Sql.Uuid(one.Authority.OrganizationId), Sql.Text(one.Authority.Label)),
            });
        }

        return done;
    }

    private static bool IsLess(Authority restored, string? state) => Orders.TryGetValue(restored.Kind, out var order)
        ? Array.IndexOf(order, state) < Array.IndexOf(order, restored.State)
        : restored.State != state;
}
