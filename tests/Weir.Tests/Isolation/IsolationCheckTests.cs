using Weir.Isolation;
using Weir.Postgres;
using Weir.Postgres.Migrations;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Isolation;

/// <summary>
/// A Supabase project with Weir in it. Its cluster is its own, so that a test may change roles there, in a transaction that it rolls back.
/// </summary>
public sealed class MigratedSupabase : IAsyncLifetime
{
    public SupabaseProject Project { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Project = await SupabaseProject.StartAsync();
        await new Migrator(Project.OwnerUrl, MigrationScript.Embedded()).MigrateAsync(
            Project.GatewayUrl, Project.EngineUrl, CancellationToken.None);
    }

    public ValueTask DisposeAsync() => Project.DisposeAsync();
}

/// <summary>What the checks say of a database that is as migrated, and of one with a single thing changed.</summary>
public sealed class IsolationCheckTests(MigratedSupabase supabase) : IClassFixture<MigratedSupabase>
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    /// <summary>For each check what breaks its promise, and nothing else.</summary>
    public static TheoryData<string, string> Breaches => new()
    {
        { "rls-off", "alter table public.agents disable row level security" },
        { "rls-off", $"alter table weir.{Partition} disable row level security" },
        { "rls-not-forced", "alter table weir.settings no force row level security" },
        { "rls-not-forced", $"alter table weir.{Partition} no force row level security" },
        { "table-without-class", "comment on table public.workspaces is null" },
        { "table-without-class", "comment on table weir.replicas is 'the gateway''s processes'" },
        { "policy-without-role", "create policy someone on public.agents as restrictive for select using (id is not null)" },
        { "policy-open", "create policy everybody on public.agents for select to authenticated using (true)" },
        { "policy-open", "create policy everybody on public.user_profiles for select to anon using (1 = 1)" },
        { "policy-open", "create policy someone on public.workspaces for select to authenticated using ((select weir.actor_id()) is not "
            + "null)" },
        { "policy-open", "create policy writers on public.workspaces for insert to authenticated with check (true)" },
        { "policy-without-index", "drop index public.mcp_server_tools_instance_idx" },
        { "tenant-without-organization", "alter table public.workspaces alter column organization_id drop not null" },
        { "tenant-without-organization", "comment on table weir.settings is 'tenant: settings'" },
        { "reference-across-tenants", "alter table public.agent_api_keys add constraint by_agent_alone foreign key (agent_id) references "
            + "public.agents (id)" },
        { "partition-in-public", $"alter table weir.{Partition} set schema public" },
        { "rewrite-rule", "create rule swallow as on insert to public.agents do instead nothing" },
        { "trigger-disabled", "alter table public.agent_mcp_permissions disable trigger a_guard_grant" },
        { "trigger-disabled", "alter table public.agent_api_keys disable trigger all" },
        { "record-changeable", "drop trigger log_is_append_only on public.mcp_interaction_logs" },
        { "record-changeable", "drop trigger seals_are_append_only on weir.audit_seals" },
        { "record-truncatable", $"drop trigger log_is_not_truncated on weir.{Partition}" },
        { "record-truncatable", "drop trigger checkpoints_are_not_truncated on weir.audit_checkpoints" },
        { "view-as-owner", "create view public.all_agents as select * from public.agents" },
        { "view-as-owner", "create schema app; create view app.inner_view with (security_invoker = true) as select * from public.agents; "
            + "create view app.outer_view as select * from app.inner_view" },
        { "view-materialized", "create materialized view public.copied_agents as select * from public.agents; grant select on "
            + "public.copied_agents to authenticated" },
        { "definer-search-path", "alter function weir.my_agents() reset search_path" },
        { "definer-search-path", "alter function weir.my_agents() set search_path = public" },
        { "definer-search-path", "alter function weir.my_agents() set search_path = ''" },
        { "definer-search-path", "alter function weir.my_agents() set search_path = pg_temp, pg_catalog" },
        { "definer-search-path", "alter function weir.actor_id() set search_path = ''" },
        { "definer-search-path", "alter function weir.actor_id() reset search_path" },
        { "definer-search-path", "alter function weir.refuse_change() set search_path = public" },
        { "definer-unlisted", "create function weir.peek() returns bigint language sql security definer set search_path = pg_catalog, "
            + "pg_temp as 'select count(*) from public.agents'; revoke all on function weir.peek() from public" },
        { "definer-unlisted", "create schema app; create function app.peek() returns bigint language sql security definer set search_path "
            + "= pg_catalog, pg_temp as 'select count(*) from public.agents'; revoke all on function app.peek() from public" },
        { "definer-unlisted", "alter function weir.admit owner to weir_writer" },
        { "definer-unlisted", "alter function weir.decide security definer set search_path = pg_catalog, pg_temp" },
        { "function-for-public", "grant execute on function weir.cut(text, integer) to public" },
        { "function-for-public", "grant execute on function public.create_workspace(uuid, text) to public" },
        { "function-for-public", "create function public.peek() returns uuid language sql return weir.actor_id(); revoke all on function "
            + "public.peek() from anon, authenticated, service_role" },
        { "function-granted", "grant execute on function weir.admit to authenticated" },
        { "function-granted", "grant execute on function weir.find_login(text) to weir_writer" },
        { "function-granted", "grant execute on function weir.cut(text, integer) to anon" },
        { "function-granted", "grant execute on function public.create_workspace(uuid, text) to service_role" },
        { "schema-usage", "grant usage on schema weir to authenticated" },
        { "schema-usage", "grant usage on schema weir to public" },
        { "schema-create", "grant create on schema public to public" },
        { "schema-create", "grant create on schema weir to weir_writer" },
        { "grant-to-api-role", "grant update on public.agents to authenticated" },
        { "grant-to-api-role", "grant insert (name) on public.agents to anon" },
        { "grant-to-api-role", "grant select on weir.settings to authenticated" },
        { "grant-to-api-role", "create sequence weir.numbers; grant usage on sequence weir.numbers to authenticated" },
        { "grant-to-outsider", "grant select on public.agents to service_role" },
        { "grant-to-outsider", "grant select (name) on public.agents to public" },
        { "grant-to-outsider", "grant select on public.agents to weir_gateway" },
        { "grant-by-default", "alter default privileges for role postgres in schema weir grant select on tables to authenticated" },
        { "grant-by-default", "alter default privileges for role postgres grant execute on functions to anon" },
        { "role-power", "alter role weir_engine bypassrls" },
        { "role-power", "alter role authenticated createrole" },
        { "role-inherits", "alter role weir_gateway inherit" },
        { "role-membership", "grant service_role to weir_gateway" },
        { "role-membership", "grant vault_reader to authenticated" },
        { "role-membership", "grant anon to weir_engine" },
        { "role-membership", "revoke anon from weir_gateway" },
        { "role-owns", "alter table weir.settings owner to weir_engine" },
        { "role-owns", "create schema app authorization weir_gateway" },
        { "role-owns", "alter table public.agents owner to authenticated" },
        { "role-becomes-system", "create role intruder login; create role between in role weir_system; grant between to intruder" },
        { "role-setting", "alter role authenticated set search_path = pg_temp" },
        { "role-setting", "do $$ begin execute format('alter database %I set row_security = off', current_database()); end $$" },
    };

    private static string Partition => $"mcp_interaction_logs_{TimeProvider.System.GetUtcNow():yyyy_MM}";

    [Theory]
    [MemberData(nameof(Breaches))]
    public async Task A_breach_is_reported_by_the_check_of_its_promise_alone_and_a_fix_in_sql_mends_it(string id, string breach)
    {
        await using var rehearsal = await BreakAsync("create role vault_reader", breach);

        var findings = (await IsolationInspection.RunAsync(rehearsal, Cancelled)).Findings;

        findings.Select(f => f.Id).Distinct().ShouldBe([id], string.Join('\n', findings));
        findings.ShouldAllBe(f => f.Object.Length > 0 && f.Found.Length > 0 && !f.Fix.Contains('{'));
        if (findings.All(f => f.Fix.EndsWith(';')))
        {
            foreach (var finding in findings)
            {
                await rehearsal.ExecuteAsync(finding.Fix, Cancelled);
            }

            (await IsolationInspection.RunAsync(rehearsal, Cancelled)).Findings.ShouldBeEmpty();
        }
    }

    [Fact]
    public void No_check_is_without_a_breach_that_it_reports() =>
        IsolationCheck.Embedded.Where(c => !c.IsNote).Select(c => c.Id).ShouldBe(Breaches.Select(b => b.Data.Item1).Distinct());

    [Fact]
    public void The_page_lists_every_check_with_its_promise() =>
        File.ReadAllLines(Repository.PathOf("docs/isolation.md"))
            .Where(line => line.StartsWith("| `", StringComparison.Ordinal) && !line.StartsWith("| `attack-", StringComparison.Ordinal))
            .ShouldBe(IsolationCheck.Embedded.Select(c => $"| `{c.Id}` | {c.Promise}{(c.IsNote ? " A note, not a finding." : "")} |"));

    [Fact]
    public async Task What_is_published_to_replicas_is_a_note_and_no_finding()
    {
        var report = await InspectAsync("create publication changes for table public.agents");

        report.Findings.ShouldBeEmpty();
        report.Notes.Select(n => n.Id).ShouldBe(["temporary-for-callers", "published-to-replicas"]);
    }

    /// <summary>
    /// A project of Supabase gives it, to what else is there; no function of Weir's is misled by it, so it is no finding.
    /// </summary>
    [Theory]
    [InlineData("public", "select 1")]
    [InlineData("authenticated", "revoke temporary on database weir from public; grant temporary on database weir to authenticated")]
    [InlineData("weir_engine, public", "grant temporary on database weir to weir_engine")]
    public async Task Who_may_make_temporary_objects_is_a_note_with_its_fix(string roles, string breach)
    {
        await using var rehearsal = await BreakAsync(breach);

        var note = (await IsolationInspection.RunAsync(rehearsal, Cancelled)).Notes.ShouldHaveSingleItem();

        note.Id.ShouldBe("temporary-for-callers");
        note.Fix[(note.Fix.IndexOf("from ", StringComparison.Ordinal) + 5)..^1].Split(", ").ShouldBe(roles.Split(", "), ignoreOrder: true);
        await rehearsal.ExecuteAsync(note.Fix, Cancelled);
        (await IsolationInspection.RunAsync(rehearsal, Cancelled)).Notes.ShouldBeEmpty();
    }

    [Fact]
    public async Task What_an_application_has_beside_weir_is_its_own_affair()
    {
        var report = await InspectAsync(
            "set local role postgres",
            "create table public.todos (id bigint generated always as identity primary key, organization_id uuid references "
                + "public.organizations (id))",
            "create function public.todo_count() returns bigint language sql security definer as 'select count(*) from public.todos'",
            "create view public.all_todos as select * from public.todos",
            "reset role");

        report.Findings.ShouldBeEmpty(string.Join('\n', report.Findings));
    }

    [Fact]
    public async Task A_supabase_project_as_migrated_has_nothing_to_report()
    {
        await using var rehearsal = await Rehearsal.BeginAsync(supabase.Project.OwnerUrl, Cancelled);

        var report = await IsolationInspection.RunAsync(rehearsal, Cancelled);

        report.Findings.ShouldBeEmpty(string.Join('\n', report.Findings));
        report.Notes.ShouldHaveSingleItem().Id.ShouldBe("temporary-for-callers");
        report.Checks.ShouldBe(IsolationCheck.Embedded.Count);
    }

    private async Task<IsolationReport> InspectAsync(params string[] breaches)
    {
        await using var rehearsal = await BreakAsync(breaches);
        return await IsolationInspection.RunAsync(rehearsal, Cancelled);
    }

    private async Task<Rehearsal> BreakAsync(params string[] breaches)
    {
        var rehearsal = await Rehearsal.BeginAsync(supabase.Project.SuperuserUrl, Cancelled);
        foreach (var breach in breaches)
        {
            await rehearsal.ExecuteAsync(breach, Cancelled);
        }

        return rehearsal;
    }
}
