using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Weir.Configuration;
using Weir.Errors;
using Weir.Identity;
using Weir.Postgres;
using Weir.Server.Hosting;
using Weir.Tests.Chat;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys;

/// <summary>Two replicas on one database with one keyring.</summary>
public sealed class ReplicasTests(RunningWeir weir) : IClassFixture<RunningWeir>, IAsyncLifetime
{
    private WebApplication _second = null!;
    private OddServer _server = null!;
    private RawClient _one = null!;
    private RawClient _two = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await OddServer.StartAsync();
        _second = WeirHost.Build(weir.Services.GetRequiredService<WeirConfig>());
        await _second.StartAsync();
        _one = new RawClient(weir.Client(weir.World.AgentKey));
        var client = weir.Client(weir.World.AgentKey);
        client.BaseAddress =
            new Uri(_second.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());
        _two = new RawClient(client);
    }

    public async ValueTask DisposeAsync()
    {
        await _second.StopAsync();
        await _second.DisposeAsync();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task A_session_of_one_replica_is_served_by_the_other()
    {
        var session = await _one.InitializeAsync();
        (await _two.PostAsync("""{"jsonrpc":"2.0","id":1,"method":"tools/list"}""", [session])).Status.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task A16_after_a_revoke_has_committed_no_replica_admits_a_call()
    {
        var (name, id) = await weir.AddReadyAsync(_server.Url, """{"tools": {"echo": {}}}""");
        (await _two.CallAsync($"{name}__echo")).Body.ShouldContain("\"ok\"");
        using var stop = new CancellationTokenSource();
        var revoked = false;
        var admittedAfter = 0;
        async Task HammerAsync(RawClient replica)
        {
            while (!stop.IsCancellationRequested)
            {
                var late = Volatile.Read(ref revoked);
                var answer = await replica.CallAsync($"{name}__echo");
                if (late && answer.Body.Contains("\"ok\"", StringComparison.Ordinal))
                {
                    Interlocked.Increment(ref admittedAfter);
                }
            }
        }

        var hammers = Enumerable.Range(0, 8).Select(i => HammerAsync(i % 2 == 0 ? _one : _two)).ToArray();
        await Until.True(() => _server.Calls > 50, "calls in flight on both replicas");
        await weir.World.RevokeAsync(id);
        Volatile.Write(ref revoked, true);
        var before = _server.Calls;
        await Until.AsyncTrue(
            async () =>
                (await weir.LogAsync()).Count(r => r.Phase == "denied" && r.Item is "echo") > 20
                    || (await weir.LogAsync()).Count(r => r.Phase == "denied" && r.Item == $"{name}__echo") > 20, "denied calls");
        await stop.CancelAsync();
        await Task.WhenAll(hammers);
        admittedAfter.ShouldBe(0);
        (_server.Calls - before).ShouldBeLessThanOrEqualTo(8, "only what was admitted before the revoke may still arrive");
    }

    [Fact]
    public async Task The_limit_of_open_calls_is_each_replicas_own()
    {
        // An organization of its own: streams of the other tests' may still be open.
        var world = await World.CreateAsync(weir.Database);
        await world.GrantAsync(await world.AddRemoteAsync("bounded", _server.Url), """{"tools": {"echo": {}, "hang": {}}}""");
        var (one, two) = (new RawClient(weir.Client(world.AgentKey)), new RawClient(weir.Client(world.AgentKey)));
        two.Http.BaseAddress = _two.Http.BaseAddress;
        await Until.AsyncTrue(
            async () => (await one.ModernAsync("tools/list")).Body.Contains("bounded__hang", StringComparison.Ordinal), "the catalog");
        await SetMaxConnectionsAsync(world.OrganizationId, 1);
        using var leave = new CancellationTokenSource();
        var hanging = one.CallAsync("bounded__hang", ct: leave.Token);
        await Until.True(() => _server.Calls == 1, "a call hangs");

        await Until.AsyncTrue(async () => (await one.CallAsync("bounded__echo")).Body.Contains("\"WR008\"", StringComparison.Ordinal),
            "the replica heard of the limit");
        (await two.CallAsync("bounded__echo")).Body.ShouldContain("\"ok\"");

        // Raised, it is so without a restart.
        await SetMaxConnectionsAsync(world.OrganizationId, 200);
        await Until.AsyncTrue(
            async () => (await one.CallAsync("bounded__echo")).Body.Contains("\"ok\"", StringComparison.Ordinal), "the new limit");
        await leave.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(hanging);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_stream_of_changes_that_is_passed_on_holds_up_neither_replicas_stop_and_its_client_is_told_to_come_again(bool holder)
    {
        await using var stopping = WeirHost.Build(weir.Services.GetRequiredService<WeirConfig>());
        await stopping.StartAsync(TestContext.Current.CancellationToken);
        using var client = weir.Client(weir.World.AgentKey);
        using var other = weir.Client(weir.World.AgentKey);
        (holder ? client : other).BaseAddress =
            new Uri(stopping.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());
        // Opened at one, listened to through the other.
        var session = await new RawClient(client).InitializeAsync();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/mcp");
        request.Headers.TryAddWithoutValidation("Accept", "text/event-stream");
        request.Headers.TryAddWithoutValidation(session.Name, session.Value);
        using var response =
            await other.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        response.Content.Headers.ContentType!.MediaType.ShouldBe("text/event-stream");

        // Less than a stop waits for what does not end by itself.
        await stopping.StopAsync(TestContext.Current.CancellationToken)
            .WaitAsync(TimeSpan.FromSeconds(8), TimeProvider.System, TestContext.Current.CancellationToken);

        (await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).ShouldEndWith("\n\nretry: 1000\n\n");
    }

    [Fact]
    public async Task A_replica_that_stops_ends_its_sessions_at_servers()
    {
        await using var server = await SessionServer.StartAsync();
        var (name, _) = await weir.AddReadyAsync(server.Url, """{"tools": {"*": {}}}""");
        await using var stopping = WeirHost.Build(weir.Services.GetRequiredService<WeirConfig>());
        await stopping.StartAsync(TestContext.Current.CancellationToken);
        using var client = weir.Client(weir.World.AgentKey);
        client.BaseAddress =
            new Uri(stopping.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());
        (await new RawClient(client).CallAsync($"{name}__echo")).Body.ShouldContain("\"said\"");
        var session = server.Http.Requests.Last(r => r.Name == "echo").Session!;
        server.Sessions.ShouldContain(session);

        await stopping.StopAsync(TestContext.Current.CancellationToken);

        server.Sessions.ShouldNotContain(session);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_call_that_a_stop_cannot_wait_for_ends_with_an_error_and_has_its_outcome_in_the_record(bool isModern)
    {
        var (name, _) = await weir.AddReadyAsync(_server.Url, """{"tools": {"hang": {}}}""");
        var config = weir.Services.GetRequiredService<WeirConfig>();
        var stopping = WeirHost.Build(config with { Mcp = config.Mcp with { CallTimeoutSeconds = 120 } });
        await stopping.StartAsync(TestContext.Current.CancellationToken);
        using var client = weir.Client(weir.World.AgentKey);
        client.BaseAddress =
            new Uri(stopping.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());
        var raw = new RawClient(client);
        var before = _server.Calls;
        var call = isModern
            ? raw.CallAsync($"{name}__hang")
            : raw.PostAsync($$"""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"{{name}}__hang","arguments":{} } }""",
                [await raw.InitializeAsync()]);
        await Until.True(() => _server.Calls > before, "the call hangs at its server");

        await stopping.StopAsync(TestContext.Current.CancellationToken);
        await stopping.DisposeAsync();

        var answer = await call;
        answer.ErrorCode.ShouldBe(1012, answer.Body);
        answer.ErrorMessage.ShouldBe(
            $"The server '{name}' did not answer before this replica of Weir stopped. It may still have done what was asked.");
        answer.Json.GetProperty("error").GetProperty("data").GetProperty("retryable").GetBoolean().ShouldBeFalse();
        (await weir.LogAsync()).Where(r => r.Instance == name && r is { Item: "hang", Phase: "completed" }).Select(r => r.Outcome)
            .ShouldBe(["timeout"]);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_call_whose_stream_has_begun_when_its_replica_stops_ends_with_an_error_in_that_stream(bool isModern)
    {
        await using var server = await ToolCallServer.StartAsync("2025-11-25", ProgressAndHangAsync);
        var (name, _) = await weir.AddReadyAsync(server.Url, """{"tools": {"go": {}}}""");
        var config = weir.Services.GetRequiredService<WeirConfig>();
        await using var stopping = WeirHost.Build(config with { Mcp = config.Mcp with { CallTimeoutSeconds = 120 } });
        await stopping.StartAsync(TestContext.Current.CancellationToken);
        using var client = weir.Client(weir.World.AgentKey);
        client.BaseAddress = AddressOf(stopping);
        var session = isModern ? default : await new RawClient(client).InitializeAsync();
        using var response = await BeginAsync(client, name, session);

        await stopping.StopAsync(TestContext.Current.CancellationToken);

        var error = LastEvent(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).GetProperty("error");
        error.GetProperty("code").GetInt32().ShouldBe(1012);
        error.GetProperty("message").GetString()!.ShouldContain("did not answer before this replica of Weir stopped");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_call_that_is_passed_on_to_a_replica_that_is_killed_ends_with_an_error_at_the_one_that_lives(bool hasBegun)
    {
        await using var server = await ToolCallServer.StartAsync("2025-11-25", hasBegun ? ProgressAndHangAsync : HangAsync);
        var (name, _) = await weir.AddReadyAsync(server.Url, """{"tools": {"go": {}}}""", share: "session");
        var config = weir.Services.GetRequiredService<WeirConfig>();
        var port = ServingReplica.FreePort();
        using var way = new TcpGate(port);
        await using var first = WeirHost.Build(config with
        {
            Http = config.Http with { Listen = new Uri($"http://127.0.0.1:{port}"), InternalUrl = new Uri($"http://127.0.0.1:{way.Port}") },
        });
        await first.StartAsync(TestContext.Current.CancellationToken);
        using var client = weir.Client(weir.World.AgentKey);
        client.BaseAddress = AddressOf(first);
        var session = await new RawClient(client).InitializeAsync();
        using var other = weir.Client(weir.World.AgentKey);
        var call = BeginAsync(other, name, session);
        await Until.True(() => server.Calls == 1, "the call is at its server");
        if (hasBegun)
        {
            await call;
        }

        // What is left of a replica that was killed: its connections break.
        way.Close();

        using var response = await call;
        var body = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        var error = (hasBegun ? LastEvent(body) : JsonElement.Parse(body)).GetProperty("error");
        error.GetProperty("code").GetInt32().ShouldBe(1013);
        error.GetProperty("data").GetProperty("retryable").GetBoolean().ShouldBeFalse();
        error.GetProperty("data").GetProperty("hint").GetString().ShouldBe("Check whether it took effect before you retry.");
    }

    [Fact]
    public async Task A_replica_with_another_keyring_does_not_start()
    {
        var directory = Directory.CreateTempSubdirectory().FullName;
        await using var stranger = WeirHost.Build(weir.Services.GetRequiredService<WeirConfig>() with { DataDirectory = directory });
        (await Should.ThrowAsync<WeirException>(() => stranger.StartAsync())).Code.ShouldBe(ErrorCode.Conflict);
    }

    [Fact]
    public async Task A_legacy_session_hears_that_its_list_changed_and_not_of_what_is_not_its_own()
    {
        var colleague =
            await weir.World.CreateAgentAsync("colleague-" + Guid.CreateVersion7(TimeProvider.System.GetUtcNow()).ToString("N")[20..]);
        var other = await World.CreateAsync(weir.Database);
        using var own = await ListChangeStream.OpenAsync(weir.Client(weir.World.AgentKey));
        using var colleagues = await ListChangeStream.OpenAsync(weir.Client(colleague.Key));
        using var strangers = await ListChangeStream.OpenAsync(weir.Client(other.AgentKey));

        var (_, instance) = await weir.AddReadyAsync(_server.Url, """{"tools": {"echo": {}}}""");
        await Until.True(() => own.Changes > 0, "the agent hears that its list changed");
        // The colleague's stream was woken by the same hint, and has looked.
        await Until.True(() => colleagues.Signs > 1, "the colleague's list was looked at");
        colleagues.Changes.ShouldBe(0);
        strangers.Changes.ShouldBe(0);

        // Each of them hears, once it is their own list that changes.
        await weir.World.GrantAsync(instance, """{"tools": {"echo": {}}}""", colleague.Id);
        await Until.True(() => colleagues.Changes > 0, "the colleague hears of the grant");
        strangers.Changes.ShouldBe(0);
        await other.GrantAsync(await other.AddRemoteAsync("theirs", _server.Url), """{"tools": {"echo": {}}}""");
        await Until.True(() => strangers.Changes > 0, "the stranger hears of a server of theirs");
    }

    [Fact]
    public async Task A_principal_has_a_bounded_number_of_streams()
    {
        var raw = new RawClient(weir.Client(await weir.World.CreateKeyAsync(weir.World.AgentId)));
        var session = await raw.InitializeAsync();
        var open = new List<HttpResponseMessage>();
        HttpStatusCode last;
        do
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/mcp");
            request.Headers.TryAddWithoutValidation("Accept", "text/event-stream");
            request.Headers.TryAddWithoutValidation(session.Name, session.Value);
            open.Add(await raw.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead));
            last =
                open[^1].Content.Headers.ContentType!.MediaType == "text/event-stream" ? HttpStatusCode.OK : HttpStatusCode.TooManyRequests;
        }
        while (last == HttpStatusCode.OK && open.Count < 40);
        open.Count.ShouldBe(17);
        (await open[^1].Content.ReadAsStringAsync()).ShouldContain("WR008");
        open.ForEach(r => r.Dispose());
    }

    [Fact]
    public async Task A_person_uses_an_agent_by_its_path_with_a_token_and_a_stranger_does_not()
    {
        var (name, _) = await weir.AddReadyAsync(_server.Url, """{"tools": {"echo": {}}}""");
        var tokens = weir.Services.GetRequiredService<PersonTokens>();
        var path = $"/mcp/agents/{weir.World.AgentId}";
        var owner = new RawClient(weir.Client(tokens.Issue(weir.World.OwnerId, "owner@example.test")), path);
        (await owner.ModernAsync("tools/list")).Body.ShouldContain($"{name}__echo");
        (await owner.CallAsync($"{name}__echo")).Body.ShouldContain("\"ok\"");

        var strangerId = await World.CreateUserAsync(weir.Database);
        var stranger = new RawClient(weir.Client(tokens.Issue(strangerId, "stranger@example.test")), path);
        (await stranger.ModernAsync("tools/list")).Status.ShouldNotBe(HttpStatusCode.OK);
        (await stranger.CallAsync($"{name}__echo")).Body.ShouldNotContain("\"ok\"");
        (await new RawClient(weir.Client(weir.World.AgentKey), path).ModernAsync("tools/list")).Status.ShouldBe(
            HttpStatusCode.Unauthorized);
    }
    private Task SetMaxConnectionsAsync(Guid organization, int most) => weir.Database.Superuser.ExecuteAsync(
        "update public.organizations set max_concurrent_connections = $2 where id = $1", [Sql.Uuid(organization), Sql.Integer(most)],
        CancellationToken.None);

    /// <summary>One tool call that wants progress; returns when its answer has begun.</summary>
    /// <param name="session">Without a name the call is modern.</param>
    private static async Task<HttpResponseMessage> BeginAsync(HttpClient client, string name, (string Name, string Value) session)
    {
        var (isModern, tool) = (session.Name is null, name + "__go");
        var meta = isModern
            ? """ "io.modelcontextprotocol/"""
            + """protocolVersion":"2026-07-28","io.modelcontextprotocol/"""
            + """clientInfo":{"name":"raw","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}, """
            : "";
        using var request = new HttpRequestMessage(HttpMethod.Post, "/mcp")
        {
            Content = new StringContent(
                $$$"""{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"{{{tool}}}","arguments":{},"_meta":{{{{meta}}}"progressToken":"p"} } }""",
                System.Text.Encoding.UTF8, "application/json"),
        };
        foreach (var (header, value) in isModern ? RawClient.ModernHeaders("tools/call", tool) : [session])
        {
            request.Headers.TryAddWithoutValidation(header, value);
        }

        request.Headers.TryAddWithoutValidation("Accept", "application/json, text/event-stream");
        return await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
    }

    private static async Task ProgressAndHangAsync(ScriptedCall call)
    {
        await call.SendAsync(call.Progress(1));
        await HangAsync(call);
    }

    private static async Task HangAsync(ScriptedCall call) =>
        await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, call.Aborted)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    private static JsonElement LastEvent(string stream) => JsonElement.Parse(stream.TrimEnd().Split("data: ")[^1]);

    private static Uri AddressOf(WebApplication app) =>
        new(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());
}
