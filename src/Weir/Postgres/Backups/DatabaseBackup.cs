using System.Data;
using System.Reflection;
using System.Text.Json;
using Npgsql;
using Weir.Errors;
using Weir.Postgres.Migrations;

namespace Weir.Postgres.Backups;

/// <summary>
/// Writes all of Weir's rows into one file, while everybody works on. Its steps:
/// <list type="number">
/// <item>a file of a temporary name beside the wanted one, for its owner only; a file that exists is not overwritten;</item>
/// <item>one snapshot of the database, read as weir_backup; refused where a table hides rows from that role or is not known to it;</item>
/// <item>the manifest: schema, counts, epoch, the keyring's fingerprint, the last rows of the audit log;</item>
/// <item>the rows of each table, counted once more;</item>
/// <item>the file on disk, read again to its end, and only then given its name.</item>
/// </list>
/// Never the keyring: docs/decisions/0120.
/// </summary>
internal sealed class DatabaseBackup(string ownerUrl, string path, Action<string> say, TimeProvider time)
{
    private const string Tables = "select name, columns, refers_to, is_readable from weir.backup_tables()";
    private const string Facts = "select weir.backup_facts()";

    /// <summary>Of this Weir.</summary>
    public static string Version { get; } = typeof(DatabaseBackup).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?
        .InformationalVersion.Split('+')[0] ?? "0";

    private readonly Progress _progress = new(say, time);

