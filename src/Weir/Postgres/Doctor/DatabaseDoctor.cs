using Npgsql;
using Weir.Configuration;
using Weir.Postgres.Migrations;

namespace Weir.Postgres.Doctor;

/// <summary>One thing that was looked at.</summary>
/// <param name="Fix">What to do about it; null where it is as it should be.</param>
internal sealed record Diagnosis(string Check, string Found, string? Fix = null);

/// <summary>Looks at the database behind each configured URL as Weir would use it. Changes nothing.</summary>
internal static class DatabaseDoctor
{
    private const int OldestVersion = 150000;
    private const string Version = "select current_setting('server_version_num')::integer";
    /// <summary>Before PostgreSQL 16 CREATEROLE is enough for every role.</summary>
    private const string NotAdministered = """
        select coalesce(string_agg(r.rolname, ', ' order by r.rolname), '')
        from pg_roles r, pg_roles me
        where r.rolname in ('weir_writer', 'weir_system', 'weir_gateway', 'weir_engine', 'weir_backup') and me.rolname = current_user and not me.rolsuper
          and current_setting('server_version_num')::integer >= 160000
          and not exists (select from pg_auth_members m where m.roleid = r.oid and m.member = me.oid and m.admin_option)
        """;

    /// <summary>Tables that were analyzed, and have ten times the pages that they had then.</summary>
    private const string StaleStatistics = """
        select coalesce(string_agg(format('%I.%I', n.nspname, c.relname), ', ' order by n.nspname, c.relname), '')
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname in ('public', 'weir') and c.relkind = 'r' and c.reltuples >= 0
          and pg_relation_size(c.oid) / current_setting('block_size')::integer > 100 + 10::bigint * c.relpages
        """;

    /// <param name="publicUrl">Where callers reach Weir by this configuration; null: it does not say.</param>
    /// <param name="keyringFingerprint">Null where there is no keyring yet.</param>
    public static async Task<IReadOnlyList<Diagnosis>> ExamineAsync(
        DatabaseConfig config, string? publicUrl, byte[]? keyringFingerprint, CancellationToken ct)
    {
        var found = new List<Diagnosis>();
        await AtAsync(found, "database.ownerUrl", "WEIR_OWNER_DATABASE_URL", config.OwnerUrl, async (source, connection) =>
        {
            found.Add(await OwnerAsync(connection, ct));
            found.Add(await MaintenanceAsync(connection, ct));
            found.Add(await StatisticsAsync(connection, ct));
            found.Add(await MigrationsAsync(connection, ct));
        }, ct);
        await AtAsync(found, "database.url", "WEIR_DATABASE_URL", config.Url, async (source, _) =>
            found.Add(await LoginAsync(source, "database.url", "weir_gateway", ct)), ct);
        await AtAsync(found, "database.engineUrl", "WEIR_ENGINE_DATABASE_URL", config.EngineUrl, async (source, _) =>
        {
            found.Add(await LoginAsync(source, "database.engineUrl", "weir_engine", ct));
            found.AddRange(await EngineAsync(source, publicUrl, keyringFingerprint, ct));
        }, ct);
        return found;
    }

    private static async Task AtAsync(
        List<Diagnosis> found, string key, string variable, string? text, Func<NpgsqlDataSource, NpgsqlConnection, Task> look,
        CancellationToken ct)
    {
        if (text is null)
        {
            found.Add(new Diagnosis(key, $"not set ({variable})"));
            return;
        }

        var url = DatabaseUrl.Parse(text);
        (url.Pooling, url.Timeout, url.CommandTimeout, url.ApplicationName) = (false, 5, 10, "weir-doctor");
        // Of several hosts each has its port beside it.
        var host = url.Host!.Contains(':') ? url.Host : $"{url.Host}:{url.Port}";
        var where = $"{url.Username} at {host}, database {url.Database}";
        try
        {
            await using var source = NpgsqlDataSource.Create(url.ConnectionString);
            await using var connection = await source.OpenConnectionAsync(ct);
            found.Add(await ServerAsync(source, connection, key, where, ct));
            await look(source, connection);
        }
        catch (PostgresException e)
        {
            found.Add(new Diagnosis(key, $"{where}: {e.MessageText} ({e.SqlState})", e.SqlState switch
            {
                PostgresErrorCodes.InvalidPassword or PostgresErrorCodes.InvalidAuthorizationSpecification =>
                    key == "database.ownerUrl"
                        ? "Set the owner's right name and password in it."
                        : $"Run weir migrate with {variable} set: it gives the login the password of that URL.",
                PostgresErrorCodes.InvalidCatalogName => "Create the database, or name the one that is there.",
                _ => "Mend what the database says, then look again.",
            }));
        }
        catch (Exception e) when (e is NpgsqlException or System.Net.Sockets.SocketException or TimeoutException)
        {
            found.Add(new Diagnosis(key, $"{where}: does not answer ({e.Message})",
                "Check host and port, that PostgreSQL runs there and that no firewall is between; "
                + "add ?sslmode=require where it wants TLS."));
        }
    }

    private static async Task<Diagnosis> ServerAsync(
        NpgsqlDataSource source, NpgsqlConnection first, string key, string where, CancellationToken ct)
    {
        var version = await ValueAsync<int>(first, Version, ct);
        if (version < OldestVersion)
        {
            return new Diagnosis(key, $"{where}: PostgreSQL {version / 10000}", "Weir needs PostgreSQL 15 or later.");
        }

        return await PoolerProbe.IsTransactionPoolerAsync(source, first, ct)
            ? new Diagnosis(key, $"{where}: a pooler in transaction mode", PoolerProbe.Fix(where))
            : new Diagnosis(key, $"{where}: PostgreSQL {version / 10000}, a session of its own");
    }

