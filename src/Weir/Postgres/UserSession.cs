using System.Text.Json;
using Npgsql;
using Weir.Errors;

namespace Weir.Postgres;

/// <summary>What a statement may do besides what its role may.</summary>
/// <param name="Timeout">PostgreSQL ends it then, with SQLSTATE 57014.</param>
/// <param name="ReadOnly">A write is refused, with SQLSTATE 25006.</param>
internal sealed record StatementBounds(TimeSpan Timeout, bool ReadOnly);

/// <summary>
/// Runs one statement as a person, or as nobody (<c>anon</c>). Identity and statement travel in one batch, which is one
/// round trip and one implicit transaction: the identity ends with it, also when it fails. Only the mapped uuid and the
/// role enter; row-level security does the rest.
/// </summary>
internal sealed class UserSession(NpgsqlDataSource gateway)
{
    private const string BindIdentity = "select set_config('role', $1, true), set_config('request.jwt.claims', $2, true)";
    private const string BindBounds = BindIdentity + ", set_config('statement_timeout', $3, true), set_config('transaction_read_only', $4, true)";

    /// <param name="userId">The verified user, or null for <c>anon</c>.</param>
    /// <param name="sql">Constant text with positional parameters.</param>
    public Task<IReadOnlyList<T>> QueryAsync<T>(
        Guid? userId, string sql, NpgsqlParameter[] parameters, Func<NpgsqlDataReader, T> map, CancellationToken cancellationToken) =>
        QueryAsync(userId, bounds: null, sql, parameters, map, cancellationToken);

    /// <param name="bounds">Bind the statement too, in the same round trip; null: the pool's own deadline only.</param>
    /// <param name="sql">Text with positional parameters, without anything of the caller's in it.</param>
    public Task<IReadOnlyList<T>> QueryAsync<T>(
        Guid? userId, StatementBounds? bounds, string sql, NpgsqlParameter[] parameters, Func<NpgsqlDataReader, T> map, CancellationToken cancellationToken) =>
        DatabaseErrors.GuardAsync<IReadOnlyList<T>>(async () =>
        {
            await using var batch = gateway.CreateBatch();
            batch.BatchCommands.Add(Bind(userId, bounds));
            var work = new NpgsqlBatchCommand(sql);
            work.Parameters.AddRange(parameters);
            batch.BatchCommands.Add(work);

            await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
            await reader.NextResultAsync(cancellationToken);
            var rows = new List<T>();
            while (await reader.ReadAsync(cancellationToken))
            {
                rows.Add(map(reader));
            }

            // The commit's own failure (a deferred constraint, a lost connection) only shows at the end of the batch.
            await reader.NextResultAsync(cancellationToken);
            return rows;
        });

    /// <summary>
    /// Calls a published function that answers with one json value. A writing function returns its refusal instead of raising
    /// it, so that what it recorded stays: it is thrown here, after the commit.
    /// </summary>
    /// <exception cref="WeirException">The function refused, or the database did.</exception>
    public async Task<JsonElement> CallAsync(Guid? userId, string sql, NpgsqlParameter[] parameters, CancellationToken cancellationToken)
    {
        var rows = await QueryAsync(userId, sql, parameters, static reader => reader.GetJson(0), cancellationToken);
        var answer = rows.Count == 0 ? default : rows[0];
        return answer.ValueKind == JsonValueKind.Object
            && answer.TryGetProperty("error", out var error)
            && error.ValueKind == JsonValueKind.String
            && ErrorCodes.TryParse(error.GetString(), out var code)
                ? throw new WeirException(code, Member(answer, "message") ?? "Refused.", Member(answer, "hint"))
                : answer;
    }

    private static NpgsqlBatchCommand Bind(Guid? userId, StatementBounds? bounds)
    {
        var claims = userId is { } id ? $$"""{"sub":"{{id}}","role":"authenticated"}""" : """{"role":"anon"}""";
        var command = new NpgsqlBatchCommand(bounds is null ? BindIdentity : BindBounds) { Parameters = { Sql.Text(userId is null ? "anon" : "authenticated"), Sql.Text(claims) } };
        if (bounds is not null)
        {
            command.Parameters.Add(Sql.Text($"{(long)bounds.Timeout.TotalMilliseconds}"));
            command.Parameters.Add(Sql.Text(bounds.ReadOnly ? "on" : "off"));
        }

        return command;
    }

    private static string? Member(JsonElement answer, string name) =>
        answer.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
