using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Weir.Configuration;
using Weir.Gateway.Admission;
using Weir.Gateway.Parking;
using Weir.Postgres;
using Weir.Server.Hosting;
using Weir.Tests.Chat;
using Weir.Tests.Fixtures.Conformance;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys;

/// <summary>Nothing ends by a deadline here: what ends was switched off.</summary>
public sealed class SwitchWorld(TestCluster cluster) : ChatWorld(cluster)
{
    private protected override WeirConfig Configure(WeirConfig config)
    {
        var own = base.Configure(config);
        return own with
        {
            Chat = own.Chat with { DeadlineSeconds = 600 },
            Mcp = own.Mcp with { CallTimeoutSeconds = 600, MaxCallSeconds = 600, InputTimeoutSeconds = 600 },
        };
    }
}

/// <summary>Two replicas, with everything open on both that can be open, and each switch there is.</summary>
public sealed class SwitchTests(SwitchWorld weir) : IClassFixture<SwitchWorld>, IAsyncLifetime
{
    private const string Text = "The agent, the server, the organization or all of Weir is switched off, so no call is made.";
    private const string All = """{"tools": {"*": {}}}""";

    private WebApplication _second = null!;

    private Uri SecondUrl =>
        new(_second.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());

    public async ValueTask InitializeAsync()
    {
        _second = WeirHost.Build(weir.Services.GetRequiredService<WeirConfig>());
        await _second.StartAsync();
        await weir.Database.Owner.ExecuteAsync(
            "select weir.add_platform_admin($1)", [Sql.Uuid(weir.World.OwnerId)], CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        await _second.StopAsync();
        await _second.DisposeAsync();
    }

    [Theory]
    [InlineData("agent")]
    [InlineData("server")]
    [InlineData("organization")]
    [InlineData("platform")]
    public async Task What_is_open_on_two_replicas_ends_when_it_is_switched_off_and_nothing_new_begins_until_it_is_on_again(string what)
    {
        var (agent, key) = await weir.World.CreateAgentAsync(ChatWorld.NewName("agent"));
        var begun = 0;
        await using var server = await FixtureServer.StartAsync(FixtureServer.Tool("get_weather", async (CancellationToken ct) =>
        {
            Interlocked.Increment(ref begun);
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, ct);
            return "";
        }));
        await using var asking = await ConformanceServer.StartAsync(ServerEras.Legacy);
        var (serverId, name) = await weir.AddServerAsync(server, agent);
        var (askingId, askingName) = await weir.AddServerAsync(asking.Url, agent, All, new { });
        HttpClient[] clients = [weir.Client(key), weir.Client(key)];
        clients[1].BaseAddress = SecondUrl;

        // Open on each: a call, a chat turn, a stream, and a question that waits for its client.
        var calls = clients.Select(c => new RawClient(c).CallAsync($"{name}__get_weather")).ToArray();
        var turns = new[] { weir.Url, SecondUrl }.Select(url => weir.PostAsync(Message(agent), weir.OwnerToken, url)).ToArray();
        List<ListChangeStream> streams = [];
        foreach (var client in clients)
        {
            streams.Add(await ListChangeStream.OpenAsync(client, what == "server" ? "/mcp/" + name : "/mcp"));
            (await AskAsync(client, askingName)).Body.ShouldContain("input_required");
        }

        await Until.True(() => Volatile.Read(ref begun) == 4, "two calls and the calls of two turns");
        Parked().ShouldBe([1, 1]);

        await SwitchAsync(what, active: false, agent, serverId, askingId);
        var switched = TimeProvider.System.GetTimestamp();
        foreach (var call in calls)
        {
            var answer = await call.WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System);
            answer.ErrorCode.ShouldBe(1003, answer.Body);
            answer.ErrorMessage.ShouldStartWith(Text);
            answer.ErrorMessage.ShouldContain("may still have done");
        }

