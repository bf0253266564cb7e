using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Weir.Mcp;
using Weir.Tests.Infrastructure;
using Weir.Upstream;

namespace Weir.Tests.Upstream;

/// <summary>Servers that speak nothing newer than 2024-11-05, over Streamable HTTP.</summary>
public sealed class OldServerTests(RunningWeir weir) : IClassFixture<RunningWeir>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(null)]
    [InlineData("""{"code":-32602,"message":"Unsupported protocol version","data":{"supported":["2024-11-05","2024-10-07"]} }""")]
    [InlineData("""{"code":-32602,"message":"Invalid params"}""")]
    public async Task R04_a_remote_server_that_speaks_only_2024_11_05_is_used_without_the_version_header(string? refusal)
    {
        await using var server = await Server.StartAsync("2024-11-05", refusal);
        var client = weir.Services.GetRequiredService<UpstreamClient>();
        var session = await client.OpenAsync(Target(server), ClientCapabilities.None, Token);
        session.Version.ShouldBe("2024-11-05");
        using (var exchange = await client.PostAsync(
            session, Methods.ToolsList, name: null, """{"jsonrpc":"2.0","id":7,"method":"tools/list"}"""u8.ToArray(), Token))
        {
            exchange.Status.ShouldBe(200);
        }

        await client.CloseAsync(session, Token);
        server.Methods.ShouldBe(refusal is null
            ? ["server/discover", "initialize", "notifications/initialized", "tools/list"]
            : ["server/discover", "initialize", "initialize", "notifications/initialized", "tools/list"]);
    }

    [Theory]
    [InlineData("2024-10-07")]
    [InlineData("2099-01-01")]
    public async Task R04_a_remote_server_that_answers_an_unknown_version_is_not_used(string version)
    {
        await using var server = await Server.StartAsync(version, refusal: null);
        var client = weir.Services.GetRequiredService<UpstreamClient>();
        (await Should.ThrowAsync<UpstreamException>(() => client.OpenAsync(Target(server), ClientCapabilities.None, Token)))
            .Failure.ShouldBe(UpstreamFailure.Nonsense);
        server.Methods.ShouldBe(["server/discover", "initialize"]);
    }

    [Theory]
    [InlineData(405, "application/json", """{"detail":"Method Not Allowed"}""")]
    [InlineData(
        405, "application/json", """{"timestamp":"2026-11-30T02:00:00Z","status":405,"error":"Method Not Allowed","path":"/mcp"}""")]
    [InlineData(404, "application/json", """{"statusCode":404,"message":"Cannot POST /mcp","error":"Not Found"}""")]
    [InlineData(405, "application/json", """{"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not allowed"},"id":null}""")]
    [InlineData(404, "text/html", "<html>Not Found</html>")]
    [InlineData(400, "application/json", """{"message":"Bad Request"}""")]
    public async Task R04_a_server_of_http_sse_is_found_however_it_refuses_a_post_at_its_stream(int status, string type, string body)
    {
        HttpContext? stream = null;
        await using var server = await ScriptedServer.StartAsync(async (http, request) =>
        {
            switch (request)
            {
                case { Verb: "GET" }:
                    stream = http;
                    await ScriptedServer.WriteEventsAsync(http, "event: endpoint\ndata: /messages?id=1\n\n");
                    await ScriptedServer.HangAsync(http);
                    break;
                case { Path: "/mcp" }:
                    await ScriptedServer.WriteAsync(http, body, status, type);
                    break;
                default:
                    http.Response.StatusCode = 202;
                    if (request.Id != "null")
                    {
                        var answer = ScriptedServer.Result(
                            request, """{"protocolVersion":"2024-11-05","capabilities":{},"serverInfo":{"name":"s","version":"1"}}""");
                        await stream!.Response.WriteAsync($"event: message\ndata: {answer}\n\n");
                        await stream.Response.Body.FlushAsync();
                    }

                    break;
            }
        });
        var client = weir.Services.GetRequiredService<UpstreamClient>();
        var session = await client.OpenAsync(
            new UpstreamTarget(Guid.CreateVersion7(TimeProvider.System.GetUtcNow()), "server", server.Url, NodeKey: null),
            ClientCapabilities.None, Token);

        session.Version.ShouldBe("2024-11-05");
        await client.CloseAsync(session, Token);
    }

    [Fact]
    public async Task R04_a_server_that_is_silent_to_discovery_is_initialized()
    {
        await using var server = await ScriptedServer.StartAsync((http, request) => request.Method switch
        {
            "server/discover" => ScriptedServer.HangAsync(http),
            "initialize" => ScriptedServer.WriteAsync(http, ScriptedServer.Result(
                request, """{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"s","version":"1"}}""")),
            _ => ScriptedServer.WriteAsync(http, "", 202),
        });
        var client = weir.Services.GetRequiredService<UpstreamClient>();
        var session = await client.OpenAsync(
            new UpstreamTarget(Guid.CreateVersion7(TimeProvider.System.GetUtcNow()), "server", server.Url, NodeKey: null),
            ClientCapabilities.None, Token);

        session.Version.ShouldBe("2025-06-18");
    }

    [Fact]
    public async Task A_server_that_is_silent_to_discovery_and_names_no_known_version_may_only_have_hung()
    {
        await using var server = await ScriptedServer.StartAsync((http, request) => request.Method switch
        {
            "server/discover" => ScriptedServer.HangAsync(http),
            _ => ScriptedServer.WriteAsync(http, ScriptedServer.Result(request, "{}")),
        });
        var client = weir.Services.GetRequiredService<UpstreamClient>();
        var target = new UpstreamTarget(Guid.CreateVersion7(TimeProvider.System.GetUtcNow()), "server", server.Url, NodeKey: null);

        var failure = await Should.ThrowAsync<UpstreamException>(() => client.OpenAsync(target, ClientCapabilities.None, Token));

        failure.Cause.ShouldBe(FailureCause.TimedOut);
    }

    private static UpstreamTarget Target(Server server) =>
        new(Guid.CreateVersion7(TimeProvider.System.GetUtcNow()), "server", server.Url, NodeKey: null);

    /// <summary>Refuses the header of later versions, and, where a test says so, every version that is not its own.</summary>
    private sealed class Server : IAsyncDisposable
    {
        private readonly WebApplication _app;
        private readonly ConcurrentQueue<string> _methods = new();

        private Server(WebApplication app) => _app = app;

        public Uri Url { get; private set; } = null!;

        public IReadOnlyCollection<string> Methods => _methods;

        public static async Task<Server> StartAsync(string version, string? refusal)
        {
            var builder = WebApplication.CreateSlimBuilder();
            builder.WebHost.UseUrls("http://127.0.0.1:0");
            builder.Logging.ClearProviders();
            var server = new Server(builder.Build());
            server._app.MapPost("/mcp", http => server.AnswerAsync(http, version, refusal));
            await server._app.StartAsync();
            server.Url =
                new Uri(
                    server._app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()
                        + "/mcp");
            return server;
        }

        public ValueTask DisposeAsync() => _app.DisposeAsync();

        private async Task AnswerAsync(HttpContext http, string version, string? refusal)
        {
            using var request = await JsonDocument.ParseAsync(http.Request.Body);
            var method = request.RootElement.GetProperty("method").GetString()!;
            _methods.Enqueue(method);
            var id = request.RootElement.TryGetProperty("id", out var value) ? value.GetRawText() : "null";
            var asked = method == "initialize"
                ? request.RootElement.GetProperty("params").GetProperty("protocolVersion").GetString() : version;
            var (status, body) = method switch
            {
                _ when http.Request.Headers.ContainsKey("MCP-Protocol-Version") =>
                    (400, Error(id, """{"code":-32600,"message":"Bad Request: unknown header"}""")),
                "initialize" when refusal is not null && asked != version => (200, Error(id, refusal)),
                "initialize" =>
                    (
                    200,
                    Result(id,
                        $$"""{"protocolVersion":"{{version}}","capabilities":{"tools":{} },"serverInfo":{"name":"s","version":"1"} }""")),
                "tools/list" => (200, Result(id, """{"tools":[]}""")),
                _ => (202, ""),
            };
            http.Response.StatusCode = status;
            http.Response.ContentType = "application/json";
            await http.Response.WriteAsync(body);
        }

        private static string Result(string id, string result) => $$"""{"jsonrpc":"2.0","id":{{id}},"result":{{result}} }""";

        private static string Error(string id, string error) => $$"""{"jsonrpc":"2.0","id":{{id}},"error":{{error}} }""";
    }
}
