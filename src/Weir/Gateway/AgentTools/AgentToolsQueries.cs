using NpgsqlTypes;
using Weir.Identity;
using Weir.Postgres;

namespace Weir.Gateway.AgentTools;

/// <summary>What an agent may see, asked of the database: functions only, each one statement.</summary>
internal sealed class AgentToolsQueries(Databases databases)
{
    private const string AgentTools =
        "select kind, organization_id, agent_id, agent_name, instance_id, instance_name, status, item, definition_hash, chat_offline, "
        + "max_concurrent_connections, share, nullif(eras, '{legacy,modern}'), nullif(needs, '{}'), priority, timeout_ms "
        + "from weir.agent_catalog($1, $2, $3, $4, $5)";

    private const string Definitions = "select instance_id, kind, name, definition_hash, definition from weir.definitions($1, $2, $3, $4)";
    private const string FindTools =
        "select instance_id, instance_name, status, name, definition_hash from weir.find_tools($1, $2, $3, $4, $5, $6, $7, $8)";
    private const string OrganizationOf = "select weir.principal_organization($1, $2, $3, $4)";

    /// <summary>One row of an agent's tools; which members are set depends on <paramref name="Kind"/>.</summary>
    /// <param name="Eras">Null: both.</param>
    /// <param name="Needs">Null: nothing.</param>
    public sealed record AgentToolsRow(
        string Kind, Guid OrganizationId, Guid AgentId, string AgentName, Guid? InstanceId, string? InstanceName, string? Status,
        string? Item, byte[]? Hash, bool ChatOffline, int? MaxConnections, string? Share, string[]? Eras, string[]? Needs, int? Priority,
        int? TimeoutMs);

    public sealed record DefinitionRow(Guid InstanceId, string Kind, string Name, byte[] Hash, string Definition);

    /// <summary>The permitted (instance, item) pairs, the agent's own row first; no row where the principal is not good.</summary>
    public Task<IReadOnlyList<AgentToolsRow>> AgentToolsAsync(
        Principal principal, string? instanceName, CancellationToken ct) => databases.Engine.QueryAsync(
        AgentTools,
        [
            Sql.Text(principal.Key?.Id),
            Sql.Bytea(principal.Key?.SecretHash),
            Sql.Uuid(principal.UserId),
            Sql.Uuid(principal.AgentId),
            Sql.Text(instanceName),
        ],
        r => new AgentToolsRow(
            r.GetString(0), r.GetGuid(1), r.GetGuid(2), r.GetString(3), r.GetNullable<Guid>(4), r.GetNullableString(5),
            r.GetNullableString(6),
            r.GetNullableString(7), r.IsDBNull(8) ? null : r.GetFieldValue<byte[]>(8), !r.IsDBNull(9) && r.GetBoolean(9),
            r.GetNullable<int>(10), r.GetNullableString(11), r.IsDBNull(12) ? null : r.GetFieldValue<string[]>(12),
            r.IsDBNull(13) ? null : r.GetFieldValue<string[]>(13), r.GetNullable<int>(14), r.GetNullable<int>(15)),
        ct);

    /// <summary>The organization of the principal's agent; null where the principal is not good.</summary>
    public Task<Guid?> OrganizationOfAsync(Principal principal, CancellationToken ct) => databases.Engine.ScalarAsync<Guid?>(
        OrganizationOf,
        [Sql.Text(principal.Key?.Id), Sql.Bytea(principal.Key?.SecretHash), Sql.Uuid(principal.UserId), Sql.Uuid(principal.AgentId)],
        ct);

    public Task<IReadOnlyList<DefinitionRow>> DefinitionsAsync(
        IReadOnlyList<AgentItem> items, CancellationToken ct) => databases.Engine.QueryAsync(
        Definitions,
        [
            Sql.Column(NpgsqlDbType.Uuid, items, i => i.InstanceId),
            Sql.Column(NpgsqlDbType.Text, items, i => i.Kind),
            Sql.Column(NpgsqlDbType.Text, items, i => i.Name),
            Sql.Column(NpgsqlDbType.Bytea, items, i => i.Hash),
        ],
        r => new DefinitionRow(r.GetGuid(0), r.GetString(1), r.GetString(2), r.GetFieldValue<byte[]>(3), r.GetString(4)),
        ct);

    public sealed record FoundTool(Guid InstanceId, string InstanceName, string Status, string Name, byte[] Hash);

    /// <summary>
    /// The tools that the principal may call, that its client may be shown and that the words mean, best first. None also where the
    /// principal is not good.
    /// </summary>
    public Task<IReadOnlyList<FoundTool>> FindToolsAsync(
        Principal principal, string words, int limit, string era, IReadOnlyList<string> abilities,
        CancellationToken ct) => databases.Engine.QueryAsync(
        FindTools,
        [
            Sql.Text(principal.Key?.Id),
            Sql.Bytea(principal.Key?.SecretHash),
            Sql.Uuid(principal.UserId),
            Sql.Uuid(principal.AgentId),
            Sql.Text(words),
            Sql.Integer(limit),
            Sql.Text(era),
            Sql.Array(NpgsqlDbType.Text, abilities.ToArray()),
        ],
        r => new FoundTool(r.GetGuid(0), r.GetString(1), r.GetString(2), r.GetString(3), r.GetFieldValue<byte[]>(4)),
        ct);
}
