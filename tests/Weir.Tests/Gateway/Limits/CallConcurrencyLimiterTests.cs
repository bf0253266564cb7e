using Microsoft.Extensions.DependencyInjection;
using Weir.Gateway.AgentTools;
using Weir.Gateway.Limits;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Gateway.Limits;

/// <summary>What one organization may have open at one replica, with a server that hangs.</summary>
public sealed class CallConcurrencyLimiterTests(RunningWeir weir) : IClassFixture<RunningWeir>
{
    [Fact]
    public async Task M12_calls_and_streams_of_one_organization_are_bounded_at_each_replica()
    {
        await using var server = await OddServer.StartAsync();
        var (name, _) = await weir.AddReadyAsync(server.Url, """{"tools": {"*": {}}}""");
        var other = await World.CreateAsync(weir.Database);
        await other.GrantAsync(await other.AddRemoteAsync("theirs", server.Url), """{"tools": {"*": {}}}""");
        var theirs = new RawClient(weir.Client(other.AgentKey));
        await Until.AsyncTrue(async () => (await theirs.ModernAsync("tools/list")).Body.Contains("theirs__echo", StringComparison.Ordinal),
            "the other organization's catalog");
        await LimitAsync(3);
        var before = (await weir.LogAsync()).Count(r => r.Reason == "limit");

        using var stream = await ListChangeStream.OpenAsync(weir.Client(weir.World.AgentKey));
        using var leave = new CancellationTokenSource();
        var hanging = Enumerable.Range(0, 2).Select(_ => Raw().CallAsync($"{name}__hang", ct: leave.Token)).ToArray();
        await Until.True(() => server.Calls == 2, "two calls hang");

        var refused = await Raw().CallAsync($"{name}__echo");
        refused.ErrorCode.ShouldBe(1008, refused.Body);
        var data = refused.Json.GetProperty("error").GetProperty("data");
        data.GetProperty("retryable").GetBoolean().ShouldBeTrue();
        data.GetProperty("hint").GetString().ShouldNotBeNullOrEmpty();
        var unheard = await StreamAsync();
        unheard.ErrorCode.ShouldBe(1008, unheard.Body);
        // Who is denied anyway is told what everybody is told.
        (await Raw().CallAsync("nothing__there")).ErrorCode.ShouldBe(-32602);
        server.Calls.ShouldBe(2);
        var rows = (await weir.LogAsync()).Where(r => r.Reason == "limit").Skip(before);
        rows.Select(r => (r.Phase, r.Kind, r.Instance, r.Item))
            .ShouldBe([("denied", "tool_execution", name, "echo"), ("denied", "error", null, "stream")]);

        // Not the neighbours' affair.
        (await theirs.CallAsync("theirs__echo")).Body.ShouldContain("\"ok\"");

        await leave.CancelAsync();
        await Task.WhenAll(hanging).ShouldThrowAsync<OperationCanceledException>();
        await Until.AsyncTrue(async () => (await Raw().CallAsync($"{name}__echo")).Body.Contains("\"ok\"", StringComparison.Ordinal),
            "a place is free again");
    }

    [Fact]
    public async Task However_a_call_ends_its_place_is_free_again()
    {
        await using var server = await OddServer.StartAsync();
        var (name, _) = await weir.AddReadyAsync(server.Url, """{"tools": {"*": {}}}""");
        await LimitAsync(1);
        // One after the other: each finds the only place free, or the next would be refused.
        foreach (var (tool, code) in new[]
        {
            ("error", -32000),
            ("drop", 1015),
            ("nonsense", 1013),
            ("ghost", -32602),
            ("echo", 0),
            ("html", 1013),
            ("echo", 0),
        })
        {
            // A client hears the end of its call before the call has given its place back.
            RawAnswer answer = null!;
            await Until.AsyncTrue(
                async () =>
                    (answer = await Raw().CallAsync($"{name}__{tool}")) is { } a && !a.Body.Contains("\"WR008\"", StringComparison.Ordinal),
                    "a place for " + tool);
            (answer.Json.TryGetProperty("error", out _) ? answer.ErrorCode : 0).ShouldBe(code, answer.Body);
        }
    }

    [Fact]
    public async Task S6_none_is_a_limit_too()
    {
        await using var server = await OddServer.StartAsync();
        var (name, _) = await weir.AddReadyAsync(server.Url, """{"tools": {"*": {}}}""");
        await LimitAsync(0);

        (await Raw().CallAsync($"{name}__echo")).ErrorCode.ShouldBe(1008);
        (await StreamAsync()).ErrorCode.ShouldBe(1008);
        server.Calls.ShouldBe(0);
    }

    [Fact]
    public async Task A_crowd_never_has_more_open_than_it_may_and_what_is_closed_twice_is_closed_once()
    {
        var (connections, catalog) = (new CallConcurrencyLimiter(maxPerAgent: 0), Catalog(maxConnections: 3));
        var (open, most) = (0, 0);
        var lockOfMost = new Lock();
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() =>
        {
            for (var i = 0; i < 2000; i++)
            {
                using var place = connections.TryAcquire(catalog);
                if (place is not null)
                {
                    var now = Interlocked.Increment(ref open);
                    lock (lockOfMost)
                    {
                        most = Math.Max(most, now);
                    }

                    Interlocked.Decrement(ref open);
                    place.Dispose();
                }
            }
        })));

        most.ShouldBeInRange(1, 3);
        Enumerable.Range(0, 4).Select(_ => connections.TryAcquire(catalog) is null).ShouldBe([false, false, false, true]);
    }

    [Fact]
    public void An_agent_has_no_more_open_than_one_agent_may_and_takes_no_place_of_its_organization_when_it_is_refused()
    {
        var connections = new CallConcurrencyLimiter(maxPerAgent: 2);
        var greedy = Catalog(maxConnections: 4);
        var other = greedy with { AgentId = Guid.CreateVersion7(TimeProvider.System.GetUtcNow()) };
        var held = connections.TryAcquire(greedy).ShouldNotBeNull();
        connections.TryAcquire(greedy).ShouldNotBeNull();
        connections.TryAcquire(greedy).ShouldBeNull();
        connections.TryAcquire(other).ShouldNotBeNull();
        connections.TryAcquire(other).ShouldNotBeNull();
        held.Dispose();
        connections.TryAcquire(greedy).ShouldNotBeNull();
    }

    private static AgentToolSet Catalog(int maxConnections)
    {
        var now = TimeProvider.System.GetUtcNow();
        return new AgentToolSet(Guid.CreateVersion7(now), Guid.CreateVersion7(now), "agent", maxConnections, [], []);
    }

    /// <summary>And what the replica has kept is dropped, as it would be by the database's hint a moment later.</summary>
    private async Task LimitAsync(int most)
    {
        await weir.Database.Superuser.ExecuteAsync(
            "update public.organizations set max_concurrent_connections = $2 where id = $1",
            [Sql.Uuid(weir.World.OrganizationId), Sql.Integer(most)], CancellationToken.None);
        weir.Services.GetRequiredService<AgentToolsCache>().Drop(null);
    }

    /// <summary>A stream that is refused.</summary>
    private async Task<RawAnswer> StreamAsync()
    {
        var raw = Raw();
        var session = await raw.InitializeAsync();
        return await raw.SendAsync(HttpMethod.Get, null, [("Accept", "text/event-stream"), session]);
    }

    private RawClient Raw() => new(weir.Client(weir.World.AgentKey));
}
