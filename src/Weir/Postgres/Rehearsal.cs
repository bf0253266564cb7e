using Npgsql;
using Weir.Configuration;

namespace Weir.Postgres;

/// <summary>Who tries something: the role that a request becomes, and the claims that it has then.</summary>
internal sealed record Actor(string Role, string Claims)
{
    public static Actor Nobody { get; } = new("anon", """{"role":"anon"}""");

    public static Actor Person(Guid id) => new("authenticated", $$"""{"sub":"{{id}}","role":"authenticated"}""");
}

/// <summary>How something that was tried ended: with rows, or with an error.</summary>
/// <param name="Sqlstate">Null where it succeeded.</param>
/// <param name="Text">The error's message, detail and hint.</param>
/// <param name="Rows">The first column of each row.</param>
internal sealed record Attempt(string? Sqlstate, string Text, IReadOnlyList<string> Rows)
{
    public bool IsRefused => Sqlstate == PostgresErrorCodes.InsufficientPrivilege;
}

/// <summary>
/// One transaction of the owner's that always ends in a rollback, also when this process dies: what is looked at is one database, and
/// what is tried leaves nothing. A single thing that is tried is undone at once, and with it the locks that it took.
/// </summary>
internal sealed class Rehearsal : IAsyncDisposable
{
    private const string Become = "select set_config('role', $1, true), set_config('request.jwt.claims', $2, true)";
    private const string BecomeOwner = "select set_config('role', 'none', true), set_config('request.jwt.claims', '', true)";

    private readonly NpgsqlConnection _connection;
    private readonly NpgsqlTransaction _transaction;

    private Rehearsal(NpgsqlConnection connection, NpgsqlTransaction transaction) =>
        (_connection, _transaction) = (connection, transaction);

    /// <exception cref="Errors.WeirException">Unavailable: the database does not answer.</exception>
    public static Task<Rehearsal> BeginAsync(string ownerUrl, CancellationToken cancellationToken) => DatabaseErrors.GuardAsync(async () =>
    {
        var url = DatabaseUrl.Parse(ownerUrl);
        url.ApplicationName = "weir-isolation";
        url.Pooling = false;
        url.Timeout = 15;
        url.CommandTimeout = 60;
        // Others work in this database: what would wait for them gives up, and nothing here runs long.
        url.Options = $"{url.Options} -c statement_timeout=10s -c lock_timeout=2s -c search_path=pg_catalog -c jit=off".Trim();
        var connection = new NpgsqlConnection(url.ConnectionString);
        try
        {
            await connection.OpenAsync(cancellationToken);
            return new Rehearsal(connection, await connection.BeginTransactionAsync(cancellationToken));
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    });

    public async ValueTask DisposeAsync()
    {
        await _transaction.DisposeAsync();
        await _connection.DisposeAsync();
    }

    public Task<IReadOnlyList<T>> QueryAsync<T>(
        string sql, NpgsqlParameter[] parameters, Func<NpgsqlDataReader, T> map, CancellationToken cancellationToken) =>
        DatabaseErrors.GuardAsync<IReadOnlyList<T>>(async () =>
        {
            await using var command = new NpgsqlCommand(sql, _connection, _transaction);
            command.Parameters.AddRange(parameters);
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            var rows = new List<T>();
            while (await reader.ReadAsync(cancellationToken))
            {
                rows.Add(map(reader));
            }

            return rows;
        });

    /// <summary>Statements without parameters, as the owner. Their effects stay until the end of the rehearsal.</summary>
    public Task ExecuteAsync(string sql, CancellationToken cancellationToken) => DatabaseErrors.GuardAsync(async () =>
    {
        await using var command = new NpgsqlCommand(sql, _connection, _transaction);
        return await command.ExecuteNonQueryAsync(cancellationToken);
    });

    /// <summary>One statement as somebody. Its effects stay until the end of the rehearsal.</summary>
    /// <exception cref="Errors.WeirException">It failed; then the rehearsal is over.</exception>
    public Task<IReadOnlyList<string>> ActAsync(
        Actor actor, string sql, NpgsqlParameter[] parameters, CancellationToken cancellationToken) =>
        DatabaseErrors.GuardAsync(async () =>
        {
            var rows = await RunAsync(actor, [], sql, parameters, cancellationToken);
            await ExecuteAsync(BecomeOwner, cancellationToken);
            return rows;
        });

    /// <summary>One statement as somebody, undone at once, whatever came of it.</summary>
    /// <param name="afterwards">Is run before it is undone, where it succeeded.</param>
    /// <exception cref="Errors.WeirException">Unavailable: it took too long, or waited for somebody else.</exception>
    public Task<Attempt> TryAsync(
        Actor actor, string sql, NpgsqlParameter[] parameters, CancellationToken cancellationToken, Func<Task>? afterwards = null) =>
        DatabaseErrors.GuardAsync(async () =>
        {
            Attempt attempt;
            try
            {
                attempt = new Attempt(null, "", await RunAsync(actor, ["savepoint attempt"], sql, parameters, cancellationToken));
            }
            catch (PostgresException e) when (!DatabaseErrors.MeansUnavailable(e.SqlState))
            {
                attempt =
                    new Attempt(
                        e.SqlState, string.Join(' ', new[] { e.MessageText, e.Detail, e.Hint }.Where(text => text is not null)), []);
            }

            if (attempt.Sqlstate is null && afterwards is not null)
            {
                await afterwards();
            }

            await ExecuteAsync("rollback to savepoint attempt; release savepoint attempt", cancellationToken);
            return attempt;
        });

    // In one round trip, as a request does it.
    private async Task<IReadOnlyList<string>> RunAsync(
        Actor actor, string[] before, string sql, NpgsqlParameter[] parameters, CancellationToken cancellationToken)
    {
        await using var batch = new NpgsqlBatch(_connection, _transaction);
        foreach (var statement in before)
        {
            batch.BatchCommands.Add(new NpgsqlBatchCommand(statement));
        }

        batch.BatchCommands.Add(new NpgsqlBatchCommand(Become) { Parameters = { Sql.Text(actor.Role), Sql.Text(actor.Claims) } });
        var work = new NpgsqlBatchCommand(sql);
        work.Parameters.AddRange(parameters);
        batch.BatchCommands.Add(work);

        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        await reader.NextResultAsync(cancellationToken);
        var rows = new List<string>();
        while (await reader.ReadAsync(cancellationToken))
        {
            rows.Add(reader.GetNullableString(0) ?? "");
        }

        await reader.NextResultAsync(cancellationToken);
        return rows;
    }
}
