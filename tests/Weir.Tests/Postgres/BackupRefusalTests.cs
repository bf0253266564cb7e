using Weir.Configuration;
using Weir.Errors;
using Weir.Keys;
using Weir.Postgres;
using Weir.Postgres.Backups;
using Weir.Postgres.Migrations;
using Weir.Tests.Fixtures;
using Weir.Tests.Infrastructure;
using Weir.Tests.Journeys;

namespace Weir.Tests.Postgres;

/// <summary>What <c>weir backup</c> and <c>weir restore</c> refuse, and that nothing of it is left.</summary>
public sealed class BackupRefusalTests(TestDatabase database) : BackupSuite(database), IClassFixture<TestDatabase>
{
    [Fact]
    public async Task A_file_that_exists_is_not_overwritten()
    {
        var file = NewFile();
        await File.WriteAllTextAsync(file, "kept", Token);
        (await Should.ThrowAsync<WeirException>(BackUpAsync(Database.OwnerUrl, file))).Message.ShouldBe(
            $"{file} exists already, and a backup overwrites nothing.");
        (await File.ReadAllTextAsync(file, Token)).ShouldBe("kept");
    }

    [Fact]
    public async Task A_backup_is_for_its_owner_only()
    {
        var (file, _) = await BackUpAsync();
        File.GetUnixFileMode(file).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Directory.GetFiles(Path.GetDirectoryName(file)!, "*unfinished*").ShouldBeEmpty();
    }

