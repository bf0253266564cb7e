using Npgsql;
using NpgsqlTypes;
using Weir.Errors;
using Weir.Gateway.Calls;
using Weir.Postgres;

namespace Weir.Gateway.Admission;

/// <summary>What admission asks of the database: functions only, each one statement.</summary>
internal sealed class AdmissionQueries(Databases databases, Guid replicaId)
{
    private const string Admit =
        "select ordinal, failures = '{}', failures[1], organization_id, agent_id, instance_id, instance_name, endpoint_url, node_id, "
            + "share, detail, resets "
        + "from unnest(weir.admit($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19))";
    private const string RecordDenials = "select weir.record_denials($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    private const string Complete = "select weir.complete($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    private const string SwitchedOff = "select weir.switched_off($1, $2)";

    /// <param name="alone">Calls of one organization that has made a batch fail.</param>
    public async Task<Decision[]> AdmitAsync(AdmissionRequest[] calls, bool alone = false)
    {
        var rows = await (alone ? databases.AloneAdmission : databases.Admission).QueryAsync(
            Admit,
            [
                Sql.Uuid(replicaId),
                Sql.Column(NpgsqlDbType.Uuid, calls, c => c.Key.Id),
                Sql.Column(NpgsqlDbType.TimestampTz, calls, c => c.Key.CreatedAt),
                Sql.Column(NpgsqlDbType.Text, calls, c => c.Principal.Key?.Id),
                Sql.Column(NpgsqlDbType.Bytea, calls, c => c.Principal.Key?.SecretHash),
                Sql.Column(NpgsqlDbType.Uuid, calls, c => c.Principal.UserId),
                Sql.Column(NpgsqlDbType.Uuid, calls, c => c.Principal.AgentId),
                Sql.Column(NpgsqlDbType.Text, calls, c => c.Kind),
                Sql.Column(NpgsqlDbType.Uuid, calls, c => c.InstanceId),
                Sql.Column(NpgsqlDbType.Text, calls, c => c.Item),
                Sql.Column(NpgsqlDbType.Text, calls, c => c.Arguments),
                Sql.Column(NpgsqlDbType.Text, calls, c => c.RequestId),
                Sql.Column(NpgsqlDbType.Integer, calls, c => c.Attempt),
                Sql.Column(NpgsqlDbType.Bigint, calls, c => c.RequestBytes),
                Sql.Column(NpgsqlDbType.Bytea, calls, c => c.RequestHash),
                Sql.Column(NpgsqlDbType.Text, calls, c => c.RequestCopy),
                Sql.Column(NpgsqlDbType.Uuid, calls, c => c.OrganizationId),
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
            Sql.Column(NpgsqlDbType.Uuid, denials, d => d.Call.Key.Id),
            Sql.Column(NpgsqlDbType.TimestampTz, denials, d => d.Call.Key.CreatedAt),
            Sql.Column(NpgsqlDbType.Text, denials, d => d.Call.Principal.Key?.Id),
            Sql.Column(NpgsqlDbType.Bytea, denials, d => d.Call.Principal.Key?.SecretHash),
            Sql.Column(NpgsqlDbType.Uuid, denials, d => d.Call.Principal.UserId),
            Sql.Column(NpgsqlDbType.Uuid, denials, d => d.Call.Principal.AgentId),
            Sql.Column(NpgsqlDbType.Text, denials, d => d.Call.Kind),
            Sql.Column(NpgsqlDbType.Text, denials, d => d.Call.Item),
            Sql.Column(NpgsqlDbType.Text, denials, d => d.Reason),
            Sql.Column(NpgsqlDbType.Text, denials, d => d.Call.RequestId),
            Sql.Column(NpgsqlDbType.Bigint, denials, d => d.Call.RequestBytes),
            Sql.Column(NpgsqlDbType.Bytea, denials, d => d.Call.RequestHash),
        ],
        CancellationToken.None);

    public Task CompleteAsync(IReadOnlyList<Completion> completions, CancellationToken ct) => databases.Completion.ExecuteAsync(
        Complete,
        [
            Sql.Uuid(replicaId),
            Sql.Column(NpgsqlDbType.Uuid, completions, c => c.Key.Id),
            Sql.Column(NpgsqlDbType.TimestampTz, completions, c => c.Key.CreatedAt),
            Sql.Column(NpgsqlDbType.Text, completions, c => c.Outcome),
            Sql.Column(NpgsqlDbType.Text, completions, c => c.ErrorCode),
            Sql.Column(NpgsqlDbType.Bigint, completions, c => c.DurationMicroseconds),
            Sql.Column(NpgsqlDbType.Bigint, completions, c => c.ResponseBytes),
            Sql.Column(NpgsqlDbType.Bytea, completions, c => c.ResponseHash),
            Sql.Column(NpgsqlDbType.Text, completions, c => c.ResponseCopy),
        ],
        ct);

    /// <summary>For each agent (and server, if given): whether it is switched off.</summary>
    public async Task<bool[]> SwitchedOffAsync(IReadOnlyList<(Guid AgentId, Guid? InstanceId)> open, CancellationToken ct) =>
        await databases.Switches.ScalarAsync<bool[]>(
            SwitchedOff, [Sql.Column(NpgsqlDbType.Uuid, open, o => o.AgentId), Sql.Column(NpgsqlDbType.Uuid, open, o => o.InstanceId)], ct)
            ?? [];

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
}
