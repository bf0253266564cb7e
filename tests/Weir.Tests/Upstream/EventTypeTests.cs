using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Weir.Mcp;
using Weir.Tests.Infrastructure;
using Weir.Upstream;

namespace Weir.Tests.Upstream;

/// <summary>Servers that send events of other types than messages, on every stream of the protocol.</summary>
public sealed class EventTypeTests(RunningWeir weir) : IClassFixture<RunningWeir>
{
    private const string Legacy =
        """{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"resources":{"subscribe":true} """
            + """},"serverInfo":{"name":"s","version":"1"} }""";
    private const string Tools = """{"tools":[{"name":"echo","inputSchema":{"type":"object"} }]}""";

    /// <summary>What a server may send before a message: nothing of it is one.</summary>
    public static TheoryData<string> Noise =>
    [
        "event: ping\ndata: ping\n\n",
        "event: ping\n\n",
        "event: ping\r\ndata: 2026-11-30 02:00:00+00:00\r\n\r\n",
        ": keep-alive\n\n",
        "id: 1\n\nretry: 1000\n\n",
        "id: 1\ndata:\n\n",
        "\uFEFFevent: heartbeat\rdata: {}\r\r",
        "data: ping\n\n",
        "data: {\"type\":\"heartbeat\",\"timestamp\":\"2026-11-30T02:00:00Z\"}\n\n",
        "event: message\ndata: null\n\n",
        "event: error\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1,\"message\":\"no\"} }\n\n",
    ];

    [Theory]
    [MemberData(nameof(Noise))]
    public async Task R03_a_server_that_sends_other_events_first_is_deployed_and_called(string noise)
    {
        await using var server = await ScriptedServer.StartAsync((http, request) => AnswerAsync(http, request, noise));
        var (name, _) = await weir.AddReadyAsync(server.Url, """{"tools": {"*": {}}}""");
        var answer = await new RawClient(weir.Client(weir.World.AgentKey)).CallAsync(name + "__echo");
        answer.Status.ShouldBe(HttpStatusCode.OK);
        answer.Body.ShouldContain("\"said\"");
        server.Count("tools/call").ShouldBe(1);
    }

    [Fact]
    public async Task R03_a_server_of_2024_11_05_may_send_other_events_before_its_endpoint_and_between()
    {
        const string Pings = "event: ping\n\n: c\n\nevent: ping\ndata: x\n\n";
        const string Heartbeats = "data: ping\n\ndata: {\"type\":\"heartbeat\"}\n\n";
        HttpContext? stream = null;
        await using var server = await ScriptedServer.StartAsync(async (http, request) =>
        {
            switch (request)
            {
                case { Verb: "GET" }:
                    stream = http;
                    await ScriptedServer.WriteEventsAsync(http, Pings + "event: endpoint\ndata: /messages?id=1\n\n");
                    await ScriptedServer.HangAsync(http);
                    break;
                case { Path: "/mcp" }:
                    http.Response.StatusCode = 405;
                    break;
                default:
                    http.Response.StatusCode = 202;
                    if (request.Id != "null")
                    {
                        await stream!.Response.WriteAsync(
                            $"{Pings}{Heartbeats}event: message\ndata: {ScriptedServer.Result(request, Of(request))}\n\n");
                        await stream.Response.Body.FlushAsync();
                    }

                    break;
            }
        });
        var (name, _) = await weir.AddReadyAsync(server.Url, """{"tools": {"*": {}}}""");
        (await new RawClient(weir.Client(weir.World.AgentKey)).CallAsync(name + "__echo")).Body.ShouldContain("\"said\"");
    }

    [Fact]
    public async Task R03_a_sessions_own_stream_skips_other_events()
    {
        const string Events =
            "event: ping\ndata: x\n\nevent: ping\n\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n";
        await using var server = await ScriptedServer.StartAsync((http, request) =>
            request.Verb == "GET" ? ScriptedServer.WriteEventsAsync(http, Events) : AnswerAsync(http, request, ""));
        var upstream = weir.Services.GetRequiredService<UpstreamClient>();
        var ct = TestContext.Current.CancellationToken;
        var session = await upstream.OpenAsync(
            new UpstreamTarget(Guid.CreateVersion7(TimeProvider.System.GetUtcNow()), "server", server.Url, NodeKey: null),
            ClientCapabilities.None, ct);
        using var stream = await upstream.OpenStreamAsync(session, lastEventId: null, ct);
        var methods = new List<string>();
        await foreach (var message in stream.ReadAsync(id: null, ct))
        {
            methods.Add(message.Fields.Method);
        }

        methods.ShouldBe(["notifications/tools/list_changed"]);
    }

    [Fact]
    public async Task R03_a_message_of_json_rpc_that_is_broken_is_no_heartbeat()
    {
        await using var server = await ScriptedServer.StartAsync((http, request) => request.Method == "tools/call"
            ? ScriptedServer.WriteEventsAsync(http, "data: {\"jsonrpc\":\"2.0\",\"id\":\n\n")
            : AnswerAsync(http, request, ""));
        var (name, _) = await weir.AddReadyAsync(server.Url, """{"tools": {"*": {}}}""");
        (await new RawClient(weir.Client(weir.World.AgentKey)).CallAsync(name + "__echo")).ErrorCode.ShouldBe(1013);
    }

    [Fact]
    public async Task R03_a_flood_of_other_events_is_an_answer_that_is_too_large()
    {
        await using var server = await ScriptedServer.StartAsync(async (http, request) =>
        {
            if (request.Method != "tools/call")
            {
                await AnswerAsync(http, request, "");
                return;
            }

            var megabyte = string.Concat(Enumerable.Repeat("event: ping\ndata: 0123456789\n\n", 1_048_576 / 29));
            http.Response.ContentType = "text/event-stream";
            for (var i = 0; i < 64 && !http.RequestAborted.IsCancellationRequested; i++)
            {
                await http.Response.WriteAsync(megabyte);
            }
        });
        var (name, _) = await weir.AddReadyAsync(server.Url, """{"tools": {"*": {}}}""");
        var answer = await new RawClient(weir.Client(weir.World.AgentKey)).CallAsync(name + "__echo");
        answer.ErrorCode.ShouldBe(1013, answer.Body);
        answer.ErrorMessage.ShouldContain("larger");
    }

    /// <summary>A legacy server that answers each request by a stream, with <paramref name="noise"/> before the message.</summary>
    private static Task AnswerAsync(HttpContext http, ScriptedRequest request, string noise)
    {
        if (request.Method == "server/discover" || request.Verb != "POST")
        {
            http.Response.StatusCode = 405;
            return Task.CompletedTask;
        }

        if (request.Id == "null")
        {
            http.Response.StatusCode = 202;
            return Task.CompletedTask;
        }

        http.Response.Headers["Mcp-Session-Id"] = "session-1";
        return ScriptedServer.WriteEventsAsync(http, $"{noise}data: {ScriptedServer.Result(request, Of(request))}\n\n");
    }

    private static string Of(ScriptedRequest request) => request.Method switch
    {
        "initialize" when request.Path == "/mcp" => Legacy,
        "initialize" => Legacy.Replace("2025-11-25", "2024-11-05", StringComparison.Ordinal),
        "tools/list" => Tools,
        "tools/call" => ScriptedServer.Text("said"),
        _ => "{}",
    };
}