    [Fact]
    public async Task Where_nothing_can_be_written_nothing_is_left()
    {
        (await Should.ThrowAsync<IOException>(BackUpAsync(Database.OwnerUrl, "/proc/no/backup"))).Message.ShouldStartWith(
            "The backup /proc/no/backup was not written: ");
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "Only root mounts a small disk.");
        var disk = Directory.CreateTempSubdirectory("weir-full-").FullName;
        (await NodeHost.Run("mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", disk)).ShouldBe(0);
        try
        {
            (await Should.ThrowAsync<IOException>(BackUpAsync(Database.OwnerUrl, Path.Combine(disk, "full")))).Message.ShouldContain(
                "No space left on device");
            Directory.GetFiles(disk).ShouldBeEmpty();
        }
        finally
        {
            await NodeHost.Run("umount", disk);
            Directory.Delete(disk);
        }
    }

    [Fact]
    public async Task A_database_that_is_away_and_a_login_that_is_not_the_owner_s_are_named_without_a_password()
    {
        var away = await Should.ThrowAsync<WeirException>(BackUpAsync("postgresql://owner:secret-of-the-owner@127.0.0.1:9/x", NewFile()));
        away.Message.ShouldStartWith("owner at 127.0.0.1:9, database x (WEIR_OWNER_DATABASE_URL) does not answer: ");
        foreach (var url in new[] { Database.GatewayUrl, Database.EngineUrl })
        {
            var wrong = await Should.ThrowAsync<WeirException>(BackUpAsync(url, NewFile()));
            wrong.Message.ShouldStartWith("This login may not read as weir_backup, so a backup would not be whole: weir_");
            wrong.Hint!.ShouldContain("the one that weir migrate uses");
        }

        var empty = await NewDatabaseAsync();
        (await Should.ThrowAsync<WeirException>(BackUpAsync(Database.Cluster.OwnerUrl(empty), NewFile()))).Message.ShouldStartWith(
            "The database is not of this release: ");
    }

    [Theory]
    [InlineData("drop policy everything_is_read_by_the_backup on public.agents")]
    [InlineData("create policy hides on public.agents as restrictive for select to weir_backup using (false)")]
    [InlineData("alter policy everything_is_read_by_the_backup on public.agents using (is_active)")]
    [InlineData("revoke select on public.agents from weir_backup")]
    public async Task A_table_that_hides_rows_from_a_backup_ends_it(string change)
    {
        var name = await NewDatabaseAsync(migrated: true);
        await using (var superuser = Database.Cluster.Superuser(name))
        {
            await superuser.ExecuteAsync(change, [], Token);
        }

        var file = NewFile();
        (await Should.ThrowAsync<WeirException>(BackUpAsync(Database.Cluster.OwnerUrl(name), file)))
            .Message.ShouldBe("A backup would not be whole: weir_backup does not read all of public.agents.");
        File.Exists(file).ShouldBeFalse();
    }

    [Fact]
    public async Task A_file_that_was_cut_or_changed_restores_nothing()
    {
        var (file, _) = await BackUpAsync();
        var bytes = await File.ReadAllBytesAsync(file, Token);
        var name = await NewDatabaseAsync();
        foreach (var damaged in Damages(bytes))
        {
            var bad = NewFile();
            await File.WriteAllBytesAsync(bad, damaged, Token);
            (await Should.ThrowAsync<WeirException>(RestoreAsync(bad, name))).Message.ShouldBe(
                $"{bad} is not whole: it was cut or changed, or is no backup.");
            (await LookAsync(name, "select to_regclass('weir.installation') is null")).ShouldBe("True");
        }
    }

    [Fact]
    public async Task What_is_no_backup_or_is_not_there_is_named()
    {
        var name = await NewDatabaseAsync();
        var text = NewFile();
        await File.WriteAllTextAsync(text, new string('x', 5000), Token);
        (await Should.ThrowAsync<WeirException>(RestoreAsync(text, name))).Message.ShouldContain("or is no backup");
        await Should.ThrowAsync<FileNotFoundException>(RestoreAsync(NewFile(), name));
    }

    [Fact]
    public async Task A_backup_of_an_older_schema_is_restored_at_it_and_migrated_and_one_of_a_newer_is_refused_by_name()
    {
        var (file, manifest) = await BackUpAsync();
        MigrationScript[] newer = [
            .. MigrationScript.Embedded(),
            new("9990_later.sql",
                "create table weir.later (id integer); insert into weir.later select count(*) from public.organizations;"),
        ];
        var name = await NewDatabaseAsync();
        (await RestoreAsync(file, name, release: newer)).Migrations.ShouldBe(["9990_later.sql"]);
        (await LookAsync(name, "select count(*) from weir.later")).ShouldBe("1");

        var older = MigrationScript.Embedded().SkipLast(1).ToArray();
        var empty = await NewDatabaseAsync();
        var refused = await Should.ThrowAsync<WeirException>(RestoreAsync(file, empty, release: older));
        refused.Message.ShouldStartWith(
            $"The backup is of a newer schema: it has the migration {manifest.Migrations[^1].Name}, which this release ");
        refused.Hint!.ShouldContain($"Restore with Weir {manifest.Version} or newer");
        MigrationScript[] other = [.. older, MigrationScript.Embedded()[^1] with { Text = "select 1" }];
        (await Should.ThrowAsync<WeirException>(RestoreAsync(file, empty, release: other))).Message.ShouldContain(
            "is not the one of this release");
        (await LookAsync(empty, "select to_regclass('weir.installation') is null")).ShouldBe("True");

        // A database that was migrated further than the backup is not taken back.
        var migrated = await NewDatabaseAsync();
        await new Migrator(Database.Cluster.OwnerUrl(migrated), newer).MigrateAsync(null, null, Token);
        (await Should.ThrowAsync<WeirException>(RestoreAsync(file, migrated, release: newer))).Message.ShouldContain(
            "up to 9990_later.sql;");
    }

    [Fact]
    public async Task Another_keyring_or_none_is_said_and_wants_to_be_told()
    {
        await Database.Superuser.ExecuteAsync("update weir.installation set keyring_fingerprint = sha256('the keyring')", [], Token);
        await Database.Superuser.ExecuteAsync(
            "select weir.issue_node_token('sealed', null, sha256('sealed'), now() + interval '1 hour')", [], Token);
        await Database.Superuser.ExecuteAsync(
            "select weir.register_node(sha256('sealed'), sha256('its key'), 'http://127.0.0.1:1', '\\x00', 1, 'none', '{process}')", [],
            Token);
        var (file, _) = await BackUpAsync();
        var name = await NewDatabaseAsync();

        var none = await Should.ThrowAsync<WeirException>(RestoreAsync(file, name));
        none.Message.ShouldStartWith("There is no keyring at /nowhere/keyring.json (keyringFile) (fingerprint ");
        none.Message.ShouldContain("Without it the keys of 1 nodes do not open: each must be registered again.");
        none.Hint!.ShouldContain("--without-keyring");
        var other = Options with { KeyringFingerprint = System.Security.Cryptography.SHA256.HashData("another"u8) };
        (await Should.ThrowAsync<WeirException>(RestoreAsync(file, name, other))).Message.ShouldStartWith(
            "The keyring at /nowhere/keyring.json (keyringFile) is not the one");
        (await LookAsync(name, "select to_regclass('weir.installation') is null")).ShouldBe("True");

        var report = await RestoreAsync(file, name, Options with { WithoutKeyring = true });
        report.KeyringIsLost.ShouldBeTrue();
        (await LookAsync(name, "select keyring_fingerprint is null from weir.installation")).ShouldBe("True");
        (await LookAsync(name, "select registered_at is null and key_hash is null from weir.dtma_nodes where name = 'sealed'")).ShouldBe(
            "True");
        // The same node, by another token.
        (await LookAsync(
            name,
            "select weir.issue_node_token('sealed', null, sha256('again'), now() + interval '1 hour') = id from weir.dtma_nodes where name "
                + "= 'sealed'")).ShouldBe("True");

        var right = await NewDatabaseAsync();
        (await RestoreAsync(
            file, right,
            Options
                with { KeyringFingerprint = System.Security.Cryptography.SHA256.HashData("the keyring"u8) })).KeyringIsLost.ShouldBeFalse();
        (await LookAsync(right, "select registered_at is not null from weir.dtma_nodes where name = 'sealed'")).ShouldBe("True");
        await Database.Superuser.ExecuteAsync("update weir.installation set keyring_fingerprint = null", [], Token);
        await Database.Superuser.ExecuteAsync("delete from weir.dtma_nodes", [], Token);
    }

    [Fact]
    public async Task Tables_that_are_not_weir_s_and_a_newer_database_that_is_away_end_a_restore_with_nothing_left()
    {
        var (file, _) = await BackUpAsync();
        var foreign = await NewDatabaseAsync();
        await LookAsync(foreign, "create table public.agents (id integer); select 1");
        (await Should.ThrowAsync<MigrationException>(RestoreAsync(file, foreign))).Message.ShouldContain("public.agents");
        var name = await NewDatabaseAsync();
        var away = Options with { Newer = "postgresql://owner:secret@127.0.0.1:9/x" };
        (await Should.ThrowAsync<WeirException>(RestoreAsync(file, name, away))).Message.ShouldStartWith(
            "owner at 127.0.0.1:9, database x (the newer database) does not answer");
        (await Should.ThrowAsync<WeirException>(
            RestoreAsync(file, name, Options with { Newer = Database.EngineUrl }))).Message.ShouldStartWith(
            "This login may not read as weir_backup");
        (await LookAsync(name, "select to_regclass('weir.installation') is null")).ShouldBe("True");
    }

    [Fact]
    public async Task The_commands_say_what_they_did_and_end_with_the_right_code()
    {
        var file = NewFile();
        var data = Path.GetDirectoryName(file)!;
        var done =
            await RunningUp.RunAsync(new Dictionary<string, string> { ["WEIR_OWNER_DATABASE_URL"] = Database.OwnerUrl }, "backup", file);
        (done.ExitCode, done.Output.Contains($"{file}: ", StringComparison.Ordinal)).ShouldBe((0, true), done.Errors);
        done.Errors.ShouldContain("weir: reading it once more");
        (await RunningUp.RunAsync(
            new Dictionary<string, string> { ["WEIR_OWNER_DATABASE_URL"] = Database.OwnerUrl }, "backup", file)).ExitCode.ShouldBe(1);

        var name = await NewDatabaseAsync();
        var config = ConfigOf(name);
        var urls = new Dictionary<string, string>
        {
            ["WEIR_OWNER_DATABASE_URL"] = config.OwnerUrl!,
            ["WEIR_DATABASE_URL"] = config.Url!,
            ["WEIR_ENGINE_DATABASE_URL"] = config.EngineUrl!,
        };
        var restored = await RunningUp.RunAsync(urls, "restore", file, "--data", data);
        restored.ExitCode.ShouldBe(0, restored.Errors);
        restored.Output.ShouldContain("The record goes on in epoch 2.");
        restored.Output.ShouldContain("DANGER: what was revoked, stopped or deleted after ");
        restored.Output.ShouldMatch("Active now: .*member [1-9]");
        var again = await RunningUp.RunAsync(urls, "restore", file, "--data", data);
        (again.ExitCode, again.Errors.Contains("The database is not empty", StringComparison.Ordinal)).ShouldBe((1, true), again.Errors);
        (await RunningUp.RunAsync(urls, "restore", "--already-restored", "--data", data, "--json")).Output.ShouldContain("\"epoch\":3");

        // What cannot be taken away is a failure, though the rows are there.
        urls["WEIR_NEWER_DATABASE_URL"] = Database.Cluster.OwnerUrl(await NewDatabaseAsync(migrated: true));
        var kept = await RunningUp.RunAsync(urls, "restore", "--already-restored", "--revoke-again", "--data", data);
        (kept.ExitCode, kept.Output.Contains("NOT taken away", StringComparison.Ordinal)).ShouldBe((1, true), kept.Output + kept.Errors);
        kept.Output.ShouldContain("Compared with the newer database, and nothing else: organizations, members ");
        urls.Remove("WEIR_NEWER_DATABASE_URL");
        (await RunningUp.RunAsync(urls, "restore", file, "--newer", "postgresql://owner:secret@127.0.0.1:9/x")).Errors.ShouldContain(
            "put a URL with a password into WEIR_NEWER_DATABASE_URL");

        foreach (var wrong in (string[][])[
            ["backup"], ["restore"], ["restore", file, "--already-restored"], ["restore", file, "--revoke-again"],
            ["restore", file, "--newer", "nonsense"],
        ])
        {
            (await RunningUp.RunAsync(urls, wrong)).ExitCode.ShouldBe(2, string.Join(' ', wrong));
        }
    }

    private static IEnumerable<byte[]> Damages(byte[] bytes)
    {
        yield return [];
        foreach (var length in (int[])[1, 100, bytes.Length / 2, bytes.Length - 9, bytes.Length - 1])
        {
            yield return bytes[..length];
        }

        foreach (var at in (int[])[
            0, 200, 511, 3000, bytes.Length / 3, bytes.Length / 2, bytes.Length - 3000, bytes.Length - 2047, bytes.Length - 1300,
            bytes.Length - 1030, bytes.Length - 1,
        ])
        {
            var changed = (byte[])bytes.Clone();
            changed[at] ^= 0x10;
            yield return changed;
        }

        yield return [.. bytes, 0];
    }
}
