using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Database;

/// <summary>
/// An organization that keeps its own lock busy, beside one whose servers are at the same node: only its own work is left for later.
/// </summary>
public sealed class BusyLockTests(TestDatabase database) : IClassFixture<TestDatabase>, IAsyncLifetime
{
    private const string Status = "select concat_ws(' ', status, last_error_code) from public.mcp_server_instances where id = {server}";
    private const string Node = "'01900000-0000-7000-8000-00000000b054'::uuid";

    /// <summary>Half of the time after which a statement is given up.</summary>
    private static readonly TimeSpan AtOnce = TimeSpan.FromSeconds(5);

    private RaceWorld _busy = null!;
    private RaceWorld _bystander = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <remarks>The busy one comes first in the order in which several organizations' locks are taken.</remarks>
    public async ValueTask InitializeAsync()
    {
        (_busy, _bystander) = (await RaceWorld.CreateAsync(database.Superuser), await RaceWorld.CreateAsync(database.Superuser));
        await database.Superuser.ExecuteAsync(
            $"""
            insert into weir.dtma_nodes (id, name, region, key_hash, api_url, sealed_api_key, capability_version, isolation, runtimes, is_online, registered_at, heartbeat_at)
            values ({Node}, 'busy', 'default', sha256('busy'), 'http://127.0.0.1:1', '\x00', 1, 'user', array['process'], true, now(), now())
            on conflict (id) do update set is_online = true, heartbeat_at = now()
            """,
            [],
            Token);
        await OnBothAsync($"update public.mcp_server_instances set node_id = {Node} where id = {{server}}");
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact]
    public async Task F11_an_organization_that_keeps_its_lock_busy_delays_no_others_placement()
    {
        await OnBothAsync(
            "update public.mcp_server_instances set status = 'deploying', node_id = null, generation = 3 where id = {server}");
        await OnBothAsync(
            "insert into weir.dtma_operations (organization_id, instance_id, action, generation) values ({org}, {server}, 'deploy', 3)");

        await using (var held = await HoldAsync())
        {
            (await ClaimAsync()).ShouldBe([_bystander.Expand("{org}")]);
        }

        await OnBothAsync("update weir.dtma_operations set run_at = clock_timestamp() where instance_id = {server}");
        (await ClaimAsync()).ShouldBe([_busy.Expand("{org}")]);
    }

    [Fact]
    public async Task F11_an_organization_that_keeps_its_lock_busy_delays_no_heartbeat_of_its_node()
    {
        await using (var held = await HoldAsync())
        {
            (await HeartbeatAsync()).ShouldBe(1);
            (await StatusAsync(_bystander)).ShouldBe("degraded timed_out");
            (await StatusAsync(_busy)).ShouldBe("running");
            (await database.Superuser.ScalarAsync<bool>(
                $"select is_online and status = '{{}}' from weir.dtma_nodes where id = {Node}", [], Token)).ShouldBeTrue();
        }

        (await HeartbeatAsync()).ShouldBe(1);
        (await StatusAsync(_busy)).ShouldBe("degraded timed_out");
    }

    [Fact]
    public async Task F11_an_organization_that_keeps_its_lock_busy_delays_no_sweep_of_lost_nodes()
    {
        await using (var held = await HoldAsync())
        {
            (await SweepAsync()).ShouldBe(1);
            (await StatusAsync(_bystander)).ShouldBe("degraded node_lost");
            (await StatusAsync(_busy)).ShouldBe("running");
        }

        (await SweepAsync()).ShouldBe(0);
        (await StatusAsync(_busy)).ShouldBe("degraded node_lost");
    }

    [Fact]
    public async Task F11_a_server_whose_row_is_held_delays_no_heartbeat_either()
    {
        await using var held = await HeldTransaction.BeginAsync(database.Superuser);
        await held.RunAsync(_busy.Expand("select 1 from public.mcp_server_instances where id = {server} for update"));

        (await HeartbeatAsync()).ShouldBe(1);
        (await StatusAsync(_bystander)).ShouldBe("degraded timed_out");
    }

    private async Task<HeldTransaction> HoldAsync()
    {
        var held = await HeldTransaction.BeginAsync(database.Superuser);
        await held.RunAsync(_busy.Expand("select weir.lock_organization({org})"));
        return held;
    }

    /// <summary>Of these two organizations only: another test's may have become due in the same database.</summary>
    private async Task<string[]> ClaimAsync() =>
    [
        .. (await database.Pools.Engine.QueryAsync(
            "select organization_id from weir.claim_operations(gen_random_uuid(), 128, '1 minute')", [], r => r.GetGuid(0), Token)
            .WaitAsync(AtOnce, TimeProvider.System, Token)).Select(o => $"'{o}'::uuid")
            .Where(o => o == _busy.Expand("{org}") || o == _bystander.Expand("{org}")),
    ];

    private Task<int> HeartbeatAsync()
    {
        var reports = _busy.Expand("jsonb_build_object('id', {server}, 'generation', 2, 'state', 'degraded', 'errorCode', 'timed_out')")
            + "," + _bystander.Expand("jsonb_build_object('id', {server}, 'generation', 2, 'state', 'degraded', 'errorCode', 'timed_out')");
        return database.Pools.Engine.ScalarAsync<int>(
            $"select weir.node_heartbeat(sha256('busy'), null, '{{}}', jsonb_build_array({reports}))", [], Token)
            .WaitAsync(AtOnce, TimeProvider.System, Token);
    }

    private Task<int> SweepAsync() =>
        database.Pools.Engine.ScalarAsync<int>("select weir.sweep_nodes('0 seconds')", [], Token)
            .WaitAsync(AtOnce, TimeProvider.System, Token);

    private async Task<string?> StatusAsync(RaceWorld world) =>
        await database.Superuser.ScalarAsync<string>(world.Expand(Status), [], Token);

    private async Task OnBothAsync(string sql)
    {
        foreach (var world in new[] { _busy, _bystander })
        {
            await database.Superuser.ExecuteAsync($"set local session_replication_role = replica; {world.Expand(sql)}", [], Token);
        }
    }
}