        foreach (var turn in turns)
        {
            var (status, body) = await turn.WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System);
            if (what == "server")
            {
                // A turn ends as with any server that fails.
                status.ShouldBe(HttpStatusCode.OK, body.GetRawText());
                body.GetProperty("toolCalls")[0].GetProperty("error").GetProperty("message").GetString()!.ShouldStartWith(Text);
            }
            else
            {
                (status, body.GetProperty("message").GetString()).ShouldBe((HttpStatusCode.Forbidden, Text));
            }
        }

        await Until.True(() => streams.TrueForAll(s => s.HasEnded), "both streams have ended");
        await Until.True(() => Parked().Sum() == 0, "the parked calls have ended");
        foreach (var replica in new[] { weir.Services, _second.Services })
        {
            await Until.True(() => replica.GetRequiredService<Switches>().Count == 0, "nothing is open");
        }

        TestContext.Current.TestOutputHelper!.WriteLine(
            $"{what}: all had ended {TimeProvider.System.GetElapsedTime(switched).TotalMilliseconds:0} ms after the switch");

        // One text for all of them, and the audit log knows which it was.
        foreach (var client in clients)
        {
            var denied = await new RawClient(client).CallAsync($"{name}__get_weather");
            (denied.ErrorCode, denied.ErrorMessage).ShouldBe((1003, Text));
            var listed = await new RawClient(client, what == "server" ? "/mcp/" + name : "/mcp").ModernAsync("tools/list");
            (listed.ErrorCode, listed.ErrorMessage).ShouldBe((1003, Text));
        }

        begun.ShouldBe(4);
        var rows = "";
        try
        {
            // A server whose question nobody answers any more may still answer its call: that is its outcome then.
            await Until.AsyncTrue(async () => (rows = await RowsAsync(agent)).Split(" completed ").Length > 6, "what was cut is recorded");
            rows.Split('\n')
                .Count(
                r => r.Contains(" completed cancelled ", StringComparison.Ordinal) && r.EndsWith("get_weather", StringComparison.Ordinal))
                .ShouldBe(4, rows);
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"{e.Message}: {rows}", e);
        }

        (await CountAsync($"phase = 'denied' and reason = '{what}_stopped'", agent)).ShouldBe(2);

        await SwitchAsync(what, active: true, agent, serverId, askingId);
        using var leave = new CancellationTokenSource();
        await Until.AsyncTrue(
            async () =>
            {
                var again = new RawClient(clients[0]).CallAsync($"{name}__get_weather", ct: leave.Token);
                await Task.WhenAny(again, Until.True(() => Volatile.Read(ref begun) == 5, "a call arrives"));
                return Volatile.Read(ref begun) == 5;
            },
            "a call is made again");
        await leave.CancelAsync();
    }

    [Fact]
    public async Task A_call_ends_in_time_also_while_a_flood_holds_every_connection_of_the_engines_pool()
    {
        var (agent, key) = await weir.World.CreateAgentAsync(ChatWorld.NewName("agent"));
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var server = await FixtureServer.StartAsync(FixtureServer.Tool("get_weather", async (CancellationToken ct) =>
        {
            begun.TrySetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, ct);
            return "";
        }));
        var (_, name) = await weir.AddServerAsync(server, agent);
        var call = new RawClient(weir.Client(key)).CallAsync($"{name}__get_weather");
        await begun.Task.WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System);

        var held = 0;
        using var over = new CancellationTokenSource();
        var most = weir.Services.GetRequiredService<WeirConfig>().Database.PoolSize;
        var flood = Enumerable.Range(0, most).Select(_ => HoldAsync()).ToArray();
        // The one that hears of changes has the last.
        await Until.True(() => Volatile.Read(ref held) >= most - 1, "the pool is used up");

        await SwitchAsync("agent", active: false, agent);
        (await call.WaitAsync(TimeSpan.FromSeconds(10), TimeProvider.System)).ErrorCode.ShouldBe(1003);
        await over.CancelAsync();
        await Task.WhenAll(flood);

        async Task HoldAsync()
        {
            while (!over.IsCancellationRequested)
            {
                try
                {
                    await using var connection = await weir.Services.GetRequiredService<Databases>().Engine.OpenConnectionAsync(over.Token);
                    Interlocked.Increment(ref held);
                    await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, over.Token);
                }
                catch (Exception e) when (e is NpgsqlException or OperationCanceledException)
                {
                    // It waited too long for a connection, or the flood is over.
                }
            }
        }
    }

    private int[] Parked() => [
        weir.Services.GetRequiredService<ParkedCalls>().Count, _second.Services.GetRequiredService<ParkedCalls>().Count,
    ];

    private async Task SwitchAsync(string what, bool active, Guid agent, params Guid[] servers)
    {
        switch (what)
        {
            case "agent":
                await weir.World.CallAsync("select public.set_agent_active($1, $2)", Sql.Uuid(agent), Sql.Boolean(active));
                break;
            case "server":
                foreach (var server in servers)
                {
                    await weir.World.CallAsync("select public.set_mcp_server_active($1, $2)", Sql.Uuid(server), Sql.Boolean(active));
                }

                break;
            case "organization":
                await weir.World.CallAsync(
                    "select public.set_organization_active($1, $2)", Sql.Uuid(weir.World.OrganizationId), Sql.Boolean(active));
                break;
            default:
                await weir.World.CallAsync("select public.set_platform_active($1)", Sql.Boolean(active));
                break;
        }
    }

    private object Message(Guid agent) => new { agentId = agent, message = "the weather?", channelId = weir.World.ChannelId };

    private Task<string> RowsAsync(Guid agent) => weir.Database.Superuser.ScalarAsync<string>(
        """
        select coalesce(string_agg(concat_ws(' ', to_char(created_at, 'MI:SS.MS'), id, phase, outcome, reason, error_code, item, detail), E'\n' order by created_at, id), '')
        from public.mcp_interaction_logs where agent_id = $1 and kind = 'tool_execution'
        """, [Sql.Uuid(agent)], CancellationToken.None)!;

    private Task<long> CountAsync(string condition, Guid agent) => weir.Database.Superuser.ScalarAsync<long>(
        $"select count(*) from public.mcp_interaction_logs where agent_id = $1 and kind = 'tool_execution' and {condition}",
        [Sql.Uuid(agent)], CancellationToken.None);

    private static Task<RawAnswer> AskAsync(HttpClient client, string name)
    {
        var tool = $"{name}__test_elicitation";
        return new RawClient(client).PostAsync(
            $$$"""{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":{{{JsonSerializer.Serialize(
                tool)}}},"arguments":{"message":"Who are you?"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{} } } } }""",
            RawClient.ModernHeaders("tools/call", tool));
    }
}
