using System.Text.Json;
using Weir.Postgres;

namespace Weir.Nodes;

/// <summary>What nodes and the work for them ask of the database.</summary>
internal sealed class NodesQueries(Databases databases)
{
    private const string IssueToken = "select weir.issue_node_token($1, $2, $3, $4)";
    private const string Register = "select weir.register_node($1, $2, $3, $4, $5, $6, $7)";
    private const string Find = "select weir.node_of_key($1)";
    private const string Heartbeat = "select weir.node_heartbeat($1, $2, $3, $4), weir.not_placed($1, $4)";
    private const string RecordState = "select weir.record_instance_state($1, $2, $3, $4, $5)";
    private const string RecordPhase = "select weir.record_phase($1, $2, $3)";
    private const string Overtake = "select weir.overtake_generation($1, $2, $3)";
    private const string Connections = "select node_id, name, api_url, sealed_api_key, online from weir.node_connections()";
    private const string Sweep = "select weir.sweep_nodes($1)";
    private const string ReportClosed = "select weir.report_closed_node($1, $2, $3, $4)";

    private const string Claim = """
        select operation_id, action, organization_id, instance_id, instance_name, generation, attempt, node_id, node_api_url, node_sealed_api_key,
               endpoint_url, runtime, transport, package, package_version, bin, args, env, configuration, share, max_sessions, calls_at_once
        from weir.claim_operations($1, $2, $3, $4, $5, $6)
        """;

    private const string LogSource =
        "select organization_id, node_id, env, configuration, configuration_schema from weir.server_log_source($1)";
    private const string Record = "select weir.record_operation($1, $2, $3, $4, $5, $6)";

    public Task<Guid> IssueTokenAsync(string name, string? region, byte[] tokenHash, DateTimeOffset expiresAt, CancellationToken ct) =>
        databases.Engine.ScalarAsync<Guid>(
            IssueToken, [Sql.Text(name), Sql.Text(region), Sql.Bytea(tokenHash), Sql.Timestamp(expiresAt)], ct);

    /// <summary>Null: the token is not good.</summary>
    public Task<Guid?> RegisterAsync(byte[] tokenHash, byte[] nodeKeyHash, RegisterRequest request, byte[] sealedApiKey) =>
        databases.Unverified.ScalarAsync<Guid?>(
            Register,
            [
                Sql.Bytea(tokenHash), Sql.Bytea(nodeKeyHash), Sql.Text(request.ApiUrl), Sql.Bytea(sealedApiKey),
                Sql.Integer(request.CapabilityVersion),
                Sql.Text(request.Isolation), Sql.Array(NpgsqlTypes.NpgsqlDbType.Text, request.Runtimes),
            ],
            // Not ended when the caller goes away, who is not known: a statement that is cancelled is lines in PostgreSQL's log.
            CancellationToken.None);

    /// <summary>Null: no node has this key.</summary>
    /// <param name="isKnown">Whether this replica found it good lately.</param>
    public Task<Guid?> FindAsync(byte[] nodeKeyHash, bool isKnown) =>
        (isKnown ? databases.Engine : databases.Unverified).ScalarAsync<Guid?>(Find, [Sql.Bytea(nodeKeyHash)], CancellationToken.None);

    /// <summary>Null: the key is no node's.</summary>
    public async Task<HeartbeatResponse?> HeartbeatAsync(
        byte[] nodeKeyHash, HeartbeatRequest request, CancellationToken ct) => (await databases.Engine.QueryAsync(
        Heartbeat,
        [
            Sql.Bytea(nodeKeyHash), Sql.Text(request.ApiUrl),
            Sql.Jsonb(JsonSerializer.Serialize(request.Status, NodeJson.Default.NodeStatus)),
            Sql.Jsonb(JsonSerializer.Serialize(request.Servers, NodeJson.Default.ServerStatusArray)),
        ],
        r => r.IsDBNull(0) ? null : new HeartbeatResponse(r.GetInt32(0), r.GetJson(1).Deserialize(NodeJson.Default.ServerGenerationArray)),
        ct))[0];

    /// <summary>False when it was of an older generation, said nothing new, or is no allowed move.</summary>
    public Task<bool> RecordStateAsync(ServerStatus status, CancellationToken ct) => databases.Engine.ScalarAsync<bool>(
        RecordState,
        [Sql.Uuid(status.Id), Sql.Bigint(status.Generation), Sql.Text(status.State), Sql.Text(status.ErrorCode), Sql.Text(status.Error)],
        ct);

    /// <summary>How far a deployment has come.</summary>
    public Task<bool> RecordPhaseAsync(Guid instanceId, long generation, string phase, CancellationToken ct) =>
        databases.Engine.ScalarAsync<bool>(RecordPhase, [Sql.Uuid(instanceId), Sql.Bigint(generation), Sql.Text(phase)], ct);

    /// <summary>What is wanted of an instance is said anew, in a generation above the one that its node knows.</summary>
    public Task<bool> OvertakeAsync(Guid instanceId, long generation, long known, CancellationToken ct) =>
        databases.Engine.ScalarAsync<bool>(Overtake, [Sql.Uuid(instanceId), Sql.Bigint(generation), Sql.Bigint(known)], ct);

