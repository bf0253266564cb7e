using Npgsql;
using Weir.Postgres;

namespace Weir.Tests.Infrastructure;

/// <summary>A transaction that a test holds open, to see what others do meanwhile. Rolled back unless it is committed.</summary>
internal sealed class HeldTransaction : IAsyncDisposable
{
    private readonly NpgsqlConnection _connection;
    private readonly NpgsqlTransaction _transaction;

    private HeldTransaction(NpgsqlConnection connection, NpgsqlTransaction transaction) =>
        (_connection, _transaction) = (connection, transaction);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <param name="source">Whose login it uses; the gateway's for a person.</param>
    /// <param name="person">Who it is, from here to its end.</param>
    public static async Task<HeldTransaction> BeginAsync(NpgsqlDataSource source, Guid? person = null)
    {
        var connection = await source.OpenConnectionAsync(Token);
        var held = new HeldTransaction(connection, await connection.BeginTransactionAsync(Token));
        if (person is { } id)
        {
            await held.RunAsync("select set_config('role', 'authenticated', true), set_config('request.jwt.claims', $1, true)",
                Sql.Text($$"""{"sub":"{{id}}","role":"authenticated"}"""));
        }

        return held;
    }

    /// <summary>The first value of the answer, as text; null where there is none.</summary>
    public async Task<string?> RunAsync(string sql, params NpgsqlParameter[] parameters)
    {
        await using var command = new NpgsqlCommand(sql, _connection);
        command.Parameters.AddRange(parameters);
        return (await command.ExecuteScalarAsync(Token))?.ToString();
    }

    /// <summary>Returns once what runs here waits for a lock that the other holds.</summary>
    public Task WaitsForAsync(HeldTransaction other, NpgsqlDataSource superuser) => Until.AsyncTrue(
        () =>
            superuser.ScalarAsync<bool>("select $2 = any(pg_blocking_pids($1))",
                [Sql.Integer(_connection.ProcessID), Sql.Integer(other._connection.ProcessID)], Token),
        "one transaction waits for the other");

    public Task CommitAsync() => _transaction.CommitAsync(Token);

    public async ValueTask DisposeAsync()
    {
        await _transaction.DisposeAsync();
        await _connection.DisposeAsync();
    }
}
