extern alias NodeAgent;

using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using NodeAgent::Weir.NodeAgent.Bridge;
using NodeAgent::Weir.NodeAgent.Processes;
using NodeAgent::Weir.NodeAgent.State;
using Microsoft.AspNetCore.Http;
using Weir.Tests.Fixtures;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.NodeAgent;

/// <summary>Every queue of the node is flooded, and holds no more bytes than its budget; a real server does the flooding.</summary>
public sealed class FloodTests
{
    private const int Mebi = 1 << 20;

    /// <summary>What the buffer of a line of 100 KiB may have beside the queue that is flooded, and small messages.</summary>
    private const int Slack = Mebi / 2;
    private const string Hundred = """ "bytes":100000,"count":100 """;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task F05_a_flood_of_progress_that_nobody_reads_ends_its_call_and_nothing_else()
    {
        await using var bridge = new Bridge(new() { CallBytes = Mebi });
        var (_, session) = await bridge.OpenAsync();
        var call = Call(session, "flood", $$"""{"method":"notifications/progress",{{Hundred}}}""", meta: """{"progressToken":"t"}""");
        await Until.True(() => call.IsFinished, "the flood ends the call");
        bridge.Organization.Peak.ShouldBeInRange(Mebi / 2, Mebi + Slack);
        Encoding.UTF8.GetString(await call.FinalAsync(Token)).ShouldContain("overflow");
        (await AnswerAsync(Call(session, "seen", id: "2")))["noted"]!.AsArray().Count.ShouldBe(
            1, "The server was told that the call is over.");
        bridge.Organization.Held.ShouldBeLessThan(Slack);
    }

    [Fact]
    public async Task F05_a_flood_of_notifications_ends_the_stream_that_is_not_read()
    {
        await using var bridge = new Bridge(new() { SessionBytes = Mebi });
        var (_, session) = await bridge.OpenAsync();
        var stream = session.OpenStream();
        // After the answer: while a call is in flight, what has no stream goes to the call.
        var call = Call(session, "flood", $$"""{"method":"notifications/tools/list_changed","after":true,{{Hundred}}}""");
        Encoding.UTF8.GetString(await call.FinalAsync(Token)).ShouldContain("flooded");
        await Until.True(() => stream.HasOverflowed, "the flood ends the stream");
        (await stream.Messages.NextAsync(Token)).ShouldBeNull();
        bridge.Organization.Peak.ShouldBeInRange(Mebi / 2, Mebi + Slack);
        session.CloseStream(stream);
        bridge.Organization.Held.ShouldBeLessThan(Slack);
    }

    [Fact]
    public async Task F05_requests_that_wait_for_a_client_are_refused_when_they_are_too_large()
    {
        await using var bridge = new Bridge(new() { SessionBytes = Mebi });
        var (host, session) = await bridge.OpenAsync();
        (await Call(session, "questions", """{"bytes":100000,"count":40}""").FinalAsync(Token)).ShouldNotBeEmpty();
        await Until.True(() => bridge.Log.Read(10, null).Any(l => l.Text == "all asked"), "the server has asked");
        await Until.AsyncTrue(
            async () => (await AnswerAsync(Call(session, "refused", id: "2")))["busy"]!.GetValue<int>() >= 25, "most are refused");
        bridge.Organization.Peak.ShouldBeLessThan((2 * Mebi) + Slack);
        host.Close(session);
        await Until.True(() => bridge.Organization.Held < Slack, "what waited is dropped with its session");
    }

    [Fact]
    public async Task F05_what_a_child_does_not_read_is_refused()
    {
        await using var bridge = new Bridge(new() { OutgoingBytes = Mebi });
        var (_, session) = await bridge.OpenAsync();
        await Call(session, "deaf").FinalAsync(Token);
        var message = new string('x', 100_000);
        var calls = Enumerable.Range(10, 40).Select(i => Call(session, "echo", $$"""{"message":"{{message}}"}""", id: $"{i}")).ToList();
        calls.Count(c => c.IsFinished).ShouldBeGreaterThan(20);
        Encoding.UTF8.GetString(await calls[^1].FinalAsync(Token)).ShouldContain("busy");
        bridge.Organization.Peak.ShouldBeInRange(Mebi / 2, Mebi + Slack);
    }

