using Npgsql;
using Weir.Errors;
using Weir.Postgres.Migrations;

namespace Weir.Postgres.Backups;

/// <summary>
/// The database that a backup goes into, in the one transaction of the restore. While rows are loaded, their triggers are off and row-level
/// security is not forced upon the owner; both are as before when it commits, and nobody else can look before.
/// </summary>
internal sealed class RestoreTarget(OwnerSession session, BackupTable[] tables)
{
    private const string Tables = "select name, columns, refers_to from weir.backup_tables()";

    /// <summary>What a migration writes itself: the backup's rows take its place.</summary>
    private static readonly string[] FilledByMigrations =
    [
        "weir.installation", "weir.instance_moves", "weir.failure_codes", "weir.settings", "weir.usage_progress", "weir.change_versions",
    ];

    public static async Task<RestoreTarget> OfAsync(
        OwnerSession session, CancellationToken ct) => new(session, [.. await session.QueryAsync(
        Tables, r => new BackupTable(r.GetString(0), r.GetFieldValue<string[]>(1), r.GetFieldValue<string[]>(2), 0), ct)]);

    /// <summary>Takes each table for this transaction alone: what is refused is refused before.</summary>
    public Task OpenAsync(CancellationToken ct) => AlterAsync("no force row level security", ct);

    public Task CloseAsync(CancellationToken ct) => AlterAsync("force row level security", ct);

    /// <summary>Looks as weir_backup does, and so keeps nobody from anything.</summary>
    public async Task RefuseUsedAsync(CancellationToken ct)
    {
        await session.BecomeBackupAsync(ct);
        var used = new List<string>();
        foreach (var table in tables.Where(t => !FilledByMigrations.Contains(t.Name, StringComparer.Ordinal)))
        {
            if (await session.ScalarAsync<bool>($"select exists (select from {table.Name})", ct))
            {
                used.Add(table.Name);
            }
        }

        await session.ExecuteAsync("reset role", ct);

        if (used.Count > 0)
        {
            throw new WeirException(
                ErrorCode.Conflict, $"The database is not empty: it has rows in {string.Join(", ", used)}. {session.Where}.",
                "A backup is restored into an empty database, or one that was only migrated. Make another one.");
        }
    }

    /// <exception cref="WeirException">The backup has not exactly the tables of this schema, with their columns.</exception>
    public void RequireSame(BackupTable[] wanted)
    {
        var columns = wanted.ToLookup(t => t.Name, t => string.Join(", ", t.Columns), StringComparer.Ordinal);
        var ours = tables.ToLookup(t => t.Name, t => string.Join(", ", t.Columns), StringComparer.Ordinal);
        var other = columns.Concat(ours).Select(t => t.Key)
            .FirstOrDefault(name => !columns[name].SequenceEqual(ours[name], StringComparer.Ordinal));
        if (other is not null)
        {
            throw new WeirException(
                ErrorCode.Conflict, $"The table {other} is not what it was in the backup, or is there only or twice.",
                "Restore into an empty database.");
        }
    }

    public async Task PrepareAsync(BackupManifest manifest, CancellationToken ct)
    {
        await AlterAsync("disable trigger user", ct);
        foreach (var table in BackupTable.InOrder(tables).Reverse())
        {
            await session.ExecuteAsync($"delete from {table.Name}", ct);
        }

        foreach (var month in manifest.Facts.Log.Months)
        {
            await session.ExecuteAsync("select weir.make_log_partition($1::date)", ct, Sql.Text(month));
        }
    }

    public Task FinishAsync(CancellationToken ct) => AlterAsync("enable trigger user", ct);

    private async Task AlterAsync(string what, CancellationToken ct)
    {
        foreach (var table in tables)
        {
            await session.ExecuteAsync($"alter table {table.Name} {what}", ct);
        }
    }
}
