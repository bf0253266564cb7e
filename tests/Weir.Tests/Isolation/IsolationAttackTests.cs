using Weir.Isolation.Attack;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Isolation;

/// <summary>The attack on isolation that holds, and on one with a single hole, made in the transaction of the attack.</summary>
public sealed class IsolationAttackTests(MigratedSupabase supabase) : IClassFixture<MigratedSupabase>
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    /// <summary>A kind of finding, where it must show, and the hole.</summary>
    public static TheoryData<string, string, string> Holes => new()
    {
        { "attack-read", "public.agents", "create policy everybody on public.agents for select to authenticated using (true)" },
        { "attack-write", "public.agents", "grant delete on public.agents to authenticated" },
        { "attack-oracle", "public.explain_mcp_access", Without(
            "weir.explain_mcp_access", " and i.organization_id = v_agent.organization_id") },
        { "attack-answer", "public.get_organization_mcp_configs", Replaced(
            "weir.get_organization_mcp_configs", "m.user_id = v_actor", "true") },
        { "attack-change", "public.revoke_mcp_access", Replaced("weir.my_organizations", "m.user_id = weir.actor_id()", "true") },
        { "attack-identity", "public.organizations", Without("weir.actor_id", "v_claims ->> ''role'' = ''authenticated''\n     and ") },
        { "attack-weir", "weir.actor_id", "grant usage on schema weir to authenticated" },
        { "attack-shadow", "public.create_works"
            + "pace",
            Replaced("weir.my_organizations", "public.organization_members", "organization_members",
                "alter function weir.my_organizations(text) set search_path = public") },
    };

    [Theory]
    [MemberData(nameof(Holes))]
    public async Task A_hole_is_found(string id, string @object, string hole)
    {
        await using var rehearsal = await Rehearsal.BeginAsync(supabase.Project.SuperuserUrl, Cancelled);
        await rehearsal.ExecuteAsync(hole, Cancelled);

        var findings = (await IsolationAttack.RunAsync(rehearsal, Cancelled)).Findings;

        findings.ShouldContain(f => f.Id == id && f.Object.StartsWith(@object, StringComparison.Ordinal), string.Join('\n', findings));
    }

    [Fact]
    public void No_kind_of_finding_is_without_a_hole_that_it_reports() =>
        Ledger.Ids.ShouldBe(Holes.Select(h => h.Data.Item1).Concat(InsiderAttackTests.Holes.Select(h => h.Id)), ignoreOrder: true);

    [Fact]
    public void The_page_lists_every_kind_of_finding() =>
        File.ReadAllLines(Repository.PathOf("docs/isolation.md")).Where(line => line.StartsWith("| `attack-", StringComparison.Ordinal))
            .Select(line => line.Split('`')[1]).ShouldBe(Ledger.Ids);

    [Fact]
    public async Task Nothing_is_found_in_a_supabase_project_as_migrated_and_nothing_is_left_there()
    {
        var before = await StateAsync();
        await using (var rehearsal = await Rehearsal.BeginAsync(supabase.Project.OwnerUrl, Cancelled))
        {
            var ledger = await IsolationAttack.RunAsync(rehearsal, Cancelled);

            ledger.Findings.ShouldBeEmpty(string.Join('\n', ledger.Findings));
            ledger.Notes.ShouldBeEmpty();
            ledger.Attempts.ShouldBeGreaterThan(1000);
        }

        (await StateAsync()).ShouldBe(before);
    }

    [Fact]
    public async Task What_could_not_be_tried_is_a_note()
    {
        await using var rehearsal = await Rehearsal.BeginAsync(supabase.Project.OwnerUrl, Cancelled);
        await rehearsal.ExecuteAsync("revoke temporary on database weir from public, postgres", Cancelled);

        var ledger = await IsolationAttack.RunAsync(rehearsal, Cancelled);

        ledger.Notes.ShouldHaveSingleItem().Id.ShouldBe("attack-shadow");
        ledger.Findings.ShouldBeEmpty();
    }

    [Fact]
    public async Task It_tries_what_is_there_and_not_what_a_list_says()
    {
        await using var rehearsal = await Rehearsal.BeginAsync(supabase.Project.SuperuserUrl, Cancelled);
        // A table and a function that no release has, both with a hole.
        foreach (var statement in new[]
        {
            "create table public.notes (organization_id uuid not null, note text)",
            "comment on table public.notes is 'tenant: notes'",
            "alter table public.notes owner to postgres; grant select on public.notes to authenticated; insert into public.notes select "
                + "id, name from public.organizations",
            "create function public.agent_names(whose uuid) returns text language sql security definer set search_path = pg_catalog, "
                + "pg_temp as 'select string_agg(name, '','') from public.agents where organization_id = whose'",
            "insert into public.notes values (gen_random_uuid(), 'of a tenant that was there before')",
        })
        {
            await rehearsal.ExecuteAsync(statement, Cancelled);
        }

        var found = (await IsolationAttack.RunAsync(rehearsal, Cancelled)).Findings.Select(f => $"{f.Id} {f.Object}");

        found.ShouldBe(
            ["attack-read public.notes", "attack-answer public.agent_names(whose uuid)", "attack-oracle public.agent_names(whose uuid)"],
            ignoreOrder: true);
    }

    [Fact]
    public void A_twin_is_another_id_of_the_same_time()
    {
        const string Id = "019ac2d4-5e6f-7abc-8def-0123456789ab";

        var twin = Arguments.Twin(Id);

        twin.ShouldNotBe(Id);
        twin[..18].ShouldBe(Id[..18]);
        Arguments.Twin("abcdef0123456789").Length.ShouldBe(16);
    }

    private static string Without(string function, string text) => Replaced(function, text, "");

    private static string Replaced(string function, string old, string @new, string then = "") => $"""
        do $hole$
        declare
          v_whole constant text := pg_get_functiondef('{function}'::regproc);
        begin
          if position('{old}' in v_whole) = 0 then
            raise 'the text is not there: the hole would be none';
          end if;
          execute replace(v_whole, '{old}', '{@new}');
          {(then.Length == 0 ? "" : then + ";")}
        end $hole$
        """;

    private async Task<string> StateAsync()
    {
        await using var superuser = supabase.Project.Superuser;
        return (await superuser.ScalarAsync<string>("""
            select concat_ws(' ', (select count(*) from auth.users), (select count(*) from public.organizations), (select count(*) from public.mcp_interaction_logs),
                             (select count(*) from weir.security_events), (select count(*) from weir.change_versions), (select count(*) from pg_auth_members))
            """, [], Cancelled))!;
    }
}
