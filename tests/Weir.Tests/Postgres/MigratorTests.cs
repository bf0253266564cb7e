using Npgsql;
using Weir.Postgres;
using Weir.Postgres.Migrations;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Postgres;

public sealed class MigratorTests(TestCluster cluster)
{
    private static readonly MigrationScript Roles = new("0010_roles.sql", """
        do $$ declare r text; begin
          foreach r in array array['weir_gateway', 'weir_engine'] loop
            begin execute format('create role %I nologin', r); exception when duplicate_object or unique_violation then null; end;
          end loop;
        end $$;
        """);

    private static readonly MigrationScript Things = new("0020_things.sql", """
        -- It's here that splitters stumble; they cut inside the function.
        create table public.things (id int primary key, note text default 'a;b');
        create function public.kind(a int) returns text language sql begin atomic select case when a = 1 then 'one;' else 'many' end; select 'last'; end;
        comment on function public.kind(int) is 'what''s $1?';
        do $body$ begin perform 'x;'; end $body$;
        """);

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Scripts_run_once_in_order_and_are_journalled_with_their_checksum()
    {
        var url = await EmptyDatabaseAsync();

        var first = await MigrateAsync(url, Roles, Things);
        var second = await MigrateAsync(url, Roles, Things);

        first.Applied.ShouldBe(["0010_roles.sql", "0020_things.sql"]);
        second.Applied.ShouldBeEmpty();
        await using var owner = TestCluster.Source(url);
        var journal = await owner.QueryAsync("select name, checksum from weir.schema_migrations order by name", [],
            r => (r.GetString(0), r.GetFieldValue<byte[]>(1)), Cancelled);
        journal.Select(row => row.Item1).ShouldBe(["0010_roles.sql", "0020_things.sql"]);
        journal[1].Item2.ShouldBe(Things.Checksum);
    }

    [Fact]
    public async Task Replicas_that_start_together_migrate_one_after_the_other()
    {
        var url = await EmptyDatabaseAsync();

        var reports = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => MigrateAsync(url, Roles, Things)));

        reports.Sum(r => r.Applied.Count).ShouldBe(2);
    }

    [Fact]
    public async Task A_changed_script_is_refused()
    {
        var url = await EmptyDatabaseAsync();
        await MigrateAsync(url, Roles, Things);

        var refusal =
            await Should.ThrowAsync<MigrationException>(() => MigrateAsync(url, Roles, Things with { Text = Things.Text + "\nselect 1;" }));

        refusal.Message.ShouldContain("0020_things.sql is not what was applied");
    }

    [Fact]
    public async Task Line_ends_of_a_checkout_are_no_change()
    {
        var url = await EmptyDatabaseAsync();
        await MigrateAsync(url, Roles, Things);

        var report = await MigrateAsync(url, Roles, Things with { Text = Things.Text.ReplaceLineEndings("\r\n") });

        report.Applied.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_database_of_a_newer_release_is_refused()
    {
        var url = await EmptyDatabaseAsync();
        await MigrateAsync(url, Roles, Things);

        var refusal = await Should.ThrowAsync<MigrationException>(() => MigrateAsync(url, Roles));

        refusal.Message.ShouldContain("newer");
    }

    [Fact]
    public async Task A_foreign_table_of_our_name_is_refused_before_anything_is_changed()
    {
        var url = await EmptyDatabaseAsync();
        await using var owner = TestCluster.Source(url);
        await owner.ExecuteAsync("create table public.things (theirs text)", [], Cancelled);

        var refusal = await Should.ThrowAsync<MigrationException>(() => MigrateAsync(url, Roles, Things));

        refusal.Message.ShouldContain("public.things");
        (await owner.ScalarAsync<bool>("select to_regnamespace('weir') is null", [], Cancelled)).ShouldBeTrue();
    }

    [Fact]
    public async Task A_script_that_fails_leaves_nothing_of_itself_and_names_its_line()
    {
        var url = await EmptyDatabaseAsync();
        var broken = new MigrationScript("0030_broken.sql", "create table public.half (id int);\nselect 1;\nselect missing_column;\n");

        var failure = await Should.ThrowAsync<MigrationException>(() => MigrateAsync(url, Roles, Things, broken));

        failure.Message.ShouldContain("0030_broken.sql failed in line 3");
        await using var owner = TestCluster.Source(url);
        (await owner.ScalarAsync<bool>(
            "select to_regclass('public.half') is null and to_regclass('public.things') is not null", [], Cancelled)).ShouldBeTrue();
        (await MigrateAsync(url, Roles, Things)).Applied.ShouldBeEmpty();
    }

    [Fact]
    public async Task The_logins_take_the_passwords_of_their_urls_and_no_statement_carries_them()
    {
        var url = await EmptyDatabaseAsync();
        var database = url[(url.LastIndexOf('/') + 1)..];
        var gateway = TestCluster.InDatabase(cluster.Postgres.GatewayUrl, database);
        var engine = TestCluster.InDatabase(cluster.Postgres.EngineUrl, database);

        var report = await new Migrator(url, [Roles]).MigrateAsync(gateway, engine, Cancelled);

        report.Logins.ShouldBe(["weir_gateway", "weir_engine"]);
        await using var login = TestCluster.Source(gateway);
        (await login.ScalarAsync<string>("select session_user::text", [], Cancelled)).ShouldBe("weir_gateway");
    }

    [Fact]
    public async Task A_login_with_another_name_is_refused()
    {
        var url = await EmptyDatabaseAsync();

        var refusal = await Should.ThrowAsync<MigrationException>(() =>
            new Migrator(url, [Roles]).MigrateAsync("postgresql://postgres:secret@127.0.0.1/x", null, Cancelled));

        refusal.Message.ShouldContain("\"postgres\"");
        refusal.Message.ShouldNotContain("secret");
    }

    [Fact]
    public async Task A_database_that_does_not_answer_is_a_plain_error()
    {
        var refusal = await Should.ThrowAsync<MigrationException>(() => MigrateAsync("postgresql://weir_owner:x@127.0.0.1:1/x", Roles));

        refusal.InnerException.ShouldBeAssignableTo<NpgsqlException>();
    }

    private async Task<string> EmptyDatabaseAsync()
    {
        var name = await cluster.CreateDatabaseAsync(migrated: false);
        return TestCluster.InDatabase(cluster.Postgres.OwnerUrl, name);
    }

    private static Task<MigrationReport> MigrateAsync(string url, params MigrationScript[] scripts) =>
        new Migrator(url, scripts).MigrateAsync(null, null, Cancelled);
}
