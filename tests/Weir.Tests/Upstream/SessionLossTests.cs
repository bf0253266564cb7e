using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Weir.Mcp;
using Weir.Postgres;
using Weir.Tests.Infrastructure;
using Weir.Upstream;

namespace Weir.Tests.Upstream;

/// <summary>A replica whose measured time a test can advance.</summary>
public sealed class TimedWeir(TestCluster cluster) : RunningWeir(cluster)
{
    internal ShiftedTime Clock { get; } = new();

    private protected override TimeProvider Time => Clock;
}

/// <summary>Servers that lose their sessions, and what an admin's restart and update do about what is kept of a server.</summary>
public sealed class SessionLossTests(TimedWeir weir) : IClassFixture<TimedWeir>, IAsyncLifetime
{
    private const string All = """{"tools": {"*": {}}, "resources": ["*"]}""";
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);

    private SessionServer _server = null!;
    private string _name = "";
    private Guid _id;

    /// <summary>How a server says that it did not even look at the request.</summary>
    public static TheoryData<string> Certain => [
        "404", "404 -32001", "400", "400 -32000", "400 -32600", "401", "410", "403 -32001", "503 -32001",
    ];

    /// <summary>What may also be the error of a tool that has run.</summary>
    public static TheoryData<string> Uncertain => ["400 -32000 ID", "200 -32001 ID", "200 -32000 ID", "events -32001 ID"];

    public async ValueTask InitializeAsync()
    {
        _server = await SessionServer.StartAsync();
        (_name, _id) = await weir.AddReadyAsync(_server.Url, All);
        (await CallAsync("echo")).Body.ShouldContain("\"said\"");
    }

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    [Theory]
    [MemberData(nameof(Certain))]
    public async Task R02_a_call_that_a_lost_session_refused_is_made_once_more_on_a_new_one(string loss)
    {
        _server.Loss = loss;
        _server.Forget();
        var opened = _server.Opened;
        (await CallAsync("echo")).Body.ShouldContain("\"said\"");
        _server.Ran.ShouldBe(["echo", "echo"]);
        _server.Opened.ShouldBe(opened + 1);
    }

    [Theory]
    [MemberData(nameof(Uncertain))]
    public async Task R02_a_tool_call_that_may_have_reached_the_server_is_not_repeated(string loss)
    {
        _server.Loss = loss;
        _server.Forget();
        var calls = _server.Http.Count("tools/call");
        var first = await CallAsync("echo");
        first.ErrorCode.ShouldBeInRange(-32001, -32000, first.Body);
        _server.Http.Count("tools/call").ShouldBe(calls + 1);
        (await CallAsync("echo")).Body.ShouldContain("\"said\"");
        _server.Ran.ShouldBe(["echo", "echo"]);
    }

    [Theory]
    [MemberData(nameof(Uncertain))]
    public async Task R02_what_only_reads_is_asked_again_on_a_new_session(string loss)
    {
        _server.Loss = loss;
        _server.Forget();
        (await ReadAsync("file:///a")).Body.ShouldContain("a text");
    }

    [Theory]
    [InlineData("""{"answer": {"code": -32602, "message": "no"}}""")]
    [InlineData("""{"answer": {"code": -32603, "message": "no"}}""")]
    [InlineData("""{"answer": {"code": -32002, "message": "no"}}""")]
    [InlineData("""{"answer": {"code": -31999, "message": "no"}}""")]
    [InlineData("""{"answer": {"code": -32602, "message": "no"}, "status": 400}""")]
    [InlineData("""{"answer": {"code": -32602, "message": "no"}, "status": 400, "decimalId": true}""")]
    [InlineData("""{"answer": {"code": -32000, "message": "no"}, "status": 500}""", false)]
    [InlineData("""{"answer": {"content": [{"type": "text", "text": "Session not found -32001"}], "isError": true}}""")]
    public async Task R02_another_error_and_a_tools_error_give_up_no_session(string arguments, bool keeps = true)
    {
        var opened = _server.Opened;
        await CallAsync("answer", arguments);
        (await CallAsync("echo")).Body.ShouldContain("\"said\"");
        _server.Opened.ShouldBe(keeps ? opened : opened + 1);
        _server.Ran.ShouldBe(["echo", "answer", "echo"]);
    }

    [Fact]
    public async Task R02_an_error_32000_of_a_tool_is_passed_on_and_the_tool_is_not_run_again()
    {
        var answer = await CallAsync("answer", """{"answer": {"code": -32000, "message": "done, but"}}""");
        answer.ErrorCode.ShouldBe(-32000, answer.Body);
        answer.ErrorMessage.ShouldBe("done, but");
        _server.Ran.Count(r => r == "answer").ShouldBe(1);
        (await ReadAsync("file:///error")).ErrorMessage.ShouldBe("not now");
    }

    [Fact]
    public async Task R02_calls_in_flight_end_with_the_session_that_was_given_up()
    {
        var hanging = CallAsync("hang");
        await Until.True(() => _server.Ran.Contains("hang"), "the call is in flight");
        _server.Forget();
        (await CallAsync("echo")).Body.ShouldContain("\"said\"");
        var ended = await hanging.WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);
        ended.ErrorCode.ShouldBe(1013, ended.Body);
        ended.Json.GetProperty("error").GetProperty("data").GetProperty("cause").GetString().ShouldBe("session_lost");
        _server.Ran.Count(r => r == "hang").ShouldBe(1);
    }

    [Fact]
    public async Task R02_a_read_in_flight_is_repeated_on_the_new_session()
    {
        await ReadAsync("file:///a");
        _server.HangingSession = _server.Http.Requests.Last(r => r.Method == "resources/read").Session;
        var reads = _server.Ran.Count;
        var hanging = ReadAsync("file:///a");
        await Until.True(() => _server.Ran.Count > reads, "the read is in flight");
        _server.Forget();
        (await ReadAsync("file:///a")).Body.ShouldContain("a text");
        (await hanging.WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken)).Body.ShouldContain("a text");
    }

    [Fact]
    public async Task R02_at_most_one_new_session_is_opened_in_five_seconds()
    {
        var opened = _server.Opened;
        _server.ForgetsAtOnce = true;
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => CallAsync("echo")));
        answers.ShouldAllBe(a => a.Body.Contains("session_lost", StringComparison.Ordinal));
        (await CallAsync("echo")).Body.ShouldContain("session_lost");
        _server.Opened.ShouldBe(opened + 1);

        weir.Clock.Advance(Pause);
        await CallAsync("echo");
        await CallAsync("echo");
        _server.Opened.ShouldBe(opened + 2);

        weir.Clock.Advance(Pause);
        _server.ForgetsAtOnce = false;
        (await CallAsync("echo")).Body.ShouldContain("\"said\"");
        // The second replacement may still be known to the server, which no longer forgets.
        _server.Opened.ShouldBeInRange(opened + 2, opened + 3);
    }

    [Fact]
    public async Task R02_a_restart_drops_the_session_and_the_pause_and_reads_the_lists_again()
    {
        _server.Loss = "500";
        _server.Forget();
        (await CallAsync("echo")).ErrorCode.ShouldBe(1013, "500 says nothing of the session");
        var listed = _server.Http.Count("tools/list");
        await weir.World.CallAsync(
            "select public.manage_mcp_servers('restart', $1, null, $2)", Sql.Uuid(weir.World.OrganizationId), Sql.Uuid(_id));
        (await CallAsync("echo")).Body.ShouldContain("\"said\"");
        await Until.True(() => _server.Http.Count("tools/list") >= listed + 2, "the handshake, and the lists");
    }

    [Fact]
    public async Task R02_an_update_drops_the_session_and_reads_the_lists_again()
    {
        _server.Loss = "500";
        _server.Forget();
        (await CallAsync("echo")).ErrorCode.ShouldBe(1013, "500 says nothing of the session");
        var listed = _server.Http.Count("tools/list");
        await weir.World.CallAsync(
            "select public.manage_mcp_servers('update', $1, $2, $3)", Sql.Uuid(weir.World.OrganizationId), Sql.Jsonb("""{"priority": 7}"""),
            Sql.Uuid(_id));
        (await CallAsync("echo")).Body.ShouldContain("\"said\"");
        await Until.True(() => _server.Http.Count("tools/list") > listed, "the lists");
    }

    [Fact]
    public async Task R02_a_replica_drops_the_sessions_of_a_restarted_instance_though_no_call_comes_and_lets_calls_in_flight_end()
    {
        using var timeout = new CancellationTokenSource();
        var hanging = Raw().CallAsync(_name + "__hang", ct: timeout.Token);
        await Until.True(() => _server.Ran.Contains("hang"), "the call is in flight");
        var session = _server.Http.Requests.Last(r => r.Name == "hang").Session!;
        await weir.World.CallAsync(
            "select public.manage_mcp_servers('restart', $1, null, $2)", Sql.Uuid(weir.World.OrganizationId), Sql.Uuid(_id));
        var sessions = weir.Services.GetRequiredService<UpstreamSessions>();
        await Until.True(() => !sessions.Instances.Contains(_id), "the session is dropped");
        hanging.IsCompleted.ShouldBeFalse();
        _server.Sessions.ShouldContain(session);
        await timeout.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => hanging);
        await Until.True(() => !_server.Sessions.Contains(session), "the session is ended at the server");
    }

    [Fact]
    public async Task R02_a_restart_closes_the_circuit_breaker()
    {
        await using var odd = await OddServer.StartAsync();
        var (name, id) = await weir.AddReadyAsync(odd.Url, All);
        var raw = Raw();
        for (var i = 0; i < 16; i++)
        {
            await raw.CallAsync(name + "__drop");
        }

        (await raw.CallAsync(name + "__echo")).Body.ShouldContain("circuit_open");
        await weir.World.CallAsync(
            "select public.manage_mcp_servers('restart', $1, null, $2)", Sql.Uuid(weir.World.OrganizationId), Sql.Uuid(id));
        (await raw.CallAsync(name + "__echo")).Body.ShouldContain("\"ok\"");
    }

    [Fact]
    public async Task R02_a_subscription_is_made_again_on_a_new_session_and_a_server_without_a_stream_loses_none()
    {
        await using var server = await SessionServer.StartAsync();
        server.HasStream = false;
        var name = "w" + Guid.CreateVersion7(TimeProvider.System.GetUtcNow()).ToString("N")[18..];
        var id = await weir.World.AddRemoteAsync(name, server.Url, share: "session");
        await weir.World.GrantAsync(id, All);
        var raw = new RawClient(weir.Client(weir.World.AgentKey), "/mcp/" + name);
        await Until.AsyncTrue(
            async () => (await raw.ModernAsync("resources/list")).Body.Contains("file:///a", StringComparison.Ordinal), "the catalog");
        var session = await raw.InitializeAsync();
        await raw.PostAsync("""{"jsonrpc":"2.0","id":2,"method":"resources/subscribe","params":{"uri":"file:///a"} }""", [session]);
        await Until.True(() => server.Http.Count("ping") > 0, "the refused stream is looked into");
        server.Sessions.ShouldContain(server.Http.Requests.First(r => r.Method == "ping").Session!);

        server.Forget();
        server.HasStream = true;
        await Until.True(() => server.Http.Requests.Any(r => r.Method == "resources/subscribe" && server.Sessions.Contains(r.Session!)),
            "the new session hears of the resource");
    }

    [Fact]
    public async Task R02_a_server_of_2024_11_05_that_refuses_a_message_gets_a_new_stream()
    {
        var streams = 0;
        HttpContext? stream = null;
        await using var server = await ScriptedServer.StartAsync(async (http, request) =>
        {
            if (request.Verb == "GET")
            {
                stream = http;
                await ScriptedServer.WriteEventsAsync(http, $"event: endpoint\ndata: /messages/{Interlocked.Increment(ref streams)}\n\n");
                await ScriptedServer.HangAsync(http);
            }
            else if (request.Path == "/mcp")
            {
                http.Response.StatusCode = 405;
            }
            else if (request.Method == "tools/call" && request.Path != $"/messages/{Volatile.Read(ref streams)}")
            {
                await ScriptedServer.WriteAsync(http, "Could not find session", 404, "text/plain");
            }
            else
            {
                http.Response.StatusCode = 202;
                if (request.Id != "null")
                {
                    var result = request.Method switch
                    {
                        "initialize" =>
                            """{"protocolVersion":"2024-11-05","capabilities":{"tools":{} },"serverInfo":{"name":"s","version":"1"} }""",
                        "tools/list" => """{"tools":[{"name":"echo","inputSchema":{"type":"object"} }]}""",
                        _ => ScriptedServer.Text("said"),
                    };
                    await stream!.Response.WriteAsync($"event: message\ndata: {ScriptedServer.Result(request, result)}\n\n");
                    await stream.Response.Body.FlushAsync();
                }
            }
        });
        var (name, _) = await weir.AddReadyAsync(server.Url, All);
        (await Raw().CallAsync(name + "__echo")).Body.ShouldContain("\"said\"");
        Interlocked.Increment(ref streams); // The session of the last stream is not known any more.
        (await Raw().CallAsync(name + "__echo")).Body.ShouldContain("\"said\"");
    }

    [Fact]
    public async Task R02_the_sweep_ends_no_session_on_which_a_call_runs()
    {
        var sessions = weir.Services.GetRequiredService<UpstreamSessions>();
        var ct = TestContext.Current.CancellationToken;
        var target = new UpstreamTarget(Guid.CreateVersion7(TimeProvider.System.GetUtcNow()), "server", _server.Url, NodeKey: null);
        var session = await sessions.GetAsync(target, "swept", ClientCapabilities.None, ct);
        using (session.Use())
        {
            weir.Clock.Advance(TimeSpan.FromMinutes(11));
            await sessions.SweepAsync(ct);
            _server.Sessions.ShouldContain(session.SessionId!);
        }

        await sessions.SweepAsync(ct);
        _server.Sessions.ShouldNotContain(session.SessionId!);
    }

    private Task<RawAnswer> CallAsync(string tool, string arguments = "{}") => Raw().CallAsync($"{_name}__{tool}", arguments);

    private async Task<RawAnswer> ReadAsync(string uri)
    {
        var raw = new RawClient(weir.Client(weir.World.AgentKey), "/mcp/" + _name);
        var session = await raw.InitializeAsync();
        return await raw.PostAsync($$"""{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"{{uri}}"} }""", [session]);
    }

    private RawClient Raw() => new(weir.Client(weir.World.AgentKey));
}
