using Weir.Nodes;
using Weir.Postgres;
using Weir.Tests.Fixtures;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys;

/// <summary>What an instance's state says after its node was killed: each test has a node of its own to kill.</summary>
public sealed class LostNodesTests(TestCluster cluster) : IAsyncLifetime
{
    /// <summary>Far less than the silence after which a node is lost.</summary>
    private static readonly TimeSpan AtOnce = TimeSpan.FromSeconds(10);

    private readonly WeirWithNode _weir = new(cluster);
    private RawClient _agent = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await _weir.InitializeAsync();
        await _weir.AddAsync("victim", "weir-fixture", "1.0.0", "weir-fixture", []);
        _agent = new RawClient(_weir.Client(_weir.World.AgentKey));
    }

    public ValueTask DisposeAsync() => _weir.DisposeAsync();

    [Fact]
    public async Task A_node_that_is_killed_under_a_call_is_lost_at_once_and_once_and_its_next_heartbeat_brings_it_back()
    {
        (await StateAsync()).ShouldBe("running");
        var call = _agent.CallAsync("victim__hang");
        await Until.AsyncTrue(
            async () => (await _weir.LogAsync()).Any(r => r is { Phase: "requested", Item: "hang" }), "the call is admitted");
        // And has reached the server, which answers others meanwhile.
        (await _agent.CallAsync("victim__echo", """{"message": "there"}""")).Body.ShouldContain("there");

        await _weir.Node.KillAsync();

        (await call).ErrorCode.ShouldBe(1015);
        await Until.AsyncTrue(async () => await StateAsync() == "degraded node_lost", "the state says so", AtOnce);
        (await _agent.CallAsync("victim__echo", """{"message": "there"}""")).ErrorCode.ShouldBe(1015);
        (await EventsAsync()).ShouldBe(1);

        await using var again = await NodeHost.StartAsync(["--weir-url", _weir.Url.ToString()], data: _weir.Node.Data, withFixture: false);
        again.NodeId.ShouldBe(_weir.Node.NodeId);
        await Until.AsyncTrue(async () => await StateAsync() == "running", "it is back");
        await Until.AsyncTrue(
            async () =>
                (await _agent.CallAsync("victim__echo", """{"message": "there"}""")).Body.Contains("there", StringComparison.Ordinal),
                "it is called again");
    }

    [Fact]
    public async Task A_node_that_is_killed_and_not_called_is_lost_within_twenty_seconds_of_silence_and_not_much_sooner()
    {
        (NodeDirectory.Stale + NodeDirectory.Every).ShouldBeLessThanOrEqualTo(TimeSpan.FromSeconds(20));
        await _weir.Node.KillAsync();
        await SilentAsync(TimeSpan.FromSeconds(5));
        await Until.AsyncTrue(async () => await _weir.Database.Superuser.ScalarAsync<bool>(
            "select heartbeat_at < clock_timestamp() - interval '9 seconds' from weir.dtma_nodes where name = 'stdio'", [], Cancelled),
            "two rounds have passed");
        (await StateAsync()).ShouldBe("running");

        await SilentAsync(NodeDirectory.Stale);

        await Until.AsyncTrue(async () => await StateAsync() == "degraded node_lost", "the next round finds it", AtOnce);
    }

    private Task SilentAsync(TimeSpan time) => _weir.Database.Superuser.ExecuteAsync(
        "update weir.dtma_nodes set heartbeat_at = clock_timestamp() - $1::interval where name = 'stdio'", [Sql.Interval(time)], Cancelled);

    private async Task<string?> StateAsync() => await _weir.Database.Superuser.ScalarAsync<string>(
        "select concat_ws(' ', status, last_error_code) from public.mcp_server_instances where instance_name = 'victim'", [], Cancelled);

    private Task<long> EventsAsync() => _weir.Database.Superuser.ScalarAsync<long>(
        "select count(*) from public.mcp_interaction_logs where organization_id = $1 and kind = 'lifecycle' and item = 'degraded'",
        [Sql.Uuid(_weir.World.OrganizationId)], Cancelled);
}

/// <summary>What a remote server's state says when nobody listens at its address any more.</summary>
public sealed class LostRemoteTests(RunningWeir weir) : IClassFixture<RunningWeir>
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_call_that_finds_a_remote_servers_port_closed_has_its_state_looked_at_and_it_runs_again_when_it_answers()
    {
        await using var server = await OddServer.StartAsync();
        using var gate = new TcpGate(server.Url.Port);
        var (name, id) = await weir.AddReadyAsync(new UriBuilder(server.Url) { Port = gate.Port }.Uri, """{"tools": {"echo": {}}}""");
        var agent = new RawClient(weir.Client(weir.World.AgentKey));
        (await agent.CallAsync($"{name}__echo")).Body.ShouldContain("\"ok\"");
        (await StateAsync(id)).ShouldBe("running");

        gate.Close();
        (await agent.CallAsync($"{name}__echo")).ErrorCode.ShouldBe(1015);
        await Until.AsyncTrue(async () =>
        {
            // The first call's connection broke; another one finds that there is none to be had.
            await agent.CallAsync($"{name}__echo");
            return await StateAsync(id) == "degraded connection_refused";
        }, "the state says so");

        gate.Open();
        // As when the lease of the look that failed has ended.
        await weir.Database.Superuser.ExecuteAsync(
            "update public.mcp_server_instances set refresh_lease_until = null, refresh_at = clock_timestamp() where id = $1",
            [Sql.Uuid(id)], Cancelled);
        await Until.AsyncTrue(async () => await StateAsync(id) == "running", "it answers again");
    }

    private async Task<string?> StateAsync(Guid id) => await weir.Database.Superuser.ScalarAsync<string>(
        "select concat_ws(' ', status, last_error_code) from public.mcp_server_instances where id = $1", [Sql.Uuid(id)], Cancelled);
}
