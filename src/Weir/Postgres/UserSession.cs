using System.Text.Json;
using Npgsql;
using Weir.Errors;

namespace Weir.Postgres;

/// <summary>
/// Runs one statement as a person, or as nobody (<c>anon</c>). Identity and statement travel in one batch, which is one
/// round trip and one implicit transaction: the identity ends with it, also when it fails. Only the mapped uuid, the
/// role and the time of the sign-in enter; row-level security does the rest.
/// </summary>
/// <param name="errors">Bounds what one person's failing statements write into PostgreSQL's log; null: nothing does.</param>
internal sealed class UserSession(NpgsqlDataSource gateway, CallerErrors? errors = null)
{
    private const string BindIdentity = "select set_config('role', $1, true), set_config('request.jwt.claims', $2, true)";
    private const string BindBounds = BindIdentity + ", " + StatementBounds.Bind3And4;

    /// <param name="userId">The verified user, or null for <c>anon</c>.</param>
    /// <param name="sql">Constant text with positional parameters.</param>
    public Task<IReadOnlyList<T>> QueryAsync<T>(
        Guid? userId, string sql, NpgsqlParameter[] parameters, Func<NpgsqlDataReader, T> map, CancellationToken cancellationToken) =>
        BoundAsync(userId, () => DatabaseErrors.GuardAsync<IReadOnlyList<T>>(async () =>
        {
            await using var connection = await gateway.OpenLiveAsync(cancellationToken);
            await using var batch = new NpgsqlBatch(connection);
            batch.BatchCommands.Add(Bind(userId, bounds: null));
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
        }));

    /// <summary>The same, read row by row, each column once and in order; where reading stops, the database stops too.</summary>
    /// <param name="bounds">Bind the statement too, in the same round trip.</param>
    /// <param name="sql">Text with positional parameters, without anything of the caller's in it.</param>
    /// <param name="signIn">When the person signed in. Null: not known, so what wants a recent sign-in is refused.</param>
    public Task<T> ReadAsync<T>(
        Guid? userId, StatementBounds bounds, string sql, NpgsqlParameter[] parameters,
        Func<NpgsqlDataReader, CancellationToken, Task<T>> read, CancellationToken cancellationToken, SignIn? signIn = null) =>
        BoundAsync(userId, () => gateway.ReadAsync(Bind(userId, bounds, signIn), sql, parameters, read, cancellationToken));

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
                ? throw new WeirException(
                    code, Member(answer, "message") ?? "Refused.", Member(answer, "hint")) { RetryAfter = RetryAfter(answer) }
                : answer;
    }

    /// <summary>Of a refusal that says how long it lasts. Seconds.</summary>
    private static TimeSpan? RetryAfter(JsonElement answer) =>
        answer.TryGetProperty("retry_after", out var seconds) && seconds.ValueKind == JsonValueKind.Number
            ? TimeSpan.FromSeconds(seconds.GetDouble()) : null;

    private Task<T> BoundAsync<T>(Guid? userId, Func<Task<T>> work) => errors is null
        ? work() : errors.RunAsync(userId is { } id ? $"user {id}" : null, work);

    private static NpgsqlBatchCommand Bind(Guid? userId, StatementBounds? bounds, SignIn? signIn = null)
    {
        var claims = userId is { } id ? $$"""{"sub":"{{id}}","role":"authenticated"{{signIn?.Claims}}}""" : """{"role":"anon"}""";
        var command = new NpgsqlBatchCommand(bounds is null ? BindIdentity : BindBounds)
        {
            Parameters = { Sql.Text(userId is null ? "anon" : "authenticated"), Sql.Text(claims) },
        };
        if (bounds is not null)
        {
            command.Parameters.AddRange(bounds.Parameters());
        }

        return command;
    }

    private static string? Member(JsonElement answer, string name) =>
        answer.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
