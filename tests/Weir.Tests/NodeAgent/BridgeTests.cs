using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using ModelContextProtocol;
using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;
using Weir.Tests.Fixtures;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.NodeAgent;

/// <summary>One node with a shared and a per-session instance of the tests' own server.</summary>
public sealed class BridgeFixture : IAsyncLifetime
{
    internal NodeHost Node { get; private set; } = null!;

    internal Guid Shared { get; private set; }

    internal Guid PerSession { get; private set; }

    public async ValueTask InitializeAsync()
    {
        Node = await NodeHost.StartAsync();
        Shared = await Node.DeployAsync(NodeHost.Fixture());
        PerSession = await Node.DeployAsync(NodeHost.Fixture("session"));
    }

    public ValueTask DisposeAsync() => Node.DisposeAsync();
}

public sealed class BridgeTests(BridgeFixture fixture) : IClassFixture<BridgeFixture>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_official_client_lists_and_calls_tools(bool shared)
    {
        await using var client = await fixture.Node.ConnectAsync(shared ? fixture.Shared : fixture.PerSession);
        client.ServerInfo!.Name.ShouldBe("weir-fixture");
        (await client.ListToolsAsync(cancellationToken: Token)).ShouldContain(t => t.Name == "echo");
        var result =
            await client.CallToolAsync("echo", new Dictionary<string, object?> { ["message"] = "grüße" }, cancellationToken: Token);
        result.Content.OfType<TextContentBlock>().Single().Text.ShouldBe("grüße");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task R12_a_childs_answer_is_found_by_the_value_of_its_id(bool shared)
    {
        var raw = new RawMcp(fixture.Node, shared ? fixture.Shared : fixture.PerSession);
        await raw.InitializeAsync();
        (await raw.CallAsync("spelled")).ShouldBe("found");
        (await raw.CallAsync("quoted")).ShouldBe("found");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task R13_a_childs_error_without_an_id_ends_the_only_call_in_flight(bool shared)
    {
        var raw = new RawMcp(fixture.Node, shared ? fixture.Shared : fixture.PerSession);
        await raw.InitializeAsync();
        var answer = JsonNode.Parse(await raw.CallAsync("unnamed"))!;
        answer["id"]!.GetValue<int>().ShouldBe(1);
        answer["error"]!["message"]!.GetValue<string>().ShouldBe("odd");
    }

    [Fact]
    public async Task A_shared_child_is_initialized_once_by_the_node_without_capabilities()
    {
        var one = new RawMcp(fixture.Node, fixture.Shared);
        var initialized = await one.InitializeAsync("""{"sampling":{},"elicitation":{}}""");
        await new RawMcp(fixture.Node, fixture.Shared).InitializeAsync();
        initialized["id"]!.GetValue<string>().ShouldBe("init");
        initialized["result"]!["instructions"]!.GetValue<string>().ShouldBe("for weir-node");
        var seen = JsonNode.Parse(await one.CallAsync("seen"))!;
        seen["initialized"]!.GetValue<int>().ShouldBe(1);
        seen["clientCapabilities"]!.ToJsonString().ShouldBe("{}");
    }

    [Fact]
    public async Task A_session_child_is_initialized_with_the_clients_own_words()
    {
        var raw = new RawMcp(fixture.Node, fixture.PerSession);
        var initialized = await raw.InitializeAsync("""{"sampling":{"vendor":1}}""", version: "2025-06-18");
        initialized["result"]!["protocolVersion"]!.GetValue<string>().ShouldBe("2025-06-18");
        initialized["result"]!["instructions"]!.GetValue<string>().ShouldBe("for raw");
        JsonNode.Parse(await raw.CallAsync("seen"))!["clientCapabilities"]!.ToJsonString().ShouldBe("""{"sampling":{"vendor":1}}""");
    }

    [Fact]
    public async Task Sessions_that_use_the_same_ids_and_tokens_get_their_own_answers_and_progress()
    {
        var sessions = await Task.WhenAll(Enumerable.Range(0, 8).Select(async i =>
        {
            var raw = new RawMcp(fixture.Node, fixture.Shared);
            await raw.InitializeAsync();
            return (Raw: raw, Label: $"session-{i}");
        }));
        await Task.WhenAll(sessions.Select(async s =>
        {
            using var response = await s.Raw.PostAsync(RawMcp.CallBody(
                "progress", $$"""{"steps":20,"label":"{{s.Label}}"}""", id: "\"same\"",
                meta: """{"progressToken":"token","keep":"this"}"""));
            response.Content.Headers.ContentType!.MediaType.ShouldBe("text/event-stream");
            var messages = await RawMcp.MessagesAsync(response);
            messages.Count.ShouldBe(21);
            messages.Take(20)
                .ShouldAllBe(
                m =>
                    m["params"]!["progressToken"]!.GetValue<string>() == "token" && m["params"]!["message"]!.GetValue<string>() == s.Label);
            messages.Take(20).Select(m => m["params"]!["progress"]!.GetValue<int>()).ShouldBe(Enumerable.Range(1, 20));
            messages[20]["id"]!.GetValue<string>().ShouldBe("same");
        }));
    }

    [Fact]
    public async Task The_child_sees_ids_and_tokens_of_the_bridge_and_the_client_its_own()
    {
        var raw = new RawMcp(fixture.Node, fixture.Shared);
        await raw.InitializeAsync();
        using var response = await raw.PostAsync(RawMcp.CallBody("seen", id: "\"mine\"", meta: """{"progressToken":7}"""));
        response.Content.Headers.ContentType!.MediaType.ShouldBe("application/json");
        var answer = (await RawMcp.MessagesAsync(response)).Single();
        answer["id"]!.GetValue<string>().ShouldBe("mine");
        var seen = JsonNode.Parse(answer["result"]!["content"]![0]!["text"]!.GetValue<string>())!;
        seen["id"]!.GetValueKind().ShouldBe(JsonValueKind.Number);
        seen["token"]!.ToJsonString().ShouldBe(seen["id"]!.ToJsonString());
    }

    [Fact]
    public async Task A_pretty_printed_request_is_one_line_to_the_child()
    {
        var raw = new RawMcp(fixture.Node, fixture.Shared);
        await raw.InitializeAsync();
        var pretty = JsonNode.Parse(RawMcp.CallBody("echo", """{"message":"a\nb"}"""))!.ToJsonString(
            new JsonSerializerOptions { WriteIndented = true });
        using var response = await raw.PostAsync(pretty.Replace("\n", "\r\n", StringComparison.Ordinal));
        (await RawMcp.MessagesAsync(response)).Single()["result"]!["content"]![0]!["text"]!.GetValue<string>().ShouldBe("a\nb");
    }

    [Fact]
    public async Task A_modern_probe_and_a_missing_session_are_refused_in_a_way_that_means_initialize()
    {
        var raw = new RawMcp(fixture.Node, fixture.Shared);
        foreach (var method in (string[])["server/discover", "tools/list"])
        {
            using var response = await raw.PostAsync(
                $$$"""{"jsonrpc":"2.0","id":1,"method":"{{{method}}}","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"} } }""",
                change: r => r.Headers.Add("MCP-Protocol-Version", "2026-07-28"));
            response.StatusCode.ShouldBe(HttpStatusCode.BadRequest);
            (await RawMcp.MessagesAsync(response)).Single()["error"]!["code"]!.GetValue<int>().ShouldBe(-32600);
        }
    }

    [Fact]
    public async Task An_unknown_session_is_404_and_an_ended_one_too()
    {
        var raw = new RawMcp(fixture.Node, fixture.Shared);
        (await raw.PostAsync(RawMcp.CallBody("echo"), session: "unknown")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        await raw.InitializeAsync();
        using var delete = new HttpRequestMessage(HttpMethod.Delete, fixture.Node.Mcp(fixture.Shared));
        delete.Headers.Add("Mcp-Session-Id", raw.Session);
        (await fixture.Node.Http.SendAsync(delete, Token)).StatusCode.ShouldBe(HttpStatusCode.NoContent);
        (await raw.PostAsync(RawMcp.CallBody("echo"))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }

    [Theory]
    [InlineData("not json", 400, -32700)]
    [InlineData("""[{"jsonrpc":"2.0","id":1,"method":"ping"}]""", 400, -32600)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}""", 400, -32600)]
    [InlineData("""{"jsonrpc":"2.0","id":{},"method":"ping"}""", 400, -32600)]
    [InlineData("""{"jsonrpc":"2.0","id":1}""", 400, -32600)]
    [InlineData("""{"id":1,"method":"ping"}""", 400, -32600)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"ping"} trailing""", 400, -32700)]
    public async Task What_is_not_one_message_is_refused(string body, int status, int code)
    {
        var raw = new RawMcp(fixture.Node, fixture.Shared);
        await raw.InitializeAsync();
        using var response = await raw.PostAsync(body);
        ((int)response.StatusCode).ShouldBe(status);
        (await RawMcp.MessagesAsync(response)).Single()["error"]!["code"]!.GetValue<int>().ShouldBe(code);
    }

    [Fact]
    public async Task Wrong_headers_are_refused()
    {
        var raw = new RawMcp(fixture.Node, fixture.Shared);
        await raw.InitializeAsync();
        var body = RawMcp.CallBody("echo");
        (await raw.PostAsync(body, change: r => r.Content!.Headers.ContentType = new("text/plain"))).StatusCode.ShouldBe(
            HttpStatusCode.UnsupportedMediaType);
        (await raw.PostAsync(body, change: r =>
        {
            r.Headers.Accept.Clear();
            r.Headers.Accept.ParseAdd("application/json");
        })).StatusCode.ShouldBe(HttpStatusCode.NotAcceptable);
        (await raw.PostAsync(body, change: r => r.Headers.Add("MCP-Protocol-Version", "1999-01-01"))).StatusCode.ShouldBe(
            HttpStatusCode.BadRequest);
        (await raw.PostAsync(body, change: r => r.Headers.Host = "evil.example")).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        (await raw.PostAsync(body, change: r => r.Headers.Add("Origin", "http://evil.example"))).StatusCode.ShouldBe(
            HttpStatusCode.Forbidden);
        (await raw.PostAsync(body, change: r => r.Headers.Authorization = new("Bearer", "wrong"))).StatusCode.ShouldBe(
            HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task Requests_of_a_shared_child_are_refused_but_its_pings_answered()
    {
        var raw = new RawMcp(fixture.Node, fixture.Shared);
        await raw.InitializeAsync("""{"sampling":{}}""");
        JsonNode.Parse(await raw.CallAsync("ask", """{"method":"sampling/createMessage"}"""))!["code"]!.GetValue<int>().ShouldBe(-32601);
        JsonNode.Parse(await raw.CallAsync("ping"))!["result"]!.ToJsonString().ShouldBe("{}");
    }

    [Fact]
    public async Task A_session_child_asks_its_client_on_the_stream_of_the_call()
    {
        var asked = new TaskCompletionSource<string>();
        await using var client = await fixture.Node.ConnectAsync(fixture.PerSession, new McpClientOptions
        {
            Handlers = new McpClientHandlers
            {
                ElicitationHandler = (request, _) =>
                {
                    asked.TrySetResult(request!.Message);
                    return ValueTask.FromResult(new ElicitResult { Action = "decline" });
                },
            },
        });
        var result = await client.CallToolAsync("ask", new Dictionary<string, object?>
        {
            ["method"] = "elicitation/create",
            ["params"] = new { message = "really?", requestedSchema = new { type = "object", properties = new { } } },
        }, cancellationToken: Token);
        (await asked.Task).ShouldBe("really?");
        result.Content.OfType<TextContentBlock>().Single().Text.ShouldContain("decline");
    }

    [Fact]
    public async Task An_answer_that_the_child_did_not_ask_for_does_not_reach_it()
    {
        var raw = new RawMcp(fixture.Node, fixture.PerSession);
        await raw.InitializeAsync("""{"sampling":{}}""");
        var call = raw.PostAsync(RawMcp.CallBody("ask", """{"method":"sampling/createMessage"}"""));
        (await raw.PostAsync("""{"jsonrpc":"2.0","id":"question-9","result":{}}""")).StatusCode.ShouldBe(HttpStatusCode.Accepted);
        using var stream = await call;
        using var reader = new StreamReader(await stream.Content.ReadAsStreamAsync(Token));
        (await reader.ReadLineAsync(Token)).ShouldBe("event: message");
        (await reader.ReadLineAsync(Token))!.ShouldContain("question-1");
        (await raw.PostAsync("""{"jsonrpc":"2.0","id":"question-1","result":{"said":"yes"}}""")).StatusCode.ShouldBe(
            HttpStatusCode.Accepted);
        (await reader.ReadToEndAsync(Token)).ShouldContain("said");
    }

    [Fact]
    public async Task A_cancellation_reaches_the_child_under_the_id_that_it_knows()
    {
        var raw = new RawMcp(fixture.Node, fixture.PerSession);
        await raw.InitializeAsync();
        using var gone = new CancellationTokenSource();
        var hanging = raw.PostUntilAsync(RawMcp.CallBody("hang", id: "\"stuck\""), gone.Token);
        var inFlight = "";
        await Until.AsyncTrue(async () =>
        {
            // The same id again is refused for as long as the first is in flight.
            using var again = await raw.PostAsync(RawMcp.CallBody("echo", """{"message":"x"}""", id: "\"stuck\""));
            inFlight = await again.Content.ReadAsStringAsync(Token);
            return again.StatusCode == HttpStatusCode.BadRequest;
        }, "the first call is in flight");
        await raw.PostAsync("""{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"stuck","reason":"no more"}}""");
        await Until.AsyncTrue(
            async () =>
                JsonNode.Parse(await raw.CallAsync("seen"))!["noted"]!.AsArray() is [{ } id] && id.GetValueKind() == JsonValueKind.Number,
                "the child heard of the cancellation");
        await gone.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(hanging);
    }

    [Fact]
    public async Task List_changes_go_to_the_streams_of_all_sessions_and_updates_to_subscribers_only()
    {
        var (one, other) = (new RawMcp(fixture.Node, fixture.Shared), new RawMcp(fixture.Node, fixture.Shared));
        await one.InitializeAsync();
        await other.InitializeAsync();
        using var oneStream = await ListenAsync(one);
        using var otherStream = await ListenAsync(other);
        (await one.PostAsync("""{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"a://b"}}""")).StatusCode.ShouldBe(
            HttpStatusCode.OK);
        await one.CallAsync("notify", """{"method":"notifications/resources/updated","params":{"uri":"a://b"}}""");
        await one.CallAsync("notify", """{"method":"notifications/tools/list_changed"}""");
        (await NextAsync(oneStream)).ShouldContain("a://b");
        (await NextAsync(oneStream)).ShouldContain("list_changed");
        (await NextAsync(otherStream)).ShouldContain("list_changed");
    }

    [Fact]
    public async Task The_log_of_a_shared_child_goes_to_the_instances_log_and_to_no_session()
    {
        var raw = new RawMcp(fixture.Node, fixture.Shared);
        await raw.InitializeAsync();
        using var response = await raw.PostAsync(
            RawMcp.CallBody("notify", """{"method":"notifications/message","params":{"level":"info","data":"to the log"}}"""));
        (await RawMcp.MessagesAsync(response)).Count.ShouldBe(1);
        await Until.AsyncTrue(
            async () =>
                (await fixture.Node.Http.GetStringAsync($"v1/servers/{fixture.Shared}/logs?tail=1000", Token)).Contains(
                    "to the log", StringComparison.Ordinal), "the log has it");
    }

    [Fact]
    public async Task What_is_no_message_goes_to_the_log_and_harms_nothing()
    {
        var raw = new RawMcp(fixture.Node, fixture.Shared);
        await raw.InitializeAsync();
        (await raw.CallAsync("garbage")).ShouldBe("still here");
        await Until.AsyncTrue(
            async () =>
                (await fixture.Node.Http.GetStringAsync($"v1/servers/{fixture.Shared}/logs?tail=1000", Token)).Contains(
                    "not json", StringComparison.Ordinal), "the log has it");
    }

    [Fact]
    public async Task Messages_of_megabytes_pass_and_those_over_the_limit_fail_alone()
    {
        var raw = new RawMcp(fixture.Node, fixture.PerSession);
        await raw.InitializeAsync();
        (await raw.CallAsync("big", """{"bytes":9000000}""")).Length.ShouldBe(9_000_000);
        var message = new string('y', 3_000_000);
        (await raw.CallAsync("echo", $$"""{"message":"{{message}}"}""")).ShouldBe(message);
        (await raw.CallAsync("big", """{"bytes":17000000}""")).ShouldContain("too_large");
        (await raw.CallAsync("echo", """{"message":"on"}""")).ShouldBe("on");
    }

    [Fact]
    public async Task A_deleted_session_ends_its_child_and_a_crashed_child_its_session()
    {
        var (deleted, crashed) = (new RawMcp(fixture.Node, fixture.PerSession), new RawMcp(fixture.Node, fixture.PerSession));
        await deleted.InitializeAsync();
        await crashed.InitializeAsync();
        var child = JsonNode.Parse(await deleted.CallAsync("process"))!["pid"]!.GetValue<int>();
        using var delete = new HttpRequestMessage(HttpMethod.Delete, fixture.Node.Mcp(fixture.PerSession));
        delete.Headers.Add("Mcp-Session-Id", deleted.Session);
        (await fixture.Node.Http.SendAsync(delete, Token)).StatusCode.ShouldBe(HttpStatusCode.NoContent);
        await Until.True(() => !Directory.Exists($"/proc/{child}"), "the child of the deleted session ends");

        (await crashed.CallAsync("exit")).ShouldContain("upstream_closed");
        await Until.AsyncTrue(async () => (await crashed.PostAsync(RawMcp.CallBody("echo"))).StatusCode == HttpStatusCode.NotFound,
            "the session of the crashed child ends");
        (await fixture.Node.StatusAsync(fixture.PerSession)).State.ShouldBe("running");
    }

    private async Task<StreamReader> ListenAsync(RawMcp raw)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, fixture.Node.Mcp(fixture.Shared));
        request.Headers.Accept.ParseAdd("text/event-stream");
        request.Headers.Add("Mcp-Session-Id", raw.Session);
        var response = await fixture.Node.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Token);
        response.StatusCode.ShouldBe(HttpStatusCode.OK);
        return new StreamReader(await response.Content.ReadAsStreamAsync(Token));
    }

    private static async Task<string> NextAsync(StreamReader reader)
    {
        while (true)
        {
            var line = await reader.ReadLineAsync(Token).AsTask().WaitAsync(TimeSpan.FromSeconds(20), Token);
            if (line!.StartsWith("data: ", StringComparison.Ordinal))
            {
                return line;
            }
        }
    }
}
