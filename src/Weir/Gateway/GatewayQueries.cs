using Npgsql;
using NpgsqlTypes;
using Weir.Errors;
using Weir.Gateway.AgentTools;
using Weir.Identity;
using Weir.Postgres;

namespace Weir.Gateway;

/// <summary>What the gateway asks of the database: functions only, each one statement.</summary>
internal sealed class GatewayQueries(Databases databases, Guid replicaId)
{
    private const string Admit =
        "select ordinal, failures = '{}', failures[1], organization_id, agent_id, instance_id, instance_name, endpoint_url, node_id, share, detail, resets "
        + "from unnest(weir.admit($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19))";

    private const string RecordDenials = "select weir.record_denials($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    private const string Complete = "select weir.complete($1, $2, $3, $4, $5, $6, $7, $8, $9)";

    private const string AgentCatalogSql =
        "select kind, organization_id, agent_id, agent_name, instance_id, instance_name, status, item, definition_hash, chat_offline, max_concurrent_connections, "
        + "share, nullif(eras, '{legacy,modern}'), nullif(needs, '{}'), priority, timeout_ms from weir.agent_catalog($1, $2, $3, $4, $5)";

    private const string Definitions = "select instance_id, kind, name, definition_hash, definition from weir.definitions($1, $2, $3, $4)";
    private const string Endpoints = "select instance_id, instance_name, endpoint_url, node_id, share, resets from weir.instance_endpoints($1)";
    private const string MayRead = "select weir.may_read($1, $2, $3, $4, $5, $6)";
    private const string SwitchedOff = "select weir.switched_off($1, $2)";
    private const string FindTools =
        "select instance_id, instance_name, status, name, definition_hash from weir.find_tools($1, $2, $3, $4, $5, $6, $7, $8)";
    private const string OrganizationOf = "select weir.principal_organization($1, $2, $3, $4)";
    private const string AuthenticateKey = "select agent_id from weir.authenticate_key($1, $2)";

    /// <summary>One row of an agent's catalog; which members are set depends on <paramref name="Kind"/>.</summary>
    /// <param name="Eras">Null: both.</param>
    /// <param name="Needs">Null: nothing.</param>
    public sealed record AgentToolsRow(
        string Kind, Guid OrganizationId, Guid AgentId, string AgentName, Guid? InstanceId, string? InstanceName, string? Status,
        string? Item, byte[]? Hash, bool ChatOffline, int? MaxConnections, string? Share, string[]? Eras, string[]? Needs, int? Priority, int? TimeoutMs);

    public sealed record DefinitionRow(Guid InstanceId, string Kind, string Name, byte[] Hash, string Definition);

    /// <param name="alone">Calls of one organization that has made a batch fail.</param>
    public async Task<Decision[]> AdmitAsync(AdmissionRequest[] calls, bool alone = false)
    {
        var rows = await (alone ? databases.AloneAdmission : databases.Admission).QueryAsync(
            Admit,
            [
                Sql.Uuid(replicaId),
                Column(NpgsqlDbType.Uuid, calls, c => c.Key.Id),
                Column(NpgsqlDbType.TimestampTz, calls, c => c.Key.CreatedAt),
                Column(NpgsqlDbType.Text, calls, c => c.Principal.Key?.Id),
                Column(NpgsqlDbType.Bytea, calls, c => c.Principal.Key?.SecretHash),
                Column(NpgsqlDbType.Uuid, calls, c => c.Principal.UserId),
                Column(NpgsqlDbType.Uuid, calls, c => c.Principal.AgentId),
                Column(NpgsqlDbType.Text, calls, c => c.Kind),
                Column(NpgsqlDbType.Uuid, calls, c => c.InstanceId),
                Column(NpgsqlDbType.Text, calls, c => c.Item),
                Column(NpgsqlDbType.Text, calls, c => c.Arguments),
                Column(NpgsqlDbType.Text, calls, c => c.RequestId),
                Column(NpgsqlDbType.Integer, calls, c => c.Attempt),
                Column(NpgsqlDbType.Bigint, calls, c => c.RequestBytes),
                Column(NpgsqlDbType.Bytea, calls, c => c.RequestHash),
                Column(NpgsqlDbType.Text, calls, c => c.RequestCopy),
                Column(NpgsqlDbType.Uuid, calls, c => c.OrganizationId),
                Sql.Array(NpgsqlDbType.Boolean, Array.Exists(calls, c => c.IsAtLimit) ? Array.ConvertAll(calls, c => c.IsAtLimit) : null),
                Sql.Array(
                    NpgsqlDbType.Text,
                    Array.Exists(calls, c => c.InstanceName is not null) ? Array.ConvertAll(calls, c => c.InstanceName) : null),
            ],
            ReadDecision,
            CancellationToken.None);
        var decisions = new Decision[calls.Length];
        foreach (var (ordinal, decision) in rows)
        {
            decisions[ordinal - 1] = decision;
        }

        return Array.TrueForAll(decisions, d => d is not null)
            ? decisions
            : throw new WeirException(ErrorCode.Internal, "Admission did not decide every call.");
    }

