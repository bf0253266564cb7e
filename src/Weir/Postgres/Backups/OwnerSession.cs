using System.Net.Sockets;
using Npgsql;
using Weir.Configuration;
using Weir.Errors;
using Weir.Postgres.Migrations;

namespace Weir.Postgres.Backups;

/// <summary>
/// One connection of the owner's for a backup or a restore, without limits of time, and in forms that mean the same everywhere.
/// </summary>
internal sealed class OwnerSession : IAsyncDisposable
{
    private OwnerSession(NpgsqlConnection connection, string where) => (Connection, Where) = (connection, where);

    public NpgsqlConnection Connection { get; }

    /// <summary>Who connects whereto, without the password.</summary>
    public string Where { get; }

    public static async Task<OwnerSession> OpenAsync(string url, string setting, CancellationToken ct)
    {
        var builder = DatabaseUrl.Parse(url);
        (builder.Pooling, builder.Timeout, builder.CommandTimeout, builder.ApplicationName) = (false, 15, 0, "weir-backup");
        builder.Options =
            $"{builder.Options} -c statement_timeout=0 -c lock_timeout=20s -c idle_in_transaction_session_timeout=0 -c datestyle=ISO"
            + " -c intervalstyle=postgres -c timezone=UTC -c extra_float_digits=3 -c bytea_output=hex -c jit=off";
        // Of several hosts each has its port beside it.
        var host = builder.Host!.Contains(':', StringComparison.Ordinal) ? builder.Host : $"{builder.Host}:{builder.Port}";
        var where = $"{builder.Username} at {host}, database {builder.Database} ({setting})";
        var connection = new NpgsqlConnection(builder.ConnectionString);
        try
        {
            await connection.OpenAsync(ct);
            return new OwnerSession(connection, where);
        }
        catch (Exception e) when (e is NpgsqlException or SocketException or TimeoutException)
        {
            await connection.DisposeAsync();
            throw new WeirException(
                ErrorCode.Unavailable, $"{where} does not answer: {e.Message.Split('\n')[0]}.", "weir doctor says more.", e);
        }
    }

    public ValueTask DisposeAsync() => Connection.DisposeAsync();

    public async Task ExecuteAsync(string sql, CancellationToken ct, params NpgsqlParameter[] parameters)
    {
        await using var command = Command(sql, parameters);
        await command.ExecuteNonQueryAsync(ct);
    }

    public async Task<T> ScalarAsync<T>(string sql, CancellationToken ct, params NpgsqlParameter[] parameters)
    {
        await using var command = Command(sql, parameters);
        return await command.ExecuteScalarAsync(ct) is T value ? value : default!;
    }

    public async Task<IReadOnlyList<T>> QueryAsync<T>(string sql, Func<NpgsqlDataReader, T> map, CancellationToken ct)
    {
        await using var command = Command(sql, []);
        await using var reader = await command.ExecuteReaderAsync(ct);
        var rows = new List<T>();
        while (await reader.ReadAsync(ct))
        {
            rows.Add(map(reader));
        }

        return rows;
    }

    /// <summary>Name and checksum of each migration that the database has had.</summary>
    public Task<IReadOnlyDictionary<string, byte[]>> JournalAsync(CancellationToken ct) => new MigrationJournal(Connection).ReadAsync(ct);

    /// <summary>
    /// No migration begins or goes on while this session is open, and where it is to be the only one, no other backup either.
    /// </summary>
    public async Task HoldMigrationsAsync(bool alone, CancellationToken ct)
    {
        if (!await ScalarAsync<bool>($"select pg_try_advisory_lock{(alone ? "" : "_shared")}({Migrator.LockKey})", ct))
        {
            throw new WeirException(
                ErrorCode.Conflict, $"A migration, a backup or a restore of this database is running: {Where}.", "Wait for its end.");
        }
    }

    /// <summary>For the rest of the transaction the session reads as weir_backup, from which row-level security hides nothing.</summary>
    public async Task BecomeBackupAsync(CancellationToken ct)
    {
        try
        {
            await ExecuteAsync("set local role weir_backup", ct);
        }
        catch (PostgresException e)
        {
            throw e.SqlState == PostgresErrorCodes.InvalidParameterValue
                ? new WeirException(ErrorCode.Conflict, $"There is no role weir_backup: the database is not of this release. {Where}.",
                    "Run weir migrate, then back up.", e)
                : new WeirException(
                    ErrorCode.Forbidden, $"This login may not read as weir_backup, so a backup would not be whole: {Where}.",
                    "Use the URL of the database's owner, the one that weir migrate uses.", e);
        }
    }

    private NpgsqlCommand Command(string sql, NpgsqlParameter[] parameters)
    {
        var command = new NpgsqlCommand(sql, Connection);
        command.Parameters.AddRange(parameters);
        return command;
    }
}