    /// <exception cref="WeirException">It is not done, and no file is left. It says what to do.</exception>
    /// <exception cref="IOException">The same, of the file.</exception>
    public async Task<BackupManifest> RunAsync(CancellationToken ct)
    {
        if (File.Exists(path) || Directory.Exists(path))
        {
            throw new WeirException(ErrorCode.Conflict, $"{path} exists already, and a backup overwrites nothing.", "Name another file.");
        }

        var unfinished = $"{path}.unfinished-{Path.GetRandomFileName()}"; // 1
        var isMade = false;
        try
        {
            var options = new FileStreamOptions
            {
                Mode = FileMode.CreateNew, Access = FileAccess.Write, Options = FileOptions.Asynchronous,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            };
            await using (var file = new FileStream(unfinished, options))
            {
                isMade = true;
                await WriteAsync(file, ct);
                file.Flush(flushToDisk: true); // fsync
            }

            _progress.Say("reading it once more");
            var manifest = await BackupReader.VerifyAsync(unfinished, ct); // 5
            File.Move(unfinished, path, overwrite: false);
            return manifest;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"The backup {path} was not written: {e.Message}", e);
        }
        finally
        {
            if (isMade) // where it has its name by now, nothing is deleted
            {
                File.Delete(unfinished);
            }
        }
    }

    private async Task WriteAsync(FileStream file, CancellationToken ct)
    {
        await using var session = await OwnerSession.OpenAsync(ownerUrl, "WEIR_OWNER_DATABASE_URL", ct);
        try
        {
            await session.HoldMigrationsAsync(alone: false, ct);
            await using var transaction = await session.Connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, ct); // 2
            await session.BecomeBackupAsync(ct);
            var manifest = await ManifestAsync(session, ct); // 3
            await using var writer = new BackupWriter(file);
            await writer.AddAsync(
                BackupArchive.Manifest, JsonSerializer.SerializeToUtf8Bytes(manifest, BackupJson.Default.BackupManifest), ct);
            for (var i = 0; i < manifest.Tables.Length; i++)
            {
                await CopyAsync(session, writer, manifest.Tables[i], i + 1, manifest.Tables.Length, ct); // 4
            }

            await writer.EndAsync(ct);
            _progress.Say($"{manifest.Tables.Length} tables: {_progress.Done}");
        }
        catch (NpgsqlException e)
        {
            throw new WeirException(
                ErrorCode.Unavailable, $"The database ended the backup: {Explain(e)} {session.Where}.", "Mend that, and back up again.", e);
        }
    }

    internal static string Explain(NpgsqlException e) => e is PostgresException p ? $"{p.MessageText} ({p.SqlState})." : e.Message;

    private static async Task<BackupManifest> ManifestAsync(OwnerSession session, CancellationToken ct)
    {
        var migrations = await session.JournalAsync(ct);
        if (!await session.ScalarAsync<bool>("select to_regprocedure('weir.backup_facts()') is not null", ct))
        {
            throw new WeirException(
                ErrorCode.Conflict, $"The database is not of this release: {session.Where}.", "Run weir migrate, then back up.");
        }

        var tables = await TablesAsync(session, migrations, ct);
        await session.ExecuteAsync($"lock table {string.Join(", ", tables.Select(t => t.Name))} in access share mode", ct);
        for (var i = 0; i < tables.Length; i++)
        {
            tables[i] = tables[i] with { Rows = await session.ScalarAsync<long>($"select count(*) from {tables[i].Name}", ct) };
        }

        return new BackupManifest(
            BackupManifest.CurrentFormat, Version,
            await session.ScalarAsync<int>("select current_setting('server_version_num')::integer", ct),
            migrations.Select(m => new BackupMigration(m.Key, Convert.ToHexStringLower(m.Value))).ToArray(), tables,
            JsonSerializer.Deserialize(await session.ScalarAsync<string>(Facts, ct), BackupJson.Default.BackupFacts)!);
    }

    private static async Task<BackupTable[]> TablesAsync(
        OwnerSession session, IReadOnlyDictionary<string, byte[]> done, CancellationToken ct)
    {
        var scripts = MigrationScript.Embedded();
        if (done.Keys.FirstOrDefault(name => scripts.All(s => s.Name != name)) is { } unknown)
        {
            throw new WeirException(ErrorCode.Conflict, $"The database has the migration {unknown}, which this release does not have.",
                "Back up with the release that migrated it.");
        }

        var found = await session.QueryAsync(
            Tables,
            r =>
                (Table: new BackupTable(r.GetString(0), r.GetFieldValue<string[]>(1), r.GetFieldValue<string[]>(2), 0),
                IsReadable: r.GetBoolean(3)), ct);
        var hidden = found.Where(t => !t.IsReadable).Select(t => t.Table.Name)
            .Concat(
            scripts.Where(s => done.ContainsKey(s.Name)).SelectMany(s => s.Tables)
                .Except(found.Select(t => t.Table.Name), StringComparer.Ordinal))
            .ToArray();
        return hidden.Length == 0
            ? [.. BackupTable.InOrder(found.Select(t => t.Table).ToArray())]
            : throw new WeirException(
                ErrorCode.Internal, $"A backup would not be whole: weir_backup does not read all of {string.Join(", ", hidden)}.",
                $"Give it back what it had: grant select on {hidden[0]} to weir_backup; and one policy for it, "
                    + "everything_is_read_by_the_backup, for select to weir_backup using (true).");
    }

    private async Task CopyAsync(OwnerSession session, BackupWriter writer, BackupTable table, int number, int tables, CancellationToken ct)
    {
        using var copy = await session.Connection.BeginTextExportAsync(
            $"copy (select {string.Join(", ", table.Columns)} from {table.Name}) to stdout", ct);
        var rows = 0L;
        var part = 0;
        await foreach (var lines in PartsAsync(((StreamReader)copy).BaseStream, ct))
        {
            await writer.AddPartAsync(table.Name, ++part, lines, ct);
            var count = BackupReader.Lines(lines.Span);
            rows += count;
            _progress.Count(number, tables, table.Name, count, lines.Length);
        }

        if (rows != table.Rows)
        {
            throw new WeirException(
                ErrorCode.Internal, $"Of {table.Name} {rows} rows were copied, and the same snapshot has {table.Rows}.", "Report this.");
        }
    }

    /// <summary>Whole rows, as many as fit into a part; a longer row is a part by itself.</summary>
    private static async IAsyncEnumerable<ReadOnlyMemory<byte>> PartsAsync(
        Stream rows, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken ct)
    {
        var buffer = new byte[BackupArchive.LongestPart];
        var filled = 0;
        while (await rows.ReadAsync(buffer.AsMemory(filled), ct) is > 0 and var read)
        {
            filled += read;
            if (filled < buffer.Length)
            {
                continue;
            }

            var end = buffer.AsSpan().LastIndexOf((byte)'\n') + 1;
            if (end == 0)
            {
                Array.Resize(ref buffer, buffer.Length * 2);
                continue;
            }

            yield return buffer.AsMemory(0, end);
            var rest = buffer.AsSpan(end, filled - end);
            var next = new byte[Math.Max(BackupArchive.LongestPart, rest.Length * 2)];
            rest.CopyTo(next);
            (buffer, filled) = (next, rest.Length);
        }

        if (filled > 0)
        {
            yield return buffer.AsMemory(0, filled);
        }
    }
}