    /// <summary>Migrations make roles and give them rights.</summary>
    private static async Task<Diagnosis> OwnerAsync(NpgsqlConnection owner, CancellationToken ct)
    {
        const string Fix = "As a superuser: alter role … createrole; grant each of Weir's roles (weir_*) to it with admin option.";
        if (!await ValueAsync<bool>(owner, "select rolcreaterole or rolsuper from pg_roles where rolname = current_user", ct))
        {
            return new Diagnosis("database.ownerUrl rights", "the role may not create roles", Fix);
        }

        var missing = await ValueAsync<string>(owner, NotAdministered, ct);
        return missing.Length > 0
            ? new Diagnosis("database.ownerUrl rights", $"the role has no admin option on {missing}", Fix)
            : new Diagnosis("database.ownerUrl rights", "it may create roles, and administers Weir's");
    }

    /// <summary>Without autovacuum nothing cleans up behind the engine's updates, and statistics stay those of empty tables.</summary>
    private static async Task<Diagnosis> MaintenanceAsync(NpgsqlConnection owner, CancellationToken ct) =>
        await ValueAsync<bool>(owner, "select current_setting('autovacuum')::boolean and current_setting('track_counts')::boolean", ct)
            ? new Diagnosis("autovacuum", "it is on")
            : new Diagnosis(
                "autovacuum", "it is off", "Set autovacuum and track_counts to on in the database's configuration, and reload it.");

    /// <summary>The engine does not depend on statistics (decision 0061). People's requests and reports do.</summary>
    private static async Task<Diagnosis> StatisticsAsync(NpgsqlConnection owner, CancellationToken ct)
    {
        var stale = await ValueAsync<string>(owner, StaleStatistics, ct);
        return stale.Length > 0
            ? new Diagnosis("statistics", $"they are of a time when the tables were nearly empty: {stale}",
                "Run analyze in this database, and see that autovacuum is on.")
            : new Diagnosis("statistics", "they fit the tables' sizes");
    }

    private static async Task<Diagnosis> MigrationsAsync(NpgsqlConnection owner, CancellationToken ct)
    {
        var scripts = MigrationScript.Embedded();
        var done = await new MigrationJournal(owner).ReadAsync(ct);
        var missing = scripts.Count(s => !done.ContainsKey(s.Name));
        var unknown = done.Keys.Where(name => scripts.All(s => s.Name != name)).ToArray();
        var changed = scripts.Where(s => done.TryGetValue(s.Name, out var checksum) && !s.Checksum.AsSpan().SequenceEqual(checksum))
            .Select(s => s.Name).ToArray();
        return unknown.Length > 0
            ? new Diagnosis("migrations", $"{unknown.Length} of a newer release: {unknown[^1]}", "Run that release, or a newer one.")
            : changed.Length > 0 ? new Diagnosis("migrations", $"not what this release has: {string.Join(", ", changed)}",
                "Run the release that applied them; migrations are never changed.")
            : missing > 0 ? new Diagnosis("migrations", $"{missing} of {scripts.Count} are missing", "Run weir migrate.")
            : new Diagnosis("migrations", $"all {scripts.Count} are applied");
    }

    private static async Task<Diagnosis> LoginAsync(NpgsqlDataSource source, string key, string expected, CancellationToken ct) =>
        await LoginProbe.ProblemAsync(source, expected, ct) is { } problem
            ? new Diagnosis(
                $"{key} login", $"it {problem}", $"Put the login {expected} into the URL, and run weir migrate, which makes it.")
            : new Diagnosis($"{key} login", $"{expected} can do no more than it may");

    private static async Task<IReadOnlyList<Diagnosis>> EngineAsync(
        NpgsqlDataSource engine, string? publicUrl, byte[]? fingerprint, CancellationToken ct)
    {
        await using var connection = await engine.OpenConnectionAsync(ct);
        return await ValueAsync<bool>(connection, KeyringProbe.IsMigrated, ct)
            ? [await KeyringAsync(connection, fingerprint, ct), await PublicUrlProbe.ExamineAsync(engine, publicUrl, ct)]
            : [new Diagnosis("keyring", "the database is not migrated, and knows none")];
    }

    private static async Task<Diagnosis> KeyringAsync(NpgsqlConnection connection, byte[]? fingerprint, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(KeyringProbe.IsKeyring, connection) { Parameters = { Sql.Bytea(fingerprint ?? []) } };
        return await command.ExecuteScalarAsync(ct) switch
        {
            false when fingerprint is null => new Diagnosis("keyring", "the database was written with one, and there is no file",
                "Copy the other replicas' keyring file to its place (keyringFile), or the one that was kept with the backup."),
            not bool when fingerprint is null => new Diagnosis("keyring", "there is none yet; the first start makes it"),
            true => new Diagnosis("keyring", "it is the database's"),
            false => new Diagnosis("keyring", "it is not the one that this database was written with",
                "Put the other replicas' keyring file in its place (keyringFile)."),
            _ => new Diagnosis("keyring", "no replica has brought one yet; the first that serves does"),
        };
    }

    private static async Task<T> ValueAsync<T>(NpgsqlConnection connection, string sql, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        return (T)(await command.ExecuteScalarAsync(ct))!;
    }
}
