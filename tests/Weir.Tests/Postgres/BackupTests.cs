using Weir.Errors;
using Weir.Postgres;
using Weir.Postgres.Backups;
using Weir.Postgres.Migrations;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Postgres;

/// <summary><c>weir backup</c> and <c>weir restore</c>: whole on every kind of database that Weir runs on.</summary>
public abstract class WholeBackupSuite(TestDatabase database) : BackupSuite(database)
{
    [Fact]
    public async Task A_backup_is_restored_to_the_last_row_and_the_record_s_last_hash()
    {
        var (file, manifest) = await BackUpAsync();
        manifest.Facts.Log.Rows.ShouldBeGreaterThan(100);
        // Three where a month has begun since the test did.
        manifest.Facts.Log.Months.Length.ShouldBeOneOf(2, 3);
        var name = await NewDatabaseAsync(migrated: Database.Cluster.IsSupabase);

        var report = await RestoreAsync(file, name);

        report.Rows.ShouldBe(manifest.Rows);
        report.Epoch.ShouldBe(2);
        foreach (var (restored, before) in (await ContentAsync(name)).Zip(await ContentAsync(Database.Name)))
        {
            restored.ShouldBe(before);
        }

        var rows =
            "select count(*) || ' ' || min(created_at) from public.mcp_interaction_logs where item is distinct from 'restore' and "
                + $"created_at <= '{manifest.Facts.At:O}'";
        (await LookAsync(name, rows)).ShouldBe(await LookAsync(Database.Name, rows));
        (await LookAsync(name, "select string_agg(epoch || ' ' || detail, '') from public.mcp_interaction_logs where item = 'restore'"))!
            .ShouldStartWith("2 epoch 2: restored from a backup of ");
        // The walls are as before.
        (await LookAsync(
            name,
            "select count(*) from pg_class c where c.relnamespace = 'weir'::regnamespace and c.relkind in ('r', 'p') and not "
                + "(c.relrowsecurity and c.relforcerowsecurity)")).ShouldBe("0");
        (await LookAsync(name, "select count(*) from pg_trigger where tgenabled <> 'O'")).ShouldBe("0");
    }
}

public sealed class BackupTests(TestDatabase database) : WholeBackupSuite(database), IClassFixture<TestDatabase>
{
    [Fact]
    public async Task A_backup_under_load_is_of_one_moment()
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var written = 0;
        var writers = Enumerable.Range(0, 3).Select(async _ =>
        {
            while (!stop.IsCancellationRequested)
            {
                // Two tables in one transaction: the backup has both or neither.
                await Database.Superuser.ExecuteAsync("""
                    with made as (insert into public.agents (organization_id, name) select id, 'under load ' || gen_random_uuid() from public.organizations limit 1 returning organization_id, id, name)
                    insert into public.mcp_interaction_logs (created_at, id, phase, organization_id, kind, decision, epoch, actor_kind, agent_id, agent_name)
                    select clock_timestamp(), weir.uuid_v7(), 'requested', m.organization_id, 'lifecycle', 'allowed', 1, 'agent', m.id, m.name from made m
                    """, [], CancellationToken.None);
                Interlocked.Increment(ref written);
            }
        }).ToArray();
        await Until.True(() => Volatile.Read(ref written) > 20, "writers at work");
        var (file, manifest) = await BackUpAsync();
        var during = Volatile.Read(ref written);
        await Until.True(() => Volatile.Read(ref written) > during + 5, "writers that were not kept");
        await stop.CancelAsync();
        await Task.WhenAll(writers);