    [Fact]
    public async Task F05_answers_that_nobody_fetches_take_half_of_the_organizations_bytes_at_most()
    {
        await using var bridge = new Bridge(new() { OrganizationBytes = 16 * Mebi });
        var (_, session) = await bridge.OpenAsync();
        var calls = Enumerable.Range(10, 30).Select(i => Call(session, "big", """{"bytes":1000000}""", id: $"{i}")).ToList();
        await Until.True(() => calls.TrueForAll(c => c.IsFinished), "each call ends");
        bridge.Instance.Peak.ShouldBeInRange(4 * Mebi, 8 * Mebi);
        bridge.Organization.TryTake(7 * Mebi).ShouldBeTrue("Another instance of the organization has room.");
        bridge.Organization.Return(7 * Mebi);
        var answers = await Task.WhenAll(calls.Select(c => c.FinalAsync(Token)));
        answers.Count(a => a.Length > Mebi / 2).ShouldBeGreaterThan(2);
        answers.Count(a => Encoding.UTF8.GetString(a).Contains("overflow", StringComparison.Ordinal)).ShouldBeGreaterThan(10);
        bridge.Organization.Held.ShouldBeLessThan(Slack);
    }

    [Fact]
    public async Task F05_subscriptions_of_a_shared_child_are_bounded_in_bytes()
    {
        await using var bridge = new Bridge(new() { SubscriptionBytes = 64 * 1024 });
        var host = new SharedChild(bridge.Start, bridge.Options, bridge.Instance, bridge.Log, TimeProvider.System);
        bridge.Host = host;
        await host.InitializeAsync(_ => { }, Token);
        var opened = await host.OpenAsync(Parse(InitializeBody, out var body), body, Token);
        var refusals = 0;
        for (var i = 0; i < 100; i++)
        {
            var parts = Parse(
                $$$"""{"jsonrpc":"2.0","id":{{{i}}},"method":"resources/subscribe","params":{"uri":"a://{{{i}}}/{{{new string(
                    'x', 4000)}}}"} }""", out var message);
            refusals +=
                host.AnswerLocally(opened.Session!, parts, message) is { } answer
                    && Encoding.UTF8.GetString(answer).Contains("busy", StringComparison.Ordinal) ? 1 : 0;
        }

        refusals.ShouldBeGreaterThan(80);
        bridge.Organization.Peak.ShouldBeLessThan((64 * 1024) + Slack);
        host.Close(opened.Session!);
        await Until.True(() => bridge.Organization.Held < 4096, "the subscriptions are returned with their session");
    }

    [Fact]
    public async Task F05_a_line_that_does_not_end_takes_no_more_than_its_budget()
    {
        var budget = new ByteBudget(Mebi);
        using var stream = new MemoryStream([.. new byte[10 * Mebi].Select(_ => (byte)'x'), .. "\nnext\n"u8]);
        var lines = new List<(int Length, LinePart Part)>();
        await LineReader.ReadAsync(stream, 16 * Mebi, (line, part) => lines.Add((line.Length, part)), budget);
        lines.Select(l => l.Part).ShouldBe([LinePart.Head, LinePart.Tail, LinePart.Whole]);
        lines[0].Length.ShouldBeLessThanOrEqualTo(Mebi);
        budget.Peak.ShouldBeLessThanOrEqualTo(Mebi);
        budget.Held.ShouldBe(0);
    }

    [Theory]
    [InlineData("""{"jsonrpc":"2.0","id":7,"result":{"a":""", 7L)]
    [InlineData("""{ "id" : 7 ,"result":{"id":8""", 7L)]
    [InlineData("""{"result":{"id":8},"jsonrpc":"2.0",""", null)]
    [InlineData("""{"jsonrpc":"2.0","method":"x","params":{"id":8""", null)]
    public void F05_the_call_of_a_long_line_is_named_at_its_start(string head, long? id) =>
    LongLine.IdInHead(Encoding.UTF8.GetBytes(head)).ShouldBe(id);

    [Theory]
    [InlineData("""x"]},"jsonrpc":"2.0","id":7}""", 7L)]
    [InlineData("""x"]}, "id": 7, "jsonrpc": "2.0" }""", 7L)]
    [InlineData("""x","id":7}}""", null)]
    [InlineData("""x\",\"id\":7}"}""", null)]
    public void F05_the_call_of_a_long_line_is_named_at_its_end(string tail, long? id) =>
    LongLine.IdInTail(Encoding.UTF8.GetBytes(tail)).ShouldBe(id);

