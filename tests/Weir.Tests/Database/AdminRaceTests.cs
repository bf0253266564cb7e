using System.Text.Json;
using Weir.Errors;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Database;

/// <summary>What two admins do at the same moment: the last place of a quota, one request, and an admin who is one no more.</summary>
public sealed class AdminRaceTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    private const int Rounds = 8;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string, string> Quotas => new()
    {
        { "max_mcp_servers", """select public.manage_mcp_servers('create', {org}, """
            + """'{"instance_name": "%", "url": "https://%.example.org/mcp"}')""" },
        { "max_agents", "select public.create_agent({org}, '%')" },
        { "max_workspaces", "select public.create_workspace({org}, '%')" },
        { "max_members", "select public.invite_member({org}, '%@example.org', 'member', repeat('%', 27) || {key})" },
    };

    public static TheoryData<string> AdminsWrites =>
    [
        """select public.grant_mcp_access({agent}, {server}, '{"tools": {"*": {}}}')""",
        "select public.revoke_mcp_access({agent}, {server})",
        "select public.create_agent({org}, 'late')",
        "select public.create_workspace({org}, 'late')",
        "select public.create_agent_key({agent}, 'late', 'latekey000000001', repeat('s', 43))",
        "select public.revoke_agent_key({key})",
        "select public.revoke_organization_api_key({key})",
        "select public.revoke_invitation({invitation})",
        "select public.decide_permission_request({request}, true)",
        "select public.manage_mcp_servers('stop', {org}, null, {server})",
        """select public.manage_mcp_servers('create', {org}, '{"instance_name": "late", "url": "https://late.example.org/mcp"}')""",
        "select public.set_member_role({org}, {pat}, 'admin')",
        "select public.set_member_status({org}, {pat}, 'suspended')",
        "select public.invite_member({org}, 'late@example.org', 'admin', repeat('l', 43))",
        "select public.create_organization_api_key({org}, 'late', 'lateorg000000001', repeat('s', 43), array['audit.read'])",
        "select public.set_model_settings({org}, '{}')",
        """select public.set_model_settings({org}, '{"retries": 1}')""",
        "select public.create_datastore({org}, 'late')",
    ];

    /// <summary>In order: the second waits for the first, and gets the place only where the first leaves it.</summary>
    [Theory]
    [MemberData(nameof(Quotas))]
    public async Task M12_the_second_admin_waits_for_the_first_and_finds_the_quota_used_up(string quota, string sql)
    {
        foreach (var isTaken in new[] { false, true })
        {
            var world = await WorldWithOnePlaceAsync(quota);
            await using var first = await HeldTransaction.BeginAsync(database.Pools.Gateway, world.Olga);
            await using var second = await HeldTransaction.BeginAsync(database.Pools.Gateway, world.Adam);
            ErrorOf(await first.RunAsync(world.Expand(sql).Replace('%', 'a'))).ShouldBeNull();
            var waiting = second.RunAsync(world.Expand(sql).Replace('%', 'b'));
            await second.WaitsForAsync(first, database.Superuser);
            if (isTaken)
            {
                await first.CommitAsync();
            }
            else
            {
                await first.DisposeAsync();
            }

            ErrorOf(await waiting).ShouldBe(isTaken ? "WR006" : null);
        }
    }

    [Fact]
    public async Task F09_a_member_who_waits_while_an_agent_comes_in_brings_in_nobody()
    {
        foreach (var comesIn in new[] { false, true })
        {
            var world = await RaceWorld.CreateAsync(database.Superuser);
            await database.Superuser.ExecuteAsync(world.Expand("delete from public.workspace_members where agent_id = {agent}"), [], Token);
            await using var admin = await HeldTransaction.BeginAsync(database.Pools.Gateway, world.Adam);
            await using var member = await HeldTransaction.BeginAsync(database.Pools.Gateway, world.Pat);
            ErrorOf(await admin.RunAsync(world.Expand("select public.add_workspace_member({workspace}, agent_id => {agent})")))
                .ShouldBeNull();
            var waiting = member.RunAsync(world.Expand("select public.add_workspace_member({workspace}, user_id => {mia})"));
            await member.WaitsForAsync(admin, database.Superuser);
            if (comesIn)
            {
                await admin.CommitAsync();
            }
            else
            {
                await admin.DisposeAsync();
            }

            ErrorOf(await waiting).ShouldBe(comesIn ? "WR003" : null);
        }
    }

    /// <summary>Out of order, as it happens.</summary>
    [Theory]
    [MemberData(nameof(Quotas))]
    public async Task M12_two_admins_do_not_both_get_the_last(string quota, string sql)
    {
        for (var round = 0; round < Rounds; round++)
        {
            var world = await WorldWithOnePlaceAsync(quota);

            var outcomes = await Task.WhenAll(
                OutcomeAsync(world.Olga, world.Expand(sql).Replace('%', 'a')),
                OutcomeAsync(world.Adam, world.Expand(sql).Replace('%', 'b')));

            outcomes.ShouldBe([null, ErrorCode.QuotaExceeded], ignoreOrder: true);
        }
    }

    [Fact]
    public async Task A06_a_request_is_decided_once_though_two_admins_answer_at_once()
    {
        for (var round = 0; round < Rounds; round++)
        {
            var world = await RaceWorld.CreateAsync(database.Superuser);
            var outcomes = await Task.WhenAll(new[] { world.Olga, world.Adam, world.Olga, world.Adam }.Select(
                admin => OutcomeAsync(admin, world.Expand("select public.decide_permission_request({request}, true)"))));

            outcomes.Count(o => o is null).ShouldBe(1);
            outcomes.Count(o => o is ErrorCode.Conflict).ShouldBe(3);
            (await database.Superuser.ScalarAsync<long>(
                world.Expand("select count(*) from public.agent_mcp_permissions where agent_id = {agent} and revoked_at is null"), [],
                Token)).ShouldBe(1);
            (await database.Superuser.ScalarAsync<long>(
                world.Expand("select count(*) from public.agent_mcp_permissions where agent_id = {agent}"), [], Token)).ShouldBe(2);
        }
    }

    [Fact]
    public async Task A06_what_was_granted_for_one_is_nothing_for_another_and_is_not_granted_again()
    {
        var (world, other) = (await RaceWorld.CreateAsync(database.Superuser), await RaceWorld.CreateAsync(database.Superuser));
        var decide = world.Expand("select public.decide_permission_request({request}, true)");

        // The admin of another organization, the one who asked, who is only a member; and then twice.
        (await OutcomeAsync(other.Adam, decide)).ShouldBe(ErrorCode.NotFound);
        (await OutcomeAsync(world.Mia, decide)).ShouldBe(ErrorCode.Forbidden);
        (await OutcomeAsync(world.Adam, decide)).ShouldBeNull();
        (await OutcomeAsync(world.Adam, world.Expand("select public.revoke_mcp_access({agent}, {server})"))).ShouldBeNull();
        (await OutcomeAsync(world.Adam, decide)).ShouldBe(ErrorCode.Conflict);
        (await database.Superuser.ScalarAsync<long>(
            world.Expand("select count(*) from public.agent_mcp_permissions where agent_id = {agent} and revoked_at is null"), [],
            Token)).ShouldBe(0);
        (await database.Superuser.ScalarAsync<long>(
            other.Expand("select count(*) from public.agent_mcp_permissions where agent_id = {agent}"), [], Token)).ShouldBe(1);
    }

    /// <summary>
    /// Who may was looked at before the lock came: by then it is not so any more, though they are an admin elsewhere still.
    /// </summary>
    [Theory]
    [MemberData(nameof(AdminsWrites))]
    public async Task A16_an_admins_write_that_waited_for_their_suspension_is_refused(string sql)
    {
        var (world, other) = (await RaceWorld.CreateAsync(database.Superuser), await RaceWorld.CreateAsync(database.Superuser));
        await database.Superuser.ExecuteAsync(
            other.Expand("insert into public.organization_members (organization_id, user_id, role) values ({org}, $1, 'admin')"),
            [Sql.Uuid(world.Adam)], Token);
        await using var suspension = await HeldTransaction.BeginAsync(database.Superuser);
        await suspension.RunAsync(
            world.Expand("update public.organization_members set status = 'suspended' where user_id = {adam} and organization_id = {org}"));
        await using var write = await HeldTransaction.BeginAsync(database.Pools.Gateway, world.Adam);
        var waiting = write.RunAsync(world.Expand(sql));
        await write.WaitsForAsync(suspension, database.Superuser);

        await suspension.CommitAsync();

        ErrorOf(await waiting).ShouldBeOneOf("WR003", "WR004");
    }

    private static string? ErrorOf(string? answer) =>
        JsonElement.Parse(answer!).TryGetProperty("error", out var error) ? error.GetString() : null;

    /// <summary>Null: it was done.</summary>
    private async Task<ErrorCode?> OutcomeAsync(Guid person, string sql)
    {
        try
        {
            await database.Users.CallAsync(person, sql, [], Token);
            return null;
        }
        catch (WeirException e)
        {
            return e.Code;
        }
    }

    private async Task<RaceWorld> WorldWithOnePlaceAsync(string quota)
    {
        var world = await RaceWorld.CreateAsync(database.Superuser);
        var used = quota == "max_members" ? 5 : 1;
        await database.Superuser.ExecuteAsync(
            world.Expand($"update public.organizations set {quota} = {used + 1} where id = {{org}}"), [], Token);
        return world;
    }
}
