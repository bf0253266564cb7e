using Npgsql;
using Weir.Gateway.Admission;
using Weir.Gateway;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Database;

/// <summary>
/// Every way in which a permission can end, while calls come through two replicas: each with its own pools and the gateway's own queries.
/// Whatever the way, through a published function or past all of them, once it has committed no call is admitted, and no call ever waits.
/// </summary>
public abstract class RevocationRaceSuite(TestDatabase database)
{
    private const string Admitted = "admitted";

    /// <summary>Bounds a call that waits, which none may.</summary>
    private static readonly TimeSpan AtOnce = TimeSpan.FromSeconds(20);

    private static readonly Dictionary<string, Revocation> Revocations = new(StringComparer.Ordinal)
    {
        // By published functions, and by what the engine and the platform do
        ["revoke_mcp_access"] = new("olga", "select public.revoke_mcp_access({agent}, {server})", "no_grant"),
        ["a narrower grant"] = new(
            "adam", """select public.grant_mcp_access({agent}, {server}, '{"tools": {"other": {}}}')""", "item_not_granted"),
        ["a grant with a rule"] = new(
            "adam", """select public.grant_mcp_access({agent}, {server}, '{"tools": {"echo": {"args": {"path": {"type": "string"}}}}}')""",
            "argument_rule"),
        ["a grant of later"] = new(
            "adam",
            """select public.grant_mcp_access({agent}, {server}, '{"tools": {"echo": {}}}', not_before => now() + interval '1 day')""",
            "no_grant"),
        ["revoke_agent_key"] = new("mia", "select public.revoke_agent_key({key})", "key_revoked"),
        ["suspended"] = new("adam", "select public.set_member_status({org}, {mia}, 'suspended')", "member_inactive"),
        ["removed"] = new("adam", "select public.set_member_status({org}, {mia}, 'removed')", "key_revoked"),
        ["made a viewer"] = new("adam", "select public.set_member_role({org}, {mia}, 'viewer')", "user_forbidden"),
        ["leave_organization"] = new("mia", "select public.leave_organization({org})", "key_revoked"),
        ["pat suspended"] = new("adam", "select public.set_member_status({org}, {pat}, 'suspended')", "member_inactive", ByPat: true),
        ["pat removed"] = new("adam", "select public.set_member_status({org}, {pat}, 'removed')", "member_inactive", ByPat: true),
        ["pat made a viewer"] = new("adam", "select public.set_member_role({org}, {pat}, 'viewer')", "user_forbidden", ByPat: true),
        ["mia suspended, pat calls"] = new(
            "adam", "select public.set_member_status({org}, {mia}, 'suspended')", "member_inactive", ByPat: true),
        ["stop"] = new("adam", "select public.manage_mcp_servers('stop', {org}, null, {server})", "unavailable"),
        ["set_agent_active"] = new("mia", "select public.set_agent_active({agent}, false)", "agent_stopped"),
        ["the platform's stop"] = new("migrator", "select weir.switch_platform(false)", "platform_stopped"),
        ["stop by the id"] = new("adam", "select public.stop_mcp_server_instance({server})", "unavailable"),
        ["delete"] = new("adam", "select public.manage_mcp_servers('delete', {org}, null, {server})", "instance_unknown"),
        ["a report of failure"] = new(
            "engine", "select weir.record_instance_state({server}, 2, 'failed', 'exited', 'It ended.')", "unavailable"),
        ["a changed definition"] = new(
            "engine",
            """select weir.record_definitions({server}, 2, array['tool'], array['echo'], array[sha256('changed')], """
                + """array['{"name":"echo"}'], '{}')""", "definition_not_approved"),
        ["a definition that is gone"] = new(
            "engine",
            """select weir.record_definitions({server}, 2, array['tool'], array['other'], array[sha256('other')], """
                + """array['{"name":"other"}'], '{}')""", "definition_not_approved"),
        ["blocked in the catalog"] = new("migrator", "select weir.block_catalog_server({slug}, null, 'It leaks.')", "catalog_blocked"),

        // By direct SQL
        ["sql: a grant revoked"] = new("superuser", "update public.agent_mcp_permissions set revoked_at = now() where agent_id = {agent}",
            "no_grant", Table: "agent_mcp_permissions"),
        ["sql: a grant deleted"] = new(
            "superuser", "delete from public.agent_mcp_permissions where agent_id = {agent}", "no_grant", Table: "agent_mcp_permissions"),
        ["sql: a key revoked"] = new("superuser", "update public.agent_api_keys set revoked_at = now() where key_id = {key}", "key_revoked",
            Table: "agent_api_keys"),
        ["sql: a key deleted"] = new(
            "superuser", "delete from public.agent_api_keys where key_id = {key}", "key_unknown", Table: "agent_api_keys"),
        ["sql: an agent deactivated"] = new(
            "superuser", "update public.agents set stopped_at = now() where id = {agent}", "agent_stopped", Table: "agents"),
        ["sql: an agent deleted"] = new("superuser", "delete from public.agents where id = {agent}", "key_unknown"),
        ["sql: an agent without its owner"] = new(
            "superuser", "update public.agents set user_id = null where id = {agent}", "member_inactive", Table: "agents"),
        ["sql: a member suspended"] = new("superuser", "update public.organization_members set status = 'suspended' where user_id = {mia}",
            "member_inactive", Table: "organization_members"),
        ["sql: a member removed"] = new("superuser", "delete from public.organization_members where user_id = {mia}", "member_inactive"),
        ["sql: a member made a viewer"] = new("superuser", "update public.organization_members set role = 'viewer' where user_id = {mia}",
            "user_forbidden", Table: "organization_members"),
        ["sql: a person deleted"] = new("superuser", "delete from auth.users where id = {mia}", "member_inactive"),
        ["sql: the agent leaves the workspace"] = new("superuser", "delete from public.workspace_members where agent_id = {agent}",
            "user_forbidden", ByPat: true, Table: "workspace_members"),
        ["sql: pat leaves the workspace"] = new("superuser", "delete from public.workspace_members where user_id = {pat}", "user_forbidden",
            ByPat: true, Table: "workspace_members"),
        ["sql: an organization deactivated"] = new("superuser",
            "update public.organizations set platform_stopped_at = now() where id = {org}", "organization_stopped", Table: "organizations"),
        ["sql: a server stopped"] = new("superuser", "update public.mcp_server_instances set status = 'stopping' where id = {server}",
            "unavailable", Table: "mcp_server_instances"),
        ["sql: a server switched off"] = new("superuser", "update public.mcp_server_instances set stopped_at = now() where id = {server}",
            "server_stopped", Table: "mcp_server_instances"),
        ["sql: a server deleted"] = new("superuser", "delete from public.mcp_server_instances where id = {server}", "instance_unknown"),
        ["sql: a definition quarantined"] = new(
            "superuser", "update public.mcp_server_tools set status = 'quarantined' where instance_id = {server}",
            "definition_not_approved", Table: "mcp_server_tools"),
        ["sql: a definition not announced"] = new(
            "superuser", "update public.mcp_server_tools set announced = false where instance_id = {server}", "definition_not_approved",
            Table: "mcp_server_tools"),
        ["sql: a definition deleted"] = new("superuser", "delete from public.mcp_server_tools where instance_id = {server}",
            "definition_not_approved", Table: "mcp_server_tools"),
        ["sql: blocked in the catalog"] = new(
            "superuser", "update public.mcp_server_catalog set blocked_at = now(), block_reason = 'x' where id = {catalog}",
            "catalog_blocked", Table: "mcp_server_catalog"),
    };

