using System.Text.Json;
using Npgsql;
using Weir.Configuration;
using Weir.Errors;
using Weir.Postgres.Migrations;

namespace Weir.Postgres.Backups;

/// <summary>What a restore is told beside the file.</summary>
/// <param name="KeyringPath">Where the keyring should be.</param>
/// <param name="KeyringFingerprint">Of the keyring there; null where there is none.</param>
/// <param name="WithoutKeyring">Go on although that keyring is not the one that the rows were written with.</param>
/// <param name="Newer">The URL of the database as it was last, for comparing who may do what; null: it cannot be read.</param>
/// <param name="RevokeAgain">Take away what the newer database does not give.</param>
internal sealed record RestoreOptions(string KeyringPath, byte[]? KeyringFingerprint, bool WithoutKeyring, string? Newer, bool RevokeAgain);

/// <summary>What a restore did, and what it brought back.</summary>
/// <param name="At">The time that the database is of again; null where it was not Weir that put it back.</param>
/// <param name="BroughtBack">Null where no newer database was compared.</param>
/// <param name="Migrations">Those that the backup did not have, and that follow.</param>
internal sealed record RestoreReport(
    DateTimeOffset? At, int Epoch, long Rows, IReadOnlyDictionary<string, long> Authorities, IReadOnlyList<BroughtBack>? BroughtBack,
    bool KeyringIsLost, IReadOnlyList<string> Migrations);