    public Task<IReadOnlyList<StoredNode>> ConnectionsAsync(CancellationToken ct) => databases.Engine.QueryAsync(
        Connections,
        [],
        r => new StoredNode(r.GetGuid(0), r.GetString(1), r.GetNullableString(2), r.GetFieldValue<byte[]>(3), r.GetBoolean(4)),
        ct);

    /// <summary>How many nodes were found to be lost.</summary>
    public Task<int> SweepAsync(TimeSpan stale, CancellationToken ct) =>
        databases.Engine.ScalarAsync<int>(Sweep, [Sql.Interval(stale)], ct);

    /// <summary>Whether the database believes it.</summary>
    /// <param name="ago">When the node's port was found closed.</param>
    /// <param name="quiet">Longer than a live node is ever silent.</param>
    public Task<bool> ReportClosedAsync(NodeConnection node, TimeSpan ago, TimeSpan quiet) => databases.Engine.ScalarAsync<bool>(
        ReportClosed,
        [Sql.Uuid(node.Id), Sql.Text(node.ApiUrl.GetLeftPart(UriPartial.Authority)), Sql.Interval(ago), Sql.Interval(quiet)],
        CancellationToken.None);

    public Task<IReadOnlyList<ClaimedOperation>> ClaimAsync(
        Guid replicaId, TimeSpan lease, ClaimableWork work, CancellationToken ct) => databases.Engine.QueryAsync(
        Claim,
        [
            Sql.Uuid(replicaId), Sql.Integer(work.Limit), Sql.Interval(lease), Sql.Integer(work.Share),
            Sql.Array(NpgsqlTypes.NpgsqlDbType.Uuid, work.Organizations), Sql.Array(NpgsqlTypes.NpgsqlDbType.Uuid, work.Nodes),
        ],
        r => new ClaimedOperation
        {
            Id = r.GetGuid(0),
            Action = r.GetString(1),
            OrganizationId = r.GetGuid(2),
            InstanceId = r.GetGuid(3),
            InstanceName = r.GetString(4),
            Generation = r.GetInt64(5),
            Attempt = r.GetInt32(6),
            NodeId = r.GetNullable<Guid>(7),
            NodeApiUrl = r.GetNullableString(8),
            NodeSealedApiKey = r.IsDBNull(9) ? null : r.GetFieldValue<byte[]>(9),
            EndpointUrl = r.GetNullableString(10),
            Runtime = r.GetNullableString(11),
            Transport = r.GetNullableString(12),
            Package = r.GetNullableString(13),
            PackageVersion = r.GetNullableString(14),
            Bin = r.GetNullableString(15),
            Args = r.GetJson(16),
            Env = r.GetJson(17),
            Configuration = r.GetJson(18),
            Share = r.GetString(19),
            MaxSessions = r.GetNullable<int>(20),
            CallsAtOnce = r.GetNullable<int>(21),
        },
        ct);

    /// <summary>Null where there is no such server.</summary>
    public async Task<ServerLogSource?> LogSourceAsync(Guid instanceId, CancellationToken ct)
    {
        var found = await databases.Engine.QueryAsync(
            LogSource, [Sql.Uuid(instanceId)],
            r => new ServerLogSource(r.GetGuid(0), r.GetNullable<Guid>(1), r.GetJson(2), r.GetJson(3), r.GetJson(4)), ct);
        return found.Count > 0 ? found[0] : null;
    }

    /// <summary>False when another replica holds the operation by now, or it has ended.</summary>
    public Task<bool> RecordAsync(
        Guid operationId, Guid replicaId, string outcome, string? errorCode, string? error, DateTimeOffset? retryAt,
        CancellationToken ct) =>
        databases.Engine.ScalarAsync<bool>(
            Record,
            [Sql.Uuid(operationId), Sql.Uuid(replicaId), Sql.Text(outcome), Sql.Text(errorCode), Sql.Text(error), Sql.Timestamp(retryAt)],
            ct);
}

/// <summary>A registered node as the database has it.</summary>
/// <param name="ApiUrl">Null where it has not spoken since a restore: then it is not to be asked for anything.</param>
internal sealed record StoredNode(Guid Id, string Name, string? ApiUrl, byte[] SealedApiKey, bool IsOnline);

/// <summary>An operation that this replica holds for the time of its lease.</summary>
internal sealed record ClaimedOperation
{
    public required Guid Id { get; init; }

    /// <summary><c>deploy</c>, <c>update</c>, <c>restart</c>, <c>stop</c> or <c>delete</c>.</summary>
    public required string Action { get; init; }

    public required Guid OrganizationId { get; init; }

    public required Guid InstanceId { get; init; }

    public required string InstanceName { get; init; }

    public required long Generation { get; init; }

    /// <summary>From 1.</summary>
    public required int Attempt { get; init; }

    /// <summary>Null for a remote instance.</summary>
    public Guid? NodeId { get; init; }

    public string? NodeApiUrl { get; init; }

    public byte[]? NodeSealedApiKey { get; init; }

    public string? EndpointUrl { get; init; }

    public string? Runtime { get; init; }

    public string? Transport { get; init; }

    public string? Package { get; init; }

    public string? PackageVersion { get; init; }

    public string? Bin { get; init; }

    public JsonElement Args { get; init; }

    public JsonElement Env { get; init; }

    public JsonElement Configuration { get; init; }

    public required string Share { get; init; }

    public int? MaxSessions { get; init; }

    public int? CallsAtOnce { get; init; }
}