    // Kept for all tests of the class: a new connection plans the whole of admission anew.
    private readonly Databases _first = database.Pools;
    private readonly Databases _second = database.SecondPools;

    public static TheoryData<string> Kinds => [.. Revocations.Keys];

    public static TheoryData<string> KindsOfOneTable => [.. Revocations.Where(r => r.Value.Table is not null).Select(r => r.Key)];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A16_until_its_commit_calls_are_answered_changing_at_once_and_afterwards_denied(string kind)
    {
        var revocation = Revocations[kind];
        var world = await RaceWorld.CreateAsync(database.Superuser);
        await ShouldAllAnswerAsync(Admitted, world, revocation);

        await using (var undone = await BeginAsync(world, revocation.Actor))
        {
            await RevokeAsync(undone, world, revocation);
            await ShouldAllAnswerAsync("changing", world, revocation);
        }

        await ShouldAllAnswerAsync(Admitted, world, revocation);
        await using var done = await BeginAsync(world, revocation.Actor);
        await RevokeAsync(done, world, revocation);
        await ShouldAllAnswerAsync("changing", world, revocation);
        await done.CommitAsync();
        await ShouldAllAnswerAsync(revocation.Reason, world, revocation);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A16_it_waits_for_the_admission_that_runs_and_nobody_waits_for_it(string kind)
    {
        var revocation = Revocations[kind];
        var world = await RaceWorld.CreateAsync(database.Superuser);
        await using var admission = await HeldTransaction.BeginAsync(_second.Admission);
        (await admission.RunAsync(world.AdmitSql)).ShouldBe(Admitted);

        await using var change = await BeginAsync(world, revocation.Actor);
        var revoking = RevokeAsync(change, world, revocation);
        await change.WaitsForAsync(admission, database.Superuser);
        await ShouldAllAnswerAsync("changing", world, revocation);
        revoking.IsCompleted.ShouldBeFalse();

        await admission.CommitAsync();
        await revoking;
        await change.CommitAsync();
        await ShouldAllAnswerAsync(revocation.Reason, world, revocation);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A16_in_a_crowd_of_calls_none_that_begins_after_its_commit_is_admitted(string kind)
    {
        var revocation = Revocations[kind];
        var world = await RaceWorld.CreateAsync(database.Superuser);
        var (admitted, late, admittedLate, committed, stop) = (0, 0, 0, false, false);
        async Task HammerAsync(Databases replica)
        {
            while (!Volatile.Read(ref stop))
            {
                var isLate = Volatile.Read(ref committed);
                var isAdmitted = await DecideAsync(replica, world, revocation) == Admitted;
                Interlocked.Add(ref admitted, isAdmitted ? 1 : 0);
                Interlocked.Add(ref late, isLate ? 1 : 0);
                Interlocked.Add(ref admittedLate, isLate && isAdmitted ? 1 : 0);
            }
        }

        var hammers = Enumerable.Range(0, 4).Select(i => HammerAsync(i % 2 == 0 ? _first : _second)).ToArray();
        await Until.True(() => Volatile.Read(ref admitted) > 10, "calls are admitted");
        await using var change = await BeginAsync(world, revocation.Actor);
        await RevokeAsync(change, world, revocation);
        await change.CommitAsync();
        Volatile.Write(ref committed, true);
        await Until.True(() => Volatile.Read(ref late) > 10, "calls after the commit");
        Volatile.Write(ref stop, true);
        await Task.WhenAll(hammers);

        admittedLate.ShouldBe(0);
    }

    /// <summary>That the tests above can fail: without the table's triggers a call is admitted in the middle of the revocation.</summary>
    [Theory]
    [MemberData(nameof(KindsOfOneTable))]
    public async Task Without_the_triggers_of_its_table_it_is_seen_only_after_its_commit(string kind)
    {
        var revocation = Revocations[kind];
        var world = await RaceWorld.CreateAsync(database.Superuser);
        await using var change = await BeginAsync(world, revocation.Actor);
        await change.RunAsync($"alter table public.{revocation.Table} disable trigger user");

        await RevokeAsync(change, world, revocation);

        await ShouldAllAnswerAsync(Admitted, world, revocation);
    }

    [Fact]
    public async Task A16_the_migrator_who_lifts_row_level_security_takes_the_lock_like_anybody()
    {
        var world = await RaceWorld.CreateAsync(database.Superuser);
        var revocation = Revocations["sql: an agent deactivated"] with { Actor = "migrator" };
        await database.Owner.ExecuteAsync("alter table public.agents no force row level security", [], Token);
        try
        {
            await using var change = await BeginAsync(world, revocation.Actor);
            await RevokeAsync(change, world, revocation);
            await ShouldAllAnswerAsync("changing", world, revocation);
            await change.CommitAsync();
            await ShouldAllAnswerAsync(revocation.Reason, world, revocation);
        }
        finally
        {
            await database.Owner.ExecuteAsync("alter table public.agents force row level security", [], Token);
        }
    }

    /// <summary>
    /// The lock that a change takes stops the organization's admission, so a refusal must not take it: in a loop it would stop every agent.
    /// </summary>
    [Theory]
    [InlineData("select public.set_member_role({org}, {pat}, 'viewer')", "WR003")]
    [InlineData("select public.set_member_status({org}, {mia}, 'suspended')", "WR003")]
    [InlineData("select public.transfer_ownership({org}, {pat})", "WR00")]
    [InlineData("select public.manage_mcp_servers('stop', {org}, null, {server})", "WR003")]
    [InlineData("select public.revoke_mcp_access({agent}, {server})", "WR003")]
    [InlineData("select public.grant_mcp_access({agent}, {server}, '{}')", "WR003")]
    [InlineData("select public.invite_member({org}, 'x@example.org', 'member', repeat('x', 43))", "WR003")]
    [InlineData("select public.decide_permission_request({request}, true)", "WR00")]
    [InlineData("select public.revoke_agent_key({key})", "WR00")]
    [InlineData("select public.revoke_invitation({invitation})", "WR00")]
    [InlineData("select public.add_workspace_member({workspace}, agent_id => {agent})", "WR003")]
    [InlineData("select public.add_workspace_member({workspace}, user_id => {mia})", "WR003")]
    [InlineData("select public.add_workspace_member({workspace}, user_id => {pat})", "workspace_id")]
    public async Task What_a_viewer_may_not_change_or_has_changed_already_holds_no_call_up(string sql, string answer)
    {
        var world = await RaceWorld.CreateAsync(database.Superuser);
        await database.Superuser.ExecuteAsync(
            world.Expand("update public.organization_members set role = 'viewer' where user_id = {pat}"), [], Token);
        await using var refused = await HeldTransaction.BeginAsync(database.Pools.Gateway, world.Pat);
        (await refused.RunAsync(world.Expand(sql))).ShouldNotBeNull().ShouldContain(answer);

        await ShouldAllAnswerAsync(Admitted, world, Revocations["revoke_mcp_access"]);
    }

    private async Task<HeldTransaction> BeginAsync(RaceWorld world, string actor) => actor switch
    {
        "olga" => await HeldTransaction.BeginAsync(database.Pools.Gateway, world.Olga),
        "adam" => await HeldTransaction.BeginAsync(database.Pools.Gateway, world.Adam),
        "mia" => await HeldTransaction.BeginAsync(database.Pools.Gateway, world.Mia),
        "engine" => await HeldTransaction.BeginAsync(database.Pools.Engine),
        "migrator" => await HeldTransaction.BeginAsync(database.Owner),
        _ => await HeldTransaction.BeginAsync(database.Superuser),
    };

    private static async Task RevokeAsync(HeldTransaction transaction, RaceWorld world, Revocation revocation) =>
        (await transaction.RunAsync(world.Expand(revocation.Sql)) ?? "").ShouldNotContain("\"error\"");

    private async Task ShouldAllAnswerAsync(string answer, RaceWorld world, Revocation revocation)
    {
        foreach (var replica in new[] { _first, _second })
        {
            (await DecideAsync(replica, world, revocation).WaitAsync(AtOnce, TimeProvider.System, Token)).ShouldBe(answer);
        }
    }

    private static async Task<string> DecideAsync(Databases replica, RaceWorld world, Revocation revocation)
    {
        var decision = (await new AdmissionQueries(replica, Guid.Empty).AdmitAsync([world.Call(revocation.ByPat)]))[0];
        return decision.Admitted ? Admitted : decision.Reason!;
    }

    /// <param name="Actor">Who does it: a person, the engine, the migrator, or the superuser.</param>
    /// <param name="Reason">Why calls are denied afterwards.</param>
    /// <param name="ByPat">The call that it ends is pat's through the agent, not the agent's own.</param>
    /// <param name="Table">The only table that it touches.</param>
    private sealed record Revocation(string Actor, string Sql, string Reason, bool ByPat = false, string? Table = null);
}

public sealed class RevocationRaceTests(TestDatabase database) : RevocationRaceSuite(database), IClassFixture<TestDatabase>;

/// <summary>The same on a database as a Supabase project's.</summary>
public sealed class RevocationRaceOnSupabaseTests(SupabaseDatabase database)
    : RevocationRaceSuite(database), IClassFixture<SupabaseDatabase>;