/// <summary>
/// Loads a backup into an empty database. Its steps:
/// <list type="number">
/// <item>read the file to its end; refuse one that is cut or changed, of a schema that this release does not know, or of another
/// keyring;</item>
/// <item>take the migrations' lock; refuse a database that is used, or of another schema than the backup's;</item>
/// <item>in one transaction: the migrations of the backup where there are none, its rows, and the comparison with its manifest;</item>
/// <item>in the same one: what was revoked since, a new epoch, and the walls again;</item>
/// <item>after its commit, the report; then the migrations that the backup did not have, and the logins.</item>
/// </list>
/// </summary>
/// <param name="report">Called as soon as what was done is committed, whatever fails afterwards.</param>
internal sealed class DatabaseRestore(
    DatabaseConfig config, IReadOnlyList<MigrationScript> release, RestoreOptions options, Action<string> say, Action<RestoreReport> report,
    TimeProvider time)
{
    private const string LatelyServing = "select coalesce(string_agg(internal_url, ', '), '') from weir.live_replicas()";

    private readonly Progress _progress = new(say, time);
    private bool _isCommitting;

    /// <exception cref="WeirException">It says whether nothing was restored, or what failed after the commit; why, and what to
    /// do.</exception>
    public Task<RestoreReport> RunAsync(string path, CancellationToken ct) => GuardAsync(async session =>
    {
        _progress.Say($"reading {path}");
        var manifest = await BackupReader.VerifyAsync(path, ct); // 1
        var scripts = KnownScripts(manifest);
        var lost = KeyringIsLost(manifest.Facts.Keyring, manifest.Facts.Authorities.GetValueOrDefault("node"));
        await session.HoldMigrationsAsync(alone: true, ct); // 2
        await using var transaction = await session.Connection.BeginTransactionAsync(ct); // 3
        await BeginSchemaAsync(session, scripts, ct);
        var target = await RestoreTarget.OfAsync(session, ct);
        await target.RefuseUsedAsync(ct);
        target.RequireSame(manifest.Tables);
        await target.OpenAsync(ct);
        await target.RefuseUsedAsync(ct); // by now nobody else writes
        await RefuseOtherUsersAsync(session, manifest, ct);
        await LoadAsync(session, target, path, manifest, ct);
        var done = await BeginEpochAsync(session, $"restored from a backup of {manifest.Facts.At:u}", lost, ct); // 4
        await target.CloseAsync(ct);
        done =
            done with { At = manifest.Facts.At, Rows = manifest.Rows, Migrations = [.. release.Skip(scripts.Length).Select(s => s.Name)] };
        await CommitAsync(transaction, done, ct);
        await session.Connection.CloseAsync();
        await AfterCommitAsync( // 5
            done, "Applying the migrations that the backup did not have, or making the logins,",
            () => new Migrator(config.RequireOwnerUrl(), release).MigrateAsync(config.Url, config.EngineUrl, ct));
        return done;
    }, ct);

    /// <summary>A step that is to be repeated by itself where it fails: the rows are there.</summary>
    /// <exception cref="WeirException">It failed, and says that.</exception>
    public static async Task AfterCommitAsync(RestoreReport done, string what, Func<Task> step)
    {
        try
        {
            await step();
        }
        catch (Exception e) when (e is WeirException or MigrationException or NpgsqlException or IOException or FormatException
            or OperationCanceledException)
        {
            throw new WeirException(
                ErrorCode.Conflict, $"The rows are restored and committed (epoch {done.Epoch}). {what} failed: {e.Message.Split('\n')[0]}",
                "Mend that and run weir migrate; do not restore again.", e);
        }
    }

    /// <summary>For a database that something else has put back to an earlier time: a replica's promotion, a provider's backup.</summary>
    /// <exception cref="WeirException">Nothing was changed. It says why, and what to do.</exception>
    public Task<RestoreReport> AlreadyRestoredAsync(CancellationToken ct) => GuardAsync(async session =>
    {
        await session.HoldMigrationsAsync(alone: true, ct);
        await using var transaction = await session.Connection.BeginTransactionAsync(ct);
        await RefuseOtherSchemaAsync(session, release, ct);
        if (await session.ScalarAsync<string>(LatelyServing, ct) is { Length: > 0 } serving)
        {
            throw new WeirException(ErrorCode.Conflict, $"A replica serves this database, or did within 30 s: {serving}. {session.Where}.",
                "Stop all replicas, wait for 30 s, then say it again.");
        }

        var target = await RestoreTarget.OfAsync(session, ct);
        await target.OpenAsync(ct);
        var facts = JsonSerializer.Deserialize(
            await session.ScalarAsync<string>("select weir.backup_facts()", ct), BackupJson.Default.BackupFacts)!;
        var lost = KeyringIsLost(facts.Keyring, facts.Authorities.GetValueOrDefault("node"));
        var done = await BeginEpochAsync(session, "the database was put back to an earlier time", lost, ct);
        await target.CloseAsync(ct);
        await CommitAsync(transaction, done, ct);
        return done;
    }, ct);

    private async Task CommitAsync(NpgsqlTransaction transaction, RestoreReport done, CancellationToken ct)
    {
        _isCommitting = true;
        await transaction.CommitAsync(ct);
        _isCommitting = false;
        report(done);
    }

    private async Task<RestoreReport> GuardAsync(Func<OwnerSession, Task<RestoreReport>> work, CancellationToken ct)
    {
        await using var session = await OwnerSession.OpenAsync(config.RequireOwnerUrl(), "WEIR_OWNER_DATABASE_URL", ct);
        try
        {
            return await work(session);
        }
        catch (Exception e) when (_isCommitting && e is not PostgresException)
        {
            throw new WeirException(
                ErrorCode.Unavailable,
                $"The database did not answer to the commit, so it may have been restored: {e.Message} {session.Where}.",
                "Say the same again: where it was restored, it answers that the database is not empty. Then run weir migrate.", e);
        }
        catch (PostgresException e)
        {
            throw new WeirException(
                ErrorCode.Conflict,
                $"The database refused, and nothing was restored: {DatabaseBackup.Explain(e)} {e.Detail} {session.Where}.", Hint(e), e);
        }
        catch (NpgsqlException e)
        {
            throw new WeirException(
                ErrorCode.Unavailable, $"The database ended the restore, and nothing was restored: {e.Message} {session.Where}.", null, e);
        }
    }

    private static string Hint(PostgresException e) => e.SqlState switch
    {
        PostgresErrorCodes.ForeignKeyViolation when e.Detail?.Contains("\"users\"", StringComparison.Ordinal) == true =>
            "The people of this backup are another system's: restore its users first, then Weir.",
        PostgresErrorCodes.LockNotAvailable => "Somebody uses the database: stop all replicas.",
        PostgresErrorCodes.InsufficientPrivilege => "Use the URL of the database's owner, the one that weir migrate uses.",
        _ => "Mend that, then restore again.",
    };

    private MigrationScript[] KnownScripts(BackupManifest manifest)
    {
        var scripts = release.Take(manifest.Migrations.Length).ToArray();
        if (manifest.Migrations.FirstOrDefault(m => release.All(s => s.Name != m.Name)) is { } newer)
        {
            throw new WeirException(ErrorCode.Conflict,
                $"The backup is of a newer schema: it has the migration {newer.Name}, which this release ({DatabaseBackup.Version}) does "
                    + "not have.",
                $"Restore with Weir {manifest.Version} or newer, which wrote it.");
        }

        return manifest.Migrations.Zip(scripts)
            .FirstOrDefault(
            p => p.First.Name != p.Second.Name || p.First.Checksum != Convert.ToHexStringLower(p.Second.Checksum)) is { First: { } other }
            ? throw new WeirException(
                ErrorCode.Conflict, $"The backup's migration {other.Name} is not the one of this release ({DatabaseBackup.Version}).",
                $"Restore with Weir {manifest.Version}, which wrote it, then upgrade.")
            : scripts;
    }

    private bool KeyringIsLost(string? fingerprint, long nodes)
    {
        if (fingerprint is null || (options.KeyringFingerprint is { } own && Convert.ToHexStringLower(own) == fingerprint))
        {
            return false;
        }

        var (what, hint) = (options.KeyringFingerprint is null
            ? $"There is no keyring at {options.KeyringPath} (keyringFile)"
            : $"The keyring at {options.KeyringPath} (keyringFile) is not the one that the rows were written with",
            "Put the keyring that was kept with the backup there, or say --without-keyring to go on without it.");
        return options.WithoutKeyring
            ? true
            : throw new WeirException(ErrorCode.Conflict,
                $"{what} (fingerprint {fingerprint[..16]}…). Without it the keys of {nodes} nodes do not open: each must be registered "
                    + "again. All sign-ins, "
                + "people's tokens and the anon key of the embedded issuer end. Agents' and organizations' keys and passwords are good "
                + "without it.", hint);
    }

    private static async Task BeginSchemaAsync(OwnerSession session, MigrationScript[] scripts, CancellationToken ct)
    {
        var done = await session.JournalAsync(ct);
        if (done.Count > 0)
        {
            await RefuseOtherSchemaAsync(session, scripts, ct);
            return;
        }

        await Migrator.RefuseForeignTablesAsync(session.Connection, scripts, ct);
        await new MigrationJournal(session.Connection).BeginWithAsync(scripts, ct);
    }

    private static async Task RefuseOtherSchemaAsync(OwnerSession session, IReadOnlyList<MigrationScript> scripts, CancellationToken ct)
    {
        var done = await session.JournalAsync(ct);
        if (done.Count != scripts.Count
            || scripts.FirstOrDefault(s => !done.TryGetValue(s.Name, out var sum) || !sum.AsSpan().SequenceEqual(s.Checksum)) is not null)
        {
            throw new WeirException(ErrorCode.Conflict,
                $"The database has {done.Count} migrations, up to {done.Keys.LastOrDefault() ?? "none"}; {scripts.Count} are wanted, up to "
                    + $"{scripts[^1].Name}. {session.Where}.",
                "Take an empty database; for one that was put back by other means, run weir migrate first.");
        }
    }

    private static async Task RefuseOtherUsersAsync(OwnerSession session, BackupManifest manifest, CancellationToken ct)
    {
        if (await session.ScalarAsync<bool>("select weir.backup_facts() -> 'ownUsers' = 'true'", ct) != manifest.Facts.OwnUsers)
        {
            throw new WeirException(ErrorCode.Conflict, manifest.Facts.OwnUsers
                ? $"The backup has its own users, and this database has Supabase's: {session.Where}."
                : $"The backup's users are Supabase's, and this database has none: {session.Where}.",
                "Restore into a database of the same kind.");
        }
    }

    private async Task LoadAsync(OwnerSession session, RestoreTarget target, string path, BackupManifest manifest, CancellationToken ct)
    {
        await target.PrepareAsync(manifest, ct);
        await using var loader = new RowLoader(session, _progress, manifest.Tables);
        await BackupReader.ReadAsync(path, (table, part) => loader.AddAsync(table, part, ct), ct);
        await loader.EndAsync(ct);
        await target.FinishAsync(ct);
        _progress.Say($"{manifest.Tables.Length} tables: {_progress.Done}; comparing");
        foreach (var table in manifest.Tables)
        {
            var rows = await session.ScalarAsync<long>($"select count(*) from {table.Name}", ct);
            if (rows != table.Rows)
            {
                throw new WeirException(ErrorCode.Internal,
                    $"{table.Name} has {rows} rows after loading, and the backup {table.Rows}. Nothing was restored.", "Report this.");
            }
        }

        var facts = JsonSerializer.Deserialize(
            await session.ScalarAsync<string>("select weir.backup_facts()", ct), BackupJson.Default.BackupFacts)!;
        var difference = manifest.Facts.Log.DifferenceTo(facts.Log);
        if (difference is not null || facts.Epoch != manifest.Facts.Epoch)
        {
            throw new WeirException(ErrorCode.Internal,
                $"The record is not what it was in the backup ({difference ?? "another epoch"}). Nothing was restored.", "Report this.");
        }
    }

    private async Task<RestoreReport> BeginEpochAsync(OwnerSession session, string detail, bool keyringIsLost, CancellationToken ct)
    {
        IReadOnlyList<BroughtBack>? back = null;
        if (options.Newer is { } url)
        {
            back = Authorities.Difference(await Authorities.OfAsync(session, ct), await Authorities.OfAsync(url, ct));
            back = options.RevokeAgain ? await Authorities.RevokeAsync(session, back, ct) : back;
        }

        var epoch = await session.ScalarAsync<int>("select weir.begin_epoch($1, $2)", ct, Sql.Text(detail), Sql.Boolean(keyringIsLost));
        var left = (await Authorities.OfAsync(session, ct)).CountBy(a => a.Kind)
            .ToDictionary(k => k.Key, k => (long)k.Value, StringComparer.Ordinal);
        return new RestoreReport(null, epoch, 0, left, back, keyringIsLost, []);
    }
}
