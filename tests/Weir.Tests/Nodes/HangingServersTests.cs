using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Weir.Definitions;
using Weir.Egress;
using Weir.Keys;
using Weir.Nodes;
using Weir.Postgres;
using Weir.Tests.Definitions;
using Weir.Tests.Infrastructure;
using Weir.Upstream;

namespace Weir.Tests.Nodes;

/// <summary>An organization whose remote servers hang, beside one whose servers answer.</summary>
public sealed class HangingServersTests(TestDatabase database) : IClassFixture<TestDatabase>, IAsyncLifetime
{
    /// <summary>More than either worker has ever done at once.</summary>
    private const int Many = 40;
    private const int Share = 8;

    private static readonly Guid Replica = Guid.CreateVersion7(TimeProvider.System.GetUtcNow());

    private readonly TcpListener _hole = new(IPAddress.Loopback, 0);
    private readonly EgressHttp _egress = new(new EgressPolicy(["127.0.0.1"]));
    private World _hanging = null!;
    private World _other = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        // It connects, and never answers.
        _hole.Start(backlog: 2 * Many);
        (_hanging, _other) = (await World.CreateAsync(database), await World.CreateAsync(database));
    }

    public ValueTask DisposeAsync()
    {
        _hole.Dispose();
        _egress.Dispose();
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task F11_operations_of_one_organizations_hanging_servers_delay_no_other_organization()
    {
        var ends = new TaskCompletionSource();
        var hanging = new ConcurrentDictionary<Guid, bool>();
        var hang = (await ManyAsync("o")).ToHashSet();
        using var worker = new OperationsWorker(
            new NodesQueries(database.Pools), new NodeClient(_egress.Operator, TimeProvider.System),
            Keyring.Parse([Convert.ToBase64String(new byte[32])]),
            async (server, _, ct) =>
            {
                if (hang.Contains(server.InstanceId))
                {
                    hanging[server.InstanceId] = true;
                    await ends.Task.WaitAsync(ct);
                }
            },
            Replica, () => 0, TimeProvider.System, NullLogger<OperationsWorker>.Instance);
        await worker.StartAsync(Token);
        await Until.True(() => hanging.Count >= Share, "the hanging servers are asked");

        var id = await _other.AddRemoteAsync("quick", new Uri("http://127.0.0.1:1/mcp"));
        await Until.AsyncTrue(async () => await StatusAsync(id) == "running", "the other's server runs while these hang");
        hanging.Count.ShouldBe(Share);

        ends.SetResult();
        await Until.AsyncTrue(
            async () => (await Task.WhenAll(hang.Select(StatusAsync))).All(s => s == "running"),
            "what waited for its share is carried out too");
        await worker.StopAsync(Token);
    }

    [Fact]
    public async Task F11_catalogs_of_one_organizations_hanging_servers_delay_no_other_organization()
    {
        await using var listing = await ListingServer.StartAsync();
        listing.Announces("tools", """{"name":"t","inputSchema":{"type":"object"}}""");
        var nodes = new NodesQueries(database.Pools);
        foreach (var id in await ManyAsync("c"))
        {
            await RunsAsync(nodes, id);
        }

        // No deadline of the refresh ever comes, so the servers hang for as long as the test runs.
        using var refresh = new DefinitionRefresh(
            new DefinitionQueries(database.Pools),
            new UpstreamClient(new UpstreamTransport(_egress, 1 << 20, TimeProvider.System), new FakeTimeProvider()), _ => null, Replica,
            new FakeTimeProvider(), NullLogger<DefinitionRefresh>.Instance);
        await refresh.StartAsync(Token);
        await Until.AsyncTrue(async () => await LeasedAsync() >= Share, "the hanging servers are asked");

        var quick = await _other.AddRemoteAsync("listed", listing.Url);
        await RunsAsync(nodes, quick);
        refresh.Wake();
        await Until.AsyncTrue(
            () => RecordedAsync(quick),
            "the other's tools are recorded while these hang");
        (await LeasedAsync()).ShouldBe(Share);
        await refresh.StopAsync(Token);
    }

    [Fact]
    public async Task F11_catalogs_of_an_organization_that_keeps_its_lock_busy_delay_no_other_organization()
    {
        await using var listing = await ListingServer.StartAsync();
        listing.Announces("tools", """{"name":"t","inputSchema":{"type":"object"}}""");
        var nodes = new NodesQueries(database.Pools);
        var busy = new List<Guid>();
        for (var i = 0; i < Share; i++)
        {
            busy.Add(await _hanging.AddRemoteAsync($"b{i}", listing.Url));
            await RunsAsync(nodes, busy[i]);
        }

        using var refresh = new DefinitionRefresh(
            new DefinitionQueries(database.Pools),
            new UpstreamClient(new UpstreamTransport(_egress, 1 << 20, TimeProvider.System), TimeProvider.System), _ => null, Replica,
            TimeProvider.System, NullLogger<DefinitionRefresh>.Instance);
        await using (var held = await HeldTransaction.BeginAsync(database.Superuser))
        {
            await held.RunAsync("select weir.lock_organization($1)", Sql.Uuid(_hanging.OrganizationId));
            await refresh.StartAsync(Token);
            await Until.True(() => listing.Asked >= Share, "all of the busy one's servers have listed what they have");

            var quick = await _other.AddRemoteAsync("unlocked", listing.Url);
            await RunsAsync(nodes, quick).WaitAsync(TimeSpan.FromSeconds(5), TimeProvider.System, Token);
            refresh.Wake();
            await Until.AsyncTrue(() => RecordedAsync(quick), "the other's tools are recorded while the busy one's wait for its lock");
            (await database.Superuser.ScalarAsync<long>(
                "select count(*) from pg_locks where locktype = 'advisory' and not granted", [], Token)).ShouldBe(1);
        }

        await Until.AsyncTrue(async () => (await Task.WhenAll(busy.Select(RecordedAsync))).All(r => r),
            "the busy one's tools are recorded when its lock is free");
        await refresh.StopAsync(Token);
    }

    [Fact]
    public async Task F11_a_server_that_says_all_the_time_that_its_lists_changed_takes_one_connection()
    {
        var (busy, other) =
            (await _hanging.AddRemoteAsync("says", new Uri("http://127.0.0.1:1/mcp")),
            await _other.AddRemoteAsync("says", new Uri("http://127.0.0.1:1/mcp")));
        foreach (var id in new[] { busy, other })
        {
            await RunsAsync(new NodesQueries(database.Pools), id);
        }

        // As while they are asked.
        await database.Superuser.ExecuteAsync(
            "update public.mcp_server_instances set refresh_at = now() + interval '1 hour' where instance_name = 'says'", [], Token);
        using var refresh = new DefinitionRefresh(
            new DefinitionQueries(database.Pools),
            new UpstreamClient(new UpstreamTransport(_egress, 1 << 20, TimeProvider.System), TimeProvider.System), _ => null, Replica,
            TimeProvider.System, NullLogger<DefinitionRefresh>.Instance);
        Task[] waiting;
        await using (var held = await HeldTransaction.BeginAsync(database.Superuser))
        {
            await held.RunAsync("select 1 from public.mcp_server_instances where id = $1 for update", Sql.Uuid(busy));
            waiting = [.. Enumerable.Range(0, 20).Select(_ => refresh.RefreshSoonAsync(busy, Token))];
            await refresh.RefreshSoonAsync(other, Token).WaitAsync(TimeSpan.FromSeconds(5), TimeProvider.System, Token);
            waiting.ShouldAllBe(t => !t.IsCompleted);
        }

        await Task.WhenAll(waiting);
    }

    private async Task<IReadOnlyList<Guid>> ManyAsync(string prefix)
    {
        var ids = new List<Guid>();
        for (var i = 0; i < Many; i++)
        {
            ids.Add(await _hanging.AddRemoteAsync($"{prefix}{i}", new Uri($"http://{_hole.LocalEndpoint}/mcp")));
        }

        return ids;
    }

    private async Task RunsAsync(NodesQueries nodes, Guid id)
    {
        var generation = await database.Superuser.ScalarAsync<long>(
            "select generation from public.mcp_server_instances where id = $1", [Sql.Uuid(id)], Token);
        (await nodes.RecordStateAsync(new ServerStatus(id, generation, ServerStates.Running, null, null), Token)).ShouldBeTrue();
    }

    private Task<string?> StatusAsync(Guid id) =>
        database.Superuser.ScalarAsync<string>("select status from public.mcp_server_instances where id = $1", [Sql.Uuid(id)], Token);

    private Task<bool> RecordedAsync(Guid id) =>
        database.Superuser.ScalarAsync<bool>(
            "select exists (select from public.mcp_server_tools where instance_id = $1)", [Sql.Uuid(id)], Token);

    private Task<long> LeasedAsync() => database.Superuser.ScalarAsync<long>(
        "select count(*) from public.mcp_server_instances where organization_id = $1 and refresh_by = $2",
        [Sql.Uuid(_hanging.OrganizationId), Sql.Uuid(Replica)], Token);
}
