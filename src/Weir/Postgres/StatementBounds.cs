using System.Data;
using Npgsql;

namespace Weir.Postgres;

/// <summary>What a statement may do besides what its role may.</summary>
/// <param name="Timeout">PostgreSQL ends it then, with SQLSTATE 57014.</param>
/// <param name="ReadOnly">A write is refused, with SQLSTATE 25006.</param>
internal sealed record StatementBounds(TimeSpan Timeout, bool ReadOnly)
{
    public const string Bind1And2 = "set_config('statement_timeout', $1, true), set_config('transaction_read_only', $2, true)";
    public const string Bind3And4 = "set_config('statement_timeout', $3, true), set_config('transaction_read_only', $4, true)";

    public NpgsqlParameter[] Parameters() => [Sql.Text($"{(long)Timeout.TotalMilliseconds}"), Sql.Text(ReadOnly ? "on" : "off")];
}

/// <summary>One bounded statement, whose rows are read as they come.</summary>
internal static class BoundedReads
{
    /// <summary>As the pool's own login.</summary>
    public static Task<T> ReadAsync<T>(
        this NpgsqlDataSource source, StatementBounds bounds, string sql, NpgsqlParameter[] parameters,
        Func<NpgsqlDataReader, CancellationToken, Task<T>> read, CancellationToken cancellationToken)
    {
        var bind = new NpgsqlBatchCommand("select " + StatementBounds.Bind1And2);
        bind.Parameters.AddRange(bounds.Parameters());
        return source.ReadAsync(bind, sql, parameters, read, cancellationToken);
    }

    /// <param name="bind">What is bound to the transaction first.</param>
    public static Task<T> ReadAsync<T>(
        this NpgsqlDataSource source, NpgsqlBatchCommand bind, string sql, NpgsqlParameter[] parameters,
        Func<NpgsqlDataReader, CancellationToken, Task<T>> read, CancellationToken cancellationToken) =>
        DatabaseErrors.GuardAsync(async () =>
        {
            await using var connection = await source.OpenLiveAsync(cancellationToken);
            await using var batch = new NpgsqlBatch(connection);
            var work = new NpgsqlBatchCommand(sql);
            work.Parameters.AddRange(parameters);
            batch.BatchCommands.Add(bind);
            batch.BatchCommands.Add(work);

            await using var reader = await batch.ExecuteReaderAsync(CommandBehavior.SequentialAccess, cancellationToken);
            await reader.NextResultAsync(cancellationToken);
            T answer;
            try
            {
                answer = await read(reader, cancellationToken);
            }
            catch
            {
                // Closing the reader reads what is left: the database is told to leave it.
                batch.Cancel();
                throw;
            }

            // The commit's own failure only shows at the end of the batch.
            await reader.NextResultAsync(cancellationToken);
            return answer;
        });
}
