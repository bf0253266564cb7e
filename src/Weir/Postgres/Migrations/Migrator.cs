using Npgsql;
using Weir.Configuration;

namespace Weir.Postgres.Migrations;

/// <summary>What a migration did.</summary>
internal sealed record MigrationReport(IReadOnlyList<string> Applied, int Total, IReadOnlyList<string> Logins);

/// <summary>
/// Brings a database to this release, as its owner. Its steps:
/// <list type="number">
/// <item>take the lock of this database, so that replicas that start together migrate one after the other;</item>
/// <item>refuse a script that was changed or lost since it was applied, and a newer release's database;</item>
/// <item>refuse, before the first statement that changes anything, tables of our names that are not ours;</item>
/// <item>make the journal; run what is missing, each script in its transaction;</item>
/// <item>make the log's partitions ahead;</item>
/// <item>give the two logins their password verifiers.</item>
/// </list>
/// </summary>
internal sealed class Migrator(string ownerUrl, IReadOnlyList<MigrationScript> scripts)
{
    // "weir" in ASCII. Advisory locks belong to one database, so the number needs no more in it.
    internal const long LockKey = 0x77656972;
    private const int LockWaitSeconds = 120;

    /// <exception cref="MigrationException">With what to do about it.</exception>
    public async Task<MigrationReport> MigrateAsync(string? gatewayUrl, string? engineUrl, CancellationToken cancellationToken)
    {
        await using var owner = Source();
        try
        {
            await using var connection = await owner.OpenConnectionAsync(cancellationToken);
            await LockAsync(connection, cancellationToken); // 1

            var journal = new MigrationJournal(connection);
            var done = await journal.ReadAsync(cancellationToken);
            RefuseChanged(done); // 2
            var pending = scripts.Where(s => !done.ContainsKey(s.Name)).ToArray();
            await RefuseForeignTablesAsync(connection, pending, cancellationToken); // 3
            var applied = await ApplyAsync(owner, journal, pending, done.Keys.ToArray(), cancellationToken); // 4
            await EnsurePartitionsAsync(connection, cancellationToken); // 5
            var logins = await LoginRoles.EnsureAsync(connection, gatewayUrl, engineUrl, cancellationToken); // 6
            return new MigrationReport(applied, scripts.Count, logins);
        }
        catch (PostgresException e)
        {
            throw new MigrationException($"The database refused: {e.MessageText} ({e.SqlState}).", e);
        }
        catch (NpgsqlException e)
        {
            throw new MigrationException($"The database does not answer as its owner: {e.Message}", e);
        }
    }

    private NpgsqlDataSource Source()
    {
        var connection = DatabaseUrl.Parse(ownerUrl);
        connection.ApplicationName = "weir-migrate";
        connection.Pooling = false;
        connection.Timeout = 15;
        connection.CommandTimeout = LockWaitSeconds;
        // A limit that the owner's role carries is for its requests, not for this work.
        connection.Options = $"{connection.Options} -c statement_timeout=0 -c lock_timeout=60s".Trim();
        return new NpgsqlDataSourceBuilder(connection.ConnectionString) { Name = "weir-owner" }.Build();
    }

    // The lock is the session's, on a connection of its own; DbUp works on another. Closing ours gives it back, however we end.
    private static async Task LockAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("set lock_timeout = 0; select pg_advisory_lock(" + LockKey + ")", connection);
        try
        {
            await command.ExecuteNonQueryAsync(cancellationToken);
        }
        catch (NpgsqlException e) when (e.InnerException is TimeoutException)
        {
            throw new MigrationException(
                $"Another migration of this database has run for {LockWaitSeconds} seconds. Wait for its end, then migrate again.", e);
        }
    }

    private void RefuseChanged(IReadOnlyDictionary<string, byte[]> done)
    {
        foreach (var (name, checksum) in done)
        {
            if (scripts.FirstOrDefault(s => s.Name == name) is not { } script)
            {
                throw new MigrationException($"The database has the migration {name}, which this release does not have: "
                    + "it was migrated by a newer one. Run that one.");
            }

            if (!script.Checksum.AsSpan().SequenceEqual(checksum))
            {
                throw new MigrationException($"The migration {name} is not what was applied to this database. "
                    + "Migrations are never changed: put the file back, and write a new one.");
            }
        }
    }

    internal static async Task RefuseForeignTablesAsync(
        NpgsqlConnection connection, MigrationScript[] pending, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("""
            select coalesce(string_agg(format('%s.%s', n.nspname, c.relname), ', ' order by n.nspname, c.relname), '')
            from pg_catalog.pg_class c
            join pg_catalog.pg_namespace n on n.oid = c.relnamespace
            where format('%s.%s', n.nspname, c.relname) = any ($1)
            """, connection) { Parameters = { Sql.Array(NpgsqlTypes.NpgsqlDbType.Text, pending.SelectMany(s => s.Tables).ToArray()) } };
        if ((string?)await command.ExecuteScalarAsync(cancellationToken) is { Length: > 0 } found)
        {
            throw new MigrationException($"This database has tables of Weir's names that are not Weir's: {found}. "
                + "Nothing was changed. Rename them, or give Weir another database.");
        }
    }

    private static async Task<IReadOnlyList<string>> ApplyAsync(
        NpgsqlDataSource owner, MigrationJournal journal, MigrationScript[] pending, string[] done, CancellationToken cancellationToken)
    {
        if (pending.Length == 0)
        {
            return [];
        }

        await journal.EnsureAsync(cancellationToken);
        var result = await Task.Run(() => MigrationExecution.Run(owner, pending, done), cancellationToken);
        return result.Successful
            ? result.Scripts.Select(s => s.Name).ToArray()
            : throw new MigrationException(Explain(result.ErrorScript?.Name, result.Error), result.Error);
    }

    private static string Explain(string? script, Exception error)
    {
        if (error is not PostgresException e)
        {
            return $"The migration {script} failed: {error.Message}";
        }

        var line = e is { InternalQuery: { } text, InternalPosition: > 0 }
            ? $" in line {text.Take(e.InternalPosition).Count(c => c == '\n') + 1}" : "";
        return $"The migration {script} failed{line}: {e.MessageText} ({e.SqlState}). It was rolled back; those before it stay.";
    }

    private static async Task EnsurePartitionsAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var probe = new NpgsqlCommand("select to_regprocedure('weir.ensure_log_partitions()') is not null", connection);
        if (await probe.ExecuteScalarAsync(cancellationToken) is true)
        {
            await using var command = new NpgsqlCommand("select weir.ensure_log_partitions()", connection);
            await command.ExecuteNonQueryAsync(cancellationToken);
        }
    }
}