    public Task RecordDenialAsync(AdmissionRequest call, string reason) => RecordDenialsAsync([(call, reason)]);

    public Task RecordDenialsAsync(IReadOnlyList<(AdmissionRequest Call, string Reason)> denials) => databases.Engine.ExecuteAsync(
        RecordDenials,
        [
            Sql.Uuid(replicaId),
            Column(NpgsqlDbType.Uuid, denials, d => d.Call.Key.Id),
            Column(NpgsqlDbType.TimestampTz, denials, d => d.Call.Key.CreatedAt),
            Column(NpgsqlDbType.Text, denials, d => d.Call.Principal.Key?.Id),
            Column(NpgsqlDbType.Bytea, denials, d => d.Call.Principal.Key?.SecretHash),
            Column(NpgsqlDbType.Uuid, denials, d => d.Call.Principal.UserId),
            Column(NpgsqlDbType.Uuid, denials, d => d.Call.Principal.AgentId),
            Column(NpgsqlDbType.Text, denials, d => d.Call.Kind),
            Column(NpgsqlDbType.Text, denials, d => d.Call.Item),
            Column(NpgsqlDbType.Text, denials, d => d.Reason),
            Column(NpgsqlDbType.Text, denials, d => d.Call.RequestId),
            Column(NpgsqlDbType.Bigint, denials, d => d.Call.RequestBytes),
            Column(NpgsqlDbType.Bytea, denials, d => d.Call.RequestHash),
        ],
        CancellationToken.None);

    public Task CompleteAsync(IReadOnlyList<Completion> completions, CancellationToken ct) => databases.Completion.ExecuteAsync(
        Complete,
        [
            Sql.Uuid(replicaId),
            Column(NpgsqlDbType.Uuid, completions, c => c.Key.Id),
            Column(NpgsqlDbType.TimestampTz, completions, c => c.Key.CreatedAt),
            Column(NpgsqlDbType.Text, completions, c => c.Outcome),
            Column(NpgsqlDbType.Text, completions, c => c.ErrorCode),
            Column(NpgsqlDbType.Bigint, completions, c => c.DurationMicroseconds),
            Column(NpgsqlDbType.Bigint, completions, c => c.ResponseBytes),
            Column(NpgsqlDbType.Bytea, completions, c => c.ResponseHash),
            Column(NpgsqlDbType.Text, completions, c => c.ResponseCopy),
        ],
        ct);

    /// <summary>The permitted (instance, item) pairs, the agent's own row first; no row where the principal is not good.</summary>
    public Task<IReadOnlyList<AgentToolsRow>> AgentToolsAsync(Principal principal, string? instanceName, CancellationToken ct) => databases.Engine.QueryAsync(
        AgentCatalogSql,
        [
            Sql.Text(principal.Key?.Id),
            Sql.Bytea(principal.Key?.SecretHash),
            Sql.Uuid(principal.UserId),
            Sql.Uuid(principal.AgentId),
            Sql.Text(instanceName),
        ],
        r => new AgentToolsRow(
            r.GetString(0), r.GetGuid(1), r.GetGuid(2), r.GetString(3), r.GetNullable<Guid>(4), r.GetNullableString(5), r.GetNullableString(6),
            r.GetNullableString(7), r.IsDBNull(8) ? null : r.GetFieldValue<byte[]>(8), !r.IsDBNull(9) && r.GetBoolean(9),
            r.GetNullable<int>(10), r.GetNullableString(11), r.IsDBNull(12) ? null : r.GetFieldValue<string[]>(12),
            r.IsDBNull(13) ? null : r.GetFieldValue<string[]>(13), r.GetNullable<int>(14), r.GetNullable<int>(15)),
        ct);