        var name = await NewDatabaseAsync();
        (await RestoreAsync(file, name)).Rows.ShouldBe(manifest.Rows);
        var both =
            "select count(*) from public.agents a where a.name like 'under load%' and not exists (select from public.mcp_interaction_logs "
                + "l where l.agent_id = a.id)";
        (await LookAsync(name, both)).ShouldBe("0");
        (await LookAsync(
            name,
            "select count(*) from public.mcp_interaction_logs l where l.agent_name like 'under load%' and not exists (select from "
                + "public.agents a where a.id = l.agent_id)")).ShouldBe("0");
    }

    [Fact]
    public async Task The_restored_schema_is_the_one_of_before_to_the_last_grant()
    {
        var (file, _) = await BackUpAsync();
        var name = await NewDatabaseAsync();
        await RestoreAsync(file, name);
        var binaries = Database.Cluster.Postgres.Binaries;
        var before = await PostgresTools.DumpSchemaAsync(binaries, Database.Cluster.Postgres.SuperuserUrl(Database.Name), [], Token);
        (await PostgresTools.DumpSchemaAsync(binaries, Database.Cluster.Postgres.SuperuserUrl(name), [], Token)).ShouldBe(before);
    }

    [Fact]
    public async Task A_database_that_was_only_migrated_takes_a_backup_too_and_one_that_is_used_does_not()
    {
        var (file, manifest) = await BackUpAsync();
        var name = await NewDatabaseAsync(migrated: true);
        (await RestoreAsync(file, name)).Rows.ShouldBe(manifest.Rows);

        var refused = await Should.ThrowAsync<WeirException>(RestoreAsync(file, name));
        refused.Message.ShouldContain("The database is not empty: it has rows in");
        refused.Message.ShouldContain("public.organizations");
        (await LookAsync(name, "select epoch from weir.installation")).ShouldBe("2");
    }

    [Fact]
    public async Task What_a_dead_process_held_is_let_go_and_what_may_have_been_used_since_ends()
    {
        await Database.Superuser.ExecuteAsync("""
            insert into weir.replicas (id, internal_url, version) values (gen_random_uuid(), 'http://127.0.0.1:1', '1');
            """, [], Token);
        await Database.Superuser.ExecuteAsync(
            "insert into weir.sign_ins (user_id, expires_at) values ($1, now() + interval '1 day')", [Sql.Uuid(World.OwnerId)], Token);
        await Database.Superuser.ExecuteAsync(
            "select weir.issue_node_token('unused', null, sha256('unused'), now() + interval '1 hour')", [], Token);
        var instance = await World.AddRemoteAsync("held", new Uri("https://held.example.org/mcp"));
        await Database.Superuser.ExecuteAsync(
            "update weir.dtma_operations set claimed_by = gen_random_uuid(), lease_until = now() + interval '1 hour' where instance_id "
                + "= $1", [Sql.Uuid(instance)], Token);
        var (file, _) = await BackUpAsync();
        var name = await NewDatabaseAsync();

        await RestoreAsync(file, name);

        (await LookAsync(name, "select count(*) from weir.replicas")).ShouldBe("0");
        (await LookAsync(name, "select count(*) from weir.sign_ins where revoked_by is distinct from 'restore'")).ShouldBe("0");
        (await LookAsync(name, "select token_hash is null and not is_online from weir.dtma_nodes where name = 'unused'")).ShouldBe("True");
        (await LookAsync(
            name, "select count(*) from weir.dtma_operations where claimed_by is not null or lease_until is not null")).ShouldBe("0");
        (await LookAsync(
            name, $"select count(*) from weir.dtma_operations where finished_at is null and instance_id = '{instance}'")).ShouldBe("1");
        // A call that was admitted and has no outcome shows as exactly that.
        (await LookAsync(
            name, "select count(*) > 0 from public.mcp_interaction_logs where phase = 'requested' and item = 'echo'")).ShouldBe("True");
        await Database.Superuser.ExecuteAsync(
            "delete from weir.replicas; update weir.dtma_operations set claimed_by = null, lease_until = null", [], Token);
    }

    [Fact]
    public async Task What_was_revoked_after_the_backup_is_listed_and_taken_away_again()
    {
        var instance = await World.AddRemoteAsync("revoked", new Uri("https://revoked.example.org/mcp"));
        var (agent, _) = await World.CreateAgentAsync("to be revoked");
        await World.GrantAsync(instance, """{"tools": {"echo": {}}}""", agent);
        var (kept, _) = await World.CreateAgentAsync("kept");
        var member = await World.CreateUserAsync(Database);
        await Database.Superuser.ExecuteAsync(
            "insert into public.organization_members (organization_id, user_id, role, status) values ($1, $2, 'admin', 'active')",
            [Sql.Uuid(World.OrganizationId), Sql.Uuid(member)], Token);
        var (file, _) = await BackUpAsync();
        await World.CallAsync("select public.revoke_mcp_access($1, $2)", Sql.Uuid(agent), Sql.Uuid(instance));
        await Database.Superuser.ExecuteAsync(
            "update public.agent_api_keys set revoked_at = now() where agent_id = $1", [Sql.Uuid(agent)], Token);
        await Database.Superuser.ExecuteAsync("update public.agents set stopped_at = now() where id = $1", [Sql.Uuid(agent)], Token);
        await Database.Superuser.ExecuteAsync(
            "update public.organization_members set role = 'viewer' where user_id = $1", [Sql.Uuid(member)], Token);
        await Database.Superuser.ExecuteAsync(
            "update auth.users set encrypted_password = 'another' where id = $1", [Sql.Uuid(member)], Token);

        // Listed only, it is alive again.
        var listed = await NewDatabaseAsync();
        var back = (await RestoreAsync(file, listed, Options with { Newer = Database.OwnerUrl })).BroughtBack!;
        back.Select(b => b.Authority.Kind).Order().ShouldBe(["agent", "agent key", "grant", "member", "person"]);
        back.Single(b => b.Authority.Kind == "grant").AsText()
            .ShouldBe("grant agent to be revoked, server revoked (revoked, stopped or gone since)");
        back.Single(b => b.Authority.Kind == "member").AsText().ShouldEndWith("as admin (now viewer since)");
        var alive =
            $"select (select count(*) from public.agent_mcp_permissions where agent_id = '{agent}' and is_active) || ' ' || (select role "
                + $"from public.organization_members where user_id = '{member}')";
        (await LookAsync(listed, alive)).ShouldBe("1 admin");

        var revoked = await NewDatabaseAsync();
        (await RestoreAsync(file, revoked, Options with { Newer = Database.OwnerUrl, RevokeAgain = true })).BroughtBack!.ShouldAllBe(
            b => b.Problem == null);
        (await LookAsync(revoked, alive)).ShouldBe("0 viewer");
        (await LookAsync(revoked, $"select is_active from public.agents where id = '{agent}'")).ShouldBe("False");
        (await LookAsync(
            revoked, $"select count(*) from public.agent_api_keys where agent_id = '{agent}' and revoked_at is null")).ShouldBe("0");
        (await LookAsync(revoked, $"select encrypted_password from auth.users where id = '{member}'")).ShouldBe("another");
        (await LookAsync(revoked, $"select is_active from public.agents where id = '{kept}'")).ShouldBe("True");

        // Afterwards too, of the one that was only listed.
        var later = await new DatabaseRestore(
            ConfigOf(listed), Weir.Postgres.Migrations.MigrationScript.Embedded(),
            Options with { Newer = Database.OwnerUrl, RevokeAgain = true }, _ => { }, _ => { }, TimeProvider.System)
            .AlreadyRestoredAsync(Token);
        later.Epoch.ShouldBe(3);
        (await LookAsync(listed, alive)).ShouldBe("0 viewer");
    }

    [Fact]
    public async Task What_was_withdrawn_stopped_unlinked_or_deleted_after_the_backup_is_listed_and_taken_away_again_and_each_is_recorded()
    {
        var instance = await World.AddRemoteAsync("stopped", new Uri("https://stopped.example.org/mcp"));
        foreach (var sql in new[]
        {
            $"update public.mcp_server_instances set status = 'running' where id = '{instance}'",
            $"update weir.dtma_operations set finished_at = now(), outcome = 'done' where instance_id = '{instance}'",
            "insert into public.mcp_server_tools (organization_id, instance_id, kind, name, definition_hash, definition, status, "
                + $"announced, approved_at) values ('{World.OrganizationId}', '{instance}', 'tool', E'pay\x1b', sha256('pay'), '{{}}', "
                + "'approved', true, now())",
            $"insert into public.datastores (organization_id, name) select '{World.OrganizationId}', n from unnest(array['linked', "
                + "'deleted']) n",
            $"insert into public.agent_datastores (organization_id, agent_id, datastore_id) select organization_id, '{World.AgentId}', id "
                + "from public.datastores where name = 'linked'",
            "insert into public.documents (organization_id, datastore_id, title, media_type, content_hash, size_bytes, chunk_count) "
                + "select organization_id, id, 'paper', 'text/plain', sha256('paper'), 1, 1 from public.datastores where name = 'linked'",
        })
        {
            await Database.Superuser.ExecuteAsync(sql, [], Token);
        }

        foreach (var slug in new[] { "withdrawn", "blocked" })
        {
            await Database.Owner.ExecuteAsync("select weir.publish_catalog_server($1)", [Sql.Jsonb(
                $$"""{"slug":"{{slug}}","display_name":"Server","transport":"stdio","runtime":"process","package":"package","version":"1.0.0","bin":"bin"}""")], Token);
        }

        var (file, _) = await BackUpAsync();
        foreach (var sql in new[]
        {
            $"update public.mcp_server_instances set status = 'stopping' where id = '{instance}'",
            $"update public.mcp_server_tools set status = 'rejected' where instance_id = '{instance}'",
            $"delete from public.agent_datastores where agent_id = '{World.AgentId}'",
            "update public.datastores set deleted_at = now() where name = 'deleted'",
            "delete from public.documents where title = 'paper'",
            "select weir.withdraw_catalog_server('withdrawn')",
            "select weir.block_catalog_server('blocked', null, 'It leaks.')",
        })
        {
            await Database.Superuser.ExecuteAsync(sql, [], Token);
        }

        var name = await NewDatabaseAsync();
        var back = (await RestoreAsync(file, name, Options with { Newer = Database.OwnerUrl, RevokeAgain = true })).BroughtBack!;

        back.ShouldAllBe(b => b.Problem == null);
        back.Select(b => b.Authority.Kind).Order()
            .ShouldBe(["catalog server", "catalog server", "datastore", "datastore link", "definition", "document", "running server"]);
        back.Single(b => b.Authority.Kind == "definition").AsText()
            .ShouldBe("definition of the tool pay?, server stopped (revoked, stopped or gone since)");
        (await LookAsync(
            name,
            "select status || ' ' || (select string_agg(action, ',') from weir.dtma_operations where instance_id = i.id and finished_at "
                + $"is null) from public.mcp_server_instances i where id = '{instance}'"))
            .ShouldBe("stopping stop");
        (await LookAsync(name, $"select status from public.mcp_server_tools where instance_id = '{instance}'")).ShouldBe("quarantined");
        (await LookAsync(name, "select (select count(*) from public.agent_datastores) + (select count(*) from public.documents)")).ShouldBe(
            "0");
        (await LookAsync(name, "select string_agg(name, ',') from public.datastores where deleted_at is null")).ShouldBe("linked");
        (await LookAsync(
            name,
            "select string_agg(slug || ' is ' || state, ', ' order by slug) from public.mcp_server_catalog where slug in ('withdrawn', "
                + "'blocked')"))
            .ShouldBe("blocked is blocked, withdrawn is withdrawn");
        (await LookAsync(
            name,
            "select string_agg(detail, ', ' order by detail collate \"C\") from public.mcp_interaction_logs where item = 'revoke_again' "
                + "and epoch = 1 and organization_id is not null"))!
            .ShouldContain("running server stopped");
    }

    [Fact]
    public void The_report_names_every_kind_that_is_compared()
    {
        var text = File.ReadAllText(Path.Combine(Repository.Root, "db/migrations/1100_backup.sql"));
        var kinds = System.Text.RegularExpressions.Regex.Matches(
            text, @"select '(?<kind>[a-z ]+)',\s", System.Text.RegularExpressions.RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(1))
            .Select(m => m.Groups["kind"].Value).ToArray();
        kinds.Length.ShouldBe(19);
        var named = Authorities.Compared.Replace("keys of agents", "agent keys", StringComparison.Ordinal)
            .Replace("people", "persons", StringComparison.Ordinal)
            .Replace("of organizations", "organization keys", StringComparison.Ordinal)
            .Replace("links to them", "datastore links", StringComparison.Ordinal);
        kinds.ShouldAllBe(kind => named.Contains(kind, StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_fails_after_the_commit_says_that_the_rows_are_there_and_the_report_was_given_before()
    {
        var (file, manifest) = await BackUpAsync();
        var name = await NewDatabaseAsync();
        MigrationScript[] failing = [.. MigrationScript.Embedded(), new("9990_failing.sql", "select 1 / 0")];
        RestoreReport? report = null;

        var failed = await Should.ThrowAsync<WeirException>(
            new DatabaseRestore(ConfigOf(name), failing, Options, _ => { }, r => report = r, TimeProvider.System).RunAsync(file, Token));

        failed.Message.ShouldStartWith("The rows are restored and committed (epoch 2). ");
        failed.Hint.ShouldBe("Mend that and run weir migrate; do not restore again.");
        report!.Rows.ShouldBe(manifest.Rows);
        report.Migrations.ShouldBe(["9990_failing.sql"]);
        (await LookAsync(name, "select epoch from weir.installation")).ShouldBe("2");
    }

    [Fact]
    public async Task A_database_that_is_used_is_refused_without_keeping_anybody_from_it()
    {
        var (file, _) = await BackUpAsync();
        var name = await NewDatabaseAsync();
        await RestoreAsync(file, name);
        await LookAsync(name,
            "insert into weir.replicas (id, internal_url, version) values (gen_random_uuid(), 'http://127.0.0.1:1', '1') returning 1");
        await using var reader = Database.Cluster.Superuser(name);
        // Whoever wants this table for himself alone waits behind it, and everybody behind him.
        await using var held = await HeldTransaction.BeginAsync(reader);
        await held.RunAsync("lock table public.organizations in access share mode");

        (await Should.ThrowAsync<WeirException>(RestoreAsync(file, name))).Message.ShouldContain("The database is not empty");
        var restore = new DatabaseRestore(ConfigOf(name), MigrationScript.Embedded(), Options, _ => { }, _ => { }, TimeProvider.System);
        (await Should.ThrowAsync<WeirException>(restore.AlreadyRestoredAsync(Token))).Message.ShouldStartWith(
            "A replica serves this database");
    }

    [Fact]
    public void A_backup_that_has_other_tables_than_the_schema_is_refused()
    {
        BackupTable[] tables = [new("weir.a", ["id"], [], 0), new("weir.b", ["id"], [], 0)];
        var target = new RestoreTarget(null!, tables);
        target.RequireSame([.. tables.Reverse()]);
        foreach (var other in (BackupTable[][])[
            [tables[0]], [.. tables, tables[0]], [.. tables, new("weir.c", [], [], 0)], [tables[0], tables[1] with { Columns = ["x"] }],
        ])
        {
            Should.Throw<WeirException>(() => target.RequireSame(other)).Message.ShouldContain("is not what it was in the backup");
        }
    }

    [Fact]
    public async Task The_last_owner_stays_and_it_is_said()
    {
        var (file, _) = await BackUpAsync();
        var newer = await NewDatabaseAsync(migrated: true);
        var name = await NewDatabaseAsync();

        // A newer database in which nothing is left.
        var report = await RestoreAsync(file, name, Options with { Newer = Database.Cluster.OwnerUrl(newer), RevokeAgain = true });

        report.BroughtBack!.First(b => b.Authority.Kind == "member" && b.Problem != null).AsText()
            .ShouldContain("NOT taken away: this is the last active owner");
        (await LookAsync(name, "select count(*) from public.organizations where is_active")).ShouldBe("0");
    }

    [Fact]
    public async Task A_database_that_was_put_back_by_other_means_begins_a_new_epoch_unless_a_replica_serves_it()
    {
        var (file, _) = await BackUpAsync();
        var name = await NewDatabaseAsync();
        await RestoreAsync(file, name);
        var restore = new DatabaseRestore(
            ConfigOf(name), Weir.Postgres.Migrations.MigrationScript.Embedded(), Options, _ => { }, _ => { }, TimeProvider.System);
        (await restore.AlreadyRestoredAsync(Token)).Epoch.ShouldBe(3);

        await LookAsync(name,
            "insert into weir.replicas (id, internal_url, version) values (gen_random_uuid(), 'http://127.0.0.1:1', '1') returning 1");
        (await Should.ThrowAsync<WeirException>(restore.AlreadyRestoredAsync(Token))).Message.ShouldStartWith(
            "A replica serves this database, or did within 30 s: http://127.0.0.1:1.");
        (await LookAsync(name, "select epoch from weir.installation")).ShouldBe("3");
        (await LookAsync(
            name,
            "select count(*) from pg_class where relnamespace = 'weir'::regnamespace and relkind in ('r', 'p') and not "
                + "relforcerowsecurity")).ShouldBe("0");
    }

    [Fact]
    public async Task PgDump_is_whole_as_the_owner_or_it_fails()
    {
        var binaries = Database.Cluster.Postgres.Binaries;
        // Row-level security is off for it unless it is told otherwise: then what would be hidden is an error.
        var plain = await PostgresTools.DumpAsync(binaries, Database.OwnerUrl, ["--data-only"], Token);
        plain.ExitCode.ShouldNotBe(0);
        plain.Error.ShouldContain("row-level security");

        var whole = await PostgresTools.DumpAsync(binaries, Database.OwnerUrl, ["--data-only", "--enable-row-security"], Token);
        whole.ExitCode.ShouldBe(0, whole.Error);
        var rows = int.Parse((await LookAsync(Database.Name, "select count(*) from public.mcp_interaction_logs"))!,
            System.Globalization.CultureInfo.InvariantCulture);
        CopiedRows(whole.Output, "weir.mcp_interaction_logs_").ShouldBe(rows);
        CopiedRows(whole.Output, "public.organizations ").ShouldBeGreaterThan(0);

        foreach (var url in new[] { Database.EngineUrl, Database.GatewayUrl })
        {
            var other = await PostgresTools.DumpAsync(binaries, url, ["--data-only", "--enable-row-security"], Token);
            other.ExitCode.ShouldNotBe(0);
            other.Error.ShouldContain("permission denied");
        }
    }

    private static int CopiedRows(string dump, string table)
    {
        var (rows, inside) = (0, false);
        foreach (var line in dump.Split('\n'))
        {
            if (inside && line == @"\.")
            {
                inside = false;
            }
            else if (inside)
            {
                rows++;
            }
            else
            {
                inside = line.StartsWith("COPY " + table, StringComparison.Ordinal);
            }
        }

        return rows;
    }
}

public sealed class SupabaseBackupTests(Postgres17Database database) : WholeBackupSuite(database), IClassFixture<Postgres17Database>;

public sealed class NewestPostgresBackupTests(Postgres18Database database) : WholeBackupSuite(database), IClassFixture<Postgres18Database>;

public sealed class Postgres17Database(Postgres17Cluster cluster) : TestDatabase(cluster);

public sealed class Postgres18Database(Postgres18Cluster cluster) : TestDatabase(cluster);
