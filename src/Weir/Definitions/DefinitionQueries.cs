using NpgsqlTypes;
using Weir.Postgres;

namespace Weir.Definitions;

/// <summary>What the refresh of catalogs asks of the database.</summary>
internal sealed class DefinitionQueries(Databases databases)
{
    private const string InstancesToRefresh =
        "select organization_id, instance_id, instance_name, endpoint_url, node_id, share, generation "
        + "from weir.instances_to_refresh($1, $2, $3, $4, $5, $6, $7)";

    private const string RecordDefinitions = "select new_pins, changed_pins, quarantined from "
        + "weir.record_definitions($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";

    private const string RefreshSoon = "select weir.refresh_soon($1)";
    private const string RecordState = "select weir.record_instance_state($1, $2, $3, $4, $5)";

    public sealed record Instance(
        Guid OrganizationId, Guid Id, string Name, string? EndpointUrl, Guid? NodeId, string Share, long Generation);

    public sealed record Recorded(int NewPins, int ChangedPins, int Quarantined);

    public Task<IReadOnlyList<Instance>> InstancesToRefreshAsync(
        Guid replicaId, TimeSpan lease, TimeSpan maxAge, ClaimableWork work, CancellationToken ct) =>
        databases.Engine.QueryAsync(
            InstancesToRefresh,
            [
                Sql.Uuid(replicaId), Sql.Integer(work.Limit), Sql.Interval(lease), Sql.Interval(maxAge), Sql.Integer(work.Share),
                Sql.Array(NpgsqlDbType.Uuid, work.Organizations), Sql.Array(NpgsqlDbType.Uuid, work.Nodes),
            ],
            r => new Instance(
                r.GetGuid(0), r.GetGuid(1), r.GetString(2), r.GetNullableString(3), r.GetNullable<Guid>(4), r.GetString(5), r.GetInt64(6)),
            ct);

    public Task<bool> RefreshSoonAsync(Guid instanceId, CancellationToken ct) =>
        databases.Engine.ScalarAsync<bool>(RefreshSoon, [Sql.Uuid(instanceId)], ct);

    /// <summary>What a look at a remote server says of its state; it has no node that would.</summary>
    /// <param name="cause">Why nobody is there; null: it runs.</param>
    public Task RecordStateAsync(
        Instance instance, string? cause, string? message, CancellationToken ct) => databases.Engine.ScalarAsync<bool>(
        RecordState,
        [
            Sql.Uuid(instance.Id), Sql.Bigint(instance.Generation), Sql.Text(cause is null ? "running" : "degraded"), Sql.Text(cause),
            Sql.Text(message),
        ],
        ct);

    /// <param name="next">When to ask again.</param>
    public async Task<Recorded> RecordAsync(Instance instance, Announcement announced, TimeSpan next, CancellationToken ct)
    {
        var items = announced.Items;
        var rows = await databases.Engine.QueryAsync(
            RecordDefinitions,
            [
                Sql.Uuid(instance.Id),
                Sql.Bigint(instance.Generation),
                Sql.Array(NpgsqlDbType.Text, items.Select(i => i.Kind).ToArray()),
                Sql.Array(NpgsqlDbType.Text, items.Select(i => i.Name).ToArray()),
                Sql.Array(NpgsqlDbType.Bytea, items.Select(i => i.Hash).ToArray()),
                Sql.Array(NpgsqlDbType.Text, items.Select(i => i.Definition).ToArray()),
                Sql.Jsonb(announced.ServerInfo),
                Sql.Array(NpgsqlDbType.Text, items.Select(i => i.Warning).ToArray()),
                Sql.Array(NpgsqlDbType.Text, announced.Listed.ToArray()),
                Sql.Interval(next),
                Sql.Array(NpgsqlDbType.Text, items.Select(i => string.Join(',', i.Shape.Eras)).ToArray()),
                Sql.Array(NpgsqlDbType.Text, items.Select(i => string.Join(',', i.Needs)).ToArray()),
                Sql.Array(NpgsqlDbType.Text, items.Select(i => i.Shape.Fault?.Kind).ToArray()),
                Sql.Array(NpgsqlDbType.Text, items.Select(i => i.Shape.Fault?.Path).ToArray()),
                Sql.Array(NpgsqlDbType.Text, items.Select(i => i.Shape.Fault?.Reason).ToArray()),
                Sql.Array(NpgsqlDbType.Text, announced.KeepsNeeding.ToArray()),
                Sql.Jsonb(announced.Capabilities),
            ],
            r => new Recorded(r.GetInt32(0), r.GetInt32(1), r.GetInt32(2)),
            ct);
        return rows.Count > 0 ? rows[0] : new Recorded(0, 0, 0);
    }
}