    /// <summary>The organization of the principal's agent; null where the principal is not good.</summary>
    public Task<Guid?> OrganizationOfAsync(Principal principal, CancellationToken ct) => databases.Engine.ScalarAsync<Guid?>(
        OrganizationOf,
        [Sql.Text(principal.Key?.Id), Sql.Bytea(principal.Key?.SecretHash), Sql.Uuid(principal.UserId), Sql.Uuid(principal.AgentId)],
        ct);

    public Task<IReadOnlyList<DefinitionRow>> DefinitionsAsync(IReadOnlyList<AgentItem> items, CancellationToken ct) => databases.Engine.QueryAsync(
        Definitions,
        [
            Column(NpgsqlDbType.Uuid, items, i => i.InstanceId),
            Column(NpgsqlDbType.Text, items, i => i.Kind),
            Column(NpgsqlDbType.Text, items, i => i.Name),
            Column(NpgsqlDbType.Bytea, items, i => i.Hash),
        ],
        r => new DefinitionRow(r.GetGuid(0), r.GetString(1), r.GetString(2), r.GetFieldValue<byte[]>(3), r.GetString(4)),
        ct);

    public sealed record EndpointRow(Guid InstanceId, string InstanceName, string? EndpointUrl, Guid? NodeId, string Share, long Resets);

    /// <summary>Where those of the instances are that run.</summary>
    public Task<IReadOnlyList<EndpointRow>> EndpointsAsync(IReadOnlyList<Guid> instances, CancellationToken ct) => databases.Engine.QueryAsync(
        Endpoints,
        [Column(NpgsqlDbType.Uuid, instances, i => i)],
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
            Column(NpgsqlDbType.Uuid, resources, r => r.InstanceId),
            Column(NpgsqlDbType.Text, resources, r => r.Item),
        ],
        ct) ?? [];

    /// <summary>For each agent (and server, if given): whether it is switched off.</summary>
    public async Task<bool[]> SwitchedOffAsync(IReadOnlyList<(Guid AgentId, Guid? InstanceId)> open, CancellationToken ct) =>
        await databases.Switches.ScalarAsync<bool[]>(
            SwitchedOff, [Column(NpgsqlDbType.Uuid, open, o => o.AgentId), Column(NpgsqlDbType.Uuid, open, o => o.InstanceId)], ct) ?? [];

    public sealed record FoundTool(Guid InstanceId, string InstanceName, string Status, string Name, byte[] Hash);

    /// <summary>
    /// The tools that the principal may call, that its client may be shown and that the words mean, best first. None also where the principal is
    /// not good.
    /// </summary>
    public Task<IReadOnlyList<FoundTool>> FindToolsAsync(
        Principal principal, string words, int limit, string era, IReadOnlyList<string> abilities, CancellationToken ct) => databases.Engine.QueryAsync(
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

    /// <exception cref="WeirException">WR002: the key is not good.</exception>
    /// <param name="isKnown">Whether this replica found it good lately.</param>
    public async Task AuthenticateAsync(AgentKey key, bool isKnown)
    {
        var pool = isKnown ? databases.Engine : databases.Unverified;
        // Not ended when the caller goes away: a statement that is cancelled is lines in PostgreSQL's log.
        if (await pool.ScalarAsync<Guid?>(AuthenticateKey, [Sql.Text(key.Id), Sql.Bytea(key.SecretHash)], CancellationToken.None) is null)
        {
            throw AgentKey.Refused();
        }
    }

    private static (int Ordinal, Decision Decision) ReadDecision(NpgsqlDataReader r) => (r.GetInt32(0), new Decision(
        r.GetBoolean(1),
        r.GetNullableString(2),
        r.GetNullable<Guid>(3),
        r.GetNullable<Guid>(4),
        r.GetNullable<Guid>(5),
        r.GetNullableString(6),
        r.GetNullableString(7),
        r.GetNullable<Guid>(8),
        r.GetNullableString(9),
        r.GetNullableString(10))
    {
        Resets = r.GetNullable<long>(11) ?? 0,
    });

    private static NpgsqlParameter Column<TItem, TValue>(NpgsqlDbType type, IReadOnlyList<TItem> items, Func<TItem, TValue> value)
    {
        var values = new TValue[items.Count];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = value(items[i]);
        }

        return Sql.Array(type, values);
    }
}
