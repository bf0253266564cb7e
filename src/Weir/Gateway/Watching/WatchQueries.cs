using NpgsqlTypes;
using Weir.Gateway.AgentTools;
using Weir.Identity;
using Weir.Postgres;

namespace Weir.Gateway.Watching;

/// <summary>What streams of changes ask of the database: functions only, each one statement.</summary>
internal sealed class WatchQueries(Databases databases)
{
    private const string Endpoints =
        "select instance_id, instance_name, endpoint_url, node_id, share, resets from weir.instance_endpoints($1)";
    private const string MayRead = "select weir.may_read($1, $2, $3, $4, $5, $6)";

    public sealed record EndpointRow(Guid InstanceId, string InstanceName, string? EndpointUrl, Guid? NodeId, string Share, long Resets);

    /// <summary>Where those of the instances are that run.</summary>
    public Task<IReadOnlyList<EndpointRow>> EndpointsAsync(
        IReadOnlyList<Guid> instances, CancellationToken ct) => databases.Engine.QueryAsync(
        Endpoints,
        [Sql.Column(NpgsqlDbType.Uuid, instances, i => i)],
        r => new EndpointRow(r.GetGuid(0), r.GetString(1), r.GetNullableString(2), r.GetNullable<Guid>(3), r.GetString(4), r.GetInt64(5)),
        ct);

    /// <summary>Whether a subscribed resource may still be read, for each of them.</summary>
    public async Task<bool[]> MayReadAsync(
        Principal principal, IReadOnlyList<CallTarget> resources, CancellationToken ct) => await databases.Engine.ScalarAsync<bool[]>(
        MayRead,
        [
            Sql.Text(principal.Key?.Id),
            Sql.Bytea(principal.Key?.SecretHash),
            Sql.Uuid(principal.UserId),
            Sql.Uuid(principal.AgentId),
            Sql.Column(NpgsqlDbType.Uuid, resources, r => r.InstanceId),
            Sql.Column(NpgsqlDbType.Text, resources, r => r.Item),
        ],
        ct) ?? [];
}
