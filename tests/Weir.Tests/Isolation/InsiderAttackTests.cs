using Weir.Isolation.Attack;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Isolation;

/// <summary>The part of the attack that somebody makes in their own organization.</summary>
public sealed class InsiderAttackTests(MigratedSupabase supabase) : IClassFixture<MigratedSupabase>
{
    /// <summary>Several at once, for an attack takes its time: what each opens is nothing that another one needs.</summary>
    internal static readonly (string Id, string Object, string Hole)[] Holes =
    [
        ("attack-value", "public.manage_mcp_servers",
            "create or replace function weir.bounds_error(p_value jsonb, p_max_bytes integer) returns text language sql immutable as "
                + "'select null::text'"),
        ("attack-cost", "public.grant_mcp_access",
            "create or replace function weir.max_cost() returns numeric language sql immutable as 'select 1e30'"),
        ("attack-agent", "public.add_workspace_member",
            "create or replace function weir.may_manage_agents_of(p_workspace_id uuid) returns boolean language sql stable as 'select "
                + "true'"),
        ("attack-catalog", "public.mcp_server_catalog", "grant select on public.mcp_server_catalog to authenticated"),
    ];

    [Fact]
    public async Task F02_F04_F09_F10_holes_inside_an_organization_are_found()
    {
        await using var rehearsal = await Rehearsal.BeginAsync(supabase.Project.SuperuserUrl, TestContext.Current.CancellationToken);
        foreach (var (_, _, hole) in Holes)
        {
            await rehearsal.ExecuteAsync(hole, TestContext.Current.CancellationToken);
        }

        var findings = (await IsolationAttack.RunAsync(rehearsal, TestContext.Current.CancellationToken)).Findings;

        findings.Select(f => f.Id).Distinct().ShouldBe(Holes.Select(h => h.Id), ignoreOrder: true, string.Join('\n', findings));
        Holes.ShouldAllBe(
            h => findings.Any(f => f.Id == h.Id && f.Object.StartsWith(h.Object, StringComparison.Ordinal)), string.Join('\n', findings));
    }
}