    [Theory]
    [InlineData(Mebi / 4, true, true)]
    [InlineData(4 * Mebi, true, false)]
    [InlineData(Mebi / 4, false, false)]
    public async Task F05_request_bodies_are_counted_before_they_are_read(int size, bool hasLength, bool fits)
    {
        var budget = new ByteBudget(Mebi);
        var http = new DefaultHttpContext();
        using var stream = new MemoryStream(new byte[size]);
        http.Request.Body = stream;
        http.Request.ContentLength = hasLength ? size : null;
        using (var body = new CountedBody(budget))
        {
            ((await body.ReadAsync(http.Request, Token))?.Length).ShouldBe(fits ? size : null);
            stream.Position.ShouldBe(fits ? size : 0);
            budget.Held.ShouldBe(fits ? size : 0);
        }

        budget.Held.ShouldBe(0);
    }

    [Fact]
    public async Task F05_over_http_a_stream_and_a_call_that_are_not_read_end_with_a_typed_error()
    {
        await using var node = await NodeHost.StartAsync();
        var raw = new RawMcp(node, await node.DeployAsync(NodeHost.Fixture("session")));
        await raw.InitializeAsync();
        using var stream = await raw.ListenAsync();
        (await raw.CallAsync("flood", """{"method":"notifications/tools/list_changed","bytes":1000000,"count":60}""")).ShouldBe("flooded");
        var events = await stream.Content.ReadAsStringAsync(Token);
        events.ShouldContain("event: error");
        events[^300..].ShouldContain("overflow");

        using var call = await raw.PostAsync(
            RawMcp.CallBody(
                "flood", """{"method":"notifications/progress","bytes":1000000,"count":80}""", meta: """{"progressToken":1}"""));
        await Until.AsyncTrue(
            async () => (await raw.CallAsync("seen", id: "2")).Contains("\"noted\":[", StringComparison.Ordinal), "the server is heard");
        (await RawMcp.MessagesAsync(call))[^1]["error"]!["data"]!["weir"]!.GetValue<string>().ShouldBe("overflow");
        (await raw.CallAsync("echo", """{"message":"on"}""", id: "3")).ShouldBe("on");
    }

    private const string InitializeBody =
        """{"jsonrpc":"2."""
            + """0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","ver"""
            + """sion":"1"} } }""";

    private static BridgedCall Call(Session session, string tool, string arguments = "{}", string id = "1", string? meta = null)
    {
        var parts = Parse(RawMcp.CallBody(tool, arguments, id, meta), out var message);
        return session.Call(parts, message).ShouldNotBeNull();
    }

    private static async Task<JsonNode> AnswerAsync(BridgedCall call) =>
        JsonNode.Parse(JsonNode.Parse(await call.FinalAsync(Token))!["result"]!["content"]![0]!["text"]!.GetValue<string>())!;

    private static MessageParts Parse(string json, out byte[] message)
    {
        message = Encoding.UTF8.GetBytes(json);
        MessageParts.TryParse(message, out var parts, out var problem).ShouldBeTrue(problem);
        return parts;
    }

    /// <summary>The bridge without HTTP, in front of the tests' own server.</summary>
    private sealed class Bridge(BridgeOptions options) : IAsyncDisposable
    {
        private readonly string _directory = Directory.CreateTempSubdirectory("weir-bridge-").FullName;
        private InstanceLog? _log;
        private ByteBudget? _instance;

        public BridgeOptions Options { get; } = options;

        public ByteBudget Organization { get; } = new(options.OrganizationBytes);

        public ByteBudget Instance => _instance ??= new ByteBudget(Options.InstanceBytes, Organization);

        public InstanceLog Log => _log ??= new InstanceLog(_directory, Guid.Empty, TimeProvider.System);

        public ISessionHost? Host { get; set; }

        public ChildConnection Start(ServerMessageHandler handler)
        {
            var script = Path.Combine(AppContext.BaseDirectory, "Fixtures", "NodeServer", "server.js");
            var process = Process.Start(new ProcessStartInfo("setsid", ["node", script])
            {
                UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
                WorkingDirectory = _directory,
            })!;
            var child = new ChildProcess(process, Path.Combine(_directory, "group"), TimeProvider.System);
            return new ChildConnection(child, Log, Options, Instance, TimeProvider.System, handler);
        }

        public async Task<(ChildPerSession Host, Session Session)> OpenAsync()
        {
            var host = new ChildPerSession(Start, Options, Instance, Log, TimeProvider.System, _ => { });
            Host = host;
            var opened = await host.OpenAsync(Parse(InitializeBody, out var body), body, Token);
            return (host, opened.Session.ShouldNotBeNull());
        }

        public async ValueTask DisposeAsync()
        {
            if (Host is not null)
            {
                (await Host.EndAsync()).ShouldBeTrue();
            }

            Log.Dispose();
            Directory.Delete(_directory, recursive: true);
        }
    }
}
