using System.Text.RegularExpressions;
using Weir.Errors;
using Weir.Postgres;

namespace Weir.Isolation.Attack;

/// <summary>The tenant that is attacked, as its owner sees it: what marks its rows, and whether they are as they were.</summary>
internal sealed partial class Victim
{
    private readonly Rehearsal _database;
    private readonly string _everything;

    private Victim(Rehearsal database, Tenant tenant, string everything, IReadOnlyList<string> rows, IReadOnlySet<string> ids) =>
        (_database, Tenant, _everything, Rows, Ids) = (database, tenant, everything, rows, ids);

    public Tenant Tenant { get; }

    /// <summary>Every row that its owner sees in the published tables.</summary>
    public IReadOnlyList<string> Rows { get; }

    /// <summary>Every id in them that the attacker does not know from its own.</summary>
    public IReadOnlySet<string> Ids { get; }

    public static async Task<Victim> LoadAsync(
        Rehearsal database, Surface surface, Tenant tenant, Tenant attacker, CancellationToken cancellationToken)
    {
        var everything = AttackQueries.Everything(surface);
        var rows = await ReadAsync(database, tenant.Owner, everything, cancellationToken);
        var known = (await ReadAsync(database, attacker.Owner, everything, cancellationToken))
            .Where(row => !row.Contains(tenant.Marker, StringComparison.Ordinal)).SelectMany(IdsIn);
        if (!rows.Any(row => row.Contains(tenant.Marker, StringComparison.Ordinal)))
        {
            // Whoever does not see its own rows proves nothing by not seeing another's.
            throw new WeirException(ErrorCode.Conflict, "The attack's own tenant does not see its rows: policies or grants are missing.");
        }

        return new Victim(database, tenant, everything, rows,
            rows.SelectMany(IdsIn).Except(known, StringComparer.Ordinal).ToHashSet(StringComparer.Ordinal));
    }

    public async Task<bool> IsChangedAsync(CancellationToken cancellationToken) =>
        !(await ReadAsync(_database, Tenant.Owner, _everything, cancellationToken)).Order(StringComparer.Ordinal)
            .SequenceEqual(Rows.Order(StringComparer.Ordinal), StringComparer.Ordinal);

    /// <summary>What of the tenant is in a text, other than what the attacker said itself; null: nothing.</summary>
    public string? TraceIn(string text, IEnumerable<string> said) =>
        text.Contains(Tenant.Marker, StringComparison.Ordinal) ? "its marker"
        : IdsIn(text).Where(Ids.Contains).Except(said, StringComparer.Ordinal).FirstOrDefault() is { } id ? $"the id {id}"
        : null;

    private static async Task<IReadOnlyList<string>> ReadAsync(
        Rehearsal database, Actor actor, string everything, CancellationToken cancellationToken) =>
        (await database.TryAsync(actor, everything, [], cancellationToken)).Rows;

    private static IEnumerable<string> IdsIn(string text) => Id().Matches(text).Select(m => m.Value);

    [GeneratedRegex("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, 1000)]
    internal static partial Regex Id();
}
