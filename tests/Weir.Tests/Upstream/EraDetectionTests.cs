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

/// <summary>Which protocol a server is taken to speak, by how it answers <c>server/discover</c>.</summary>
public sealed class EraDetectionTests(RunningWeir weir) : IClassFixture<RunningWeir>
{
    private const string Discovered = """{"supportedVersions":["2026-07-28"],"capabilities":{}}""";

    [Fact]
    public async Task A_modern_server_that_refuses_the_first_version_and_names_it_is_asked_once_more()
    {
        await using var server =
            await Server.StartAsync(attempt => attempt == 1 ? Refusal(-32022, "2026-07-28") : (200, Result(Discovered)));
        (await OpenAsync(server)).Version.ShouldBe(Protocol.Modern);
        server.Methods.ShouldBe(["server/discover", "server/discover"]);
    }

    [Theory]
    [InlineData(-32022, "2026-07-28", 2)]
    [InlineData(-32022, "2099-01-01", 1)]
    [InlineData(-32020, null, 1)]
    [InlineData(-32021, null, 1)]
    public async Task A_modern_server_that_refuses_is_never_initialized(int code, string? supported, int asked)
    {
        await using var server = await Server.StartAsync(_ => Refusal(code, supported));
        (await Should.ThrowAsync<UpstreamException>(() => OpenAsync(server))).Failure.ShouldBe(UpstreamFailure.Nonsense);
        server.Methods.ShouldBe(Enumerable.Repeat("server/discover", asked));
    }

    [Fact]
    public async Task A_server_that_names_a_legacy_version_is_initialized()
    {
        await using var server = await Server.StartAsync(_ => Refusal(-32022, "2099-01-01", "2025-11-25"));
        (await OpenAsync(server)).Version.ShouldBe("2025-11-25");
        server.Methods.ShouldBe(["server/discover", "initialize", "notifications/initialized"]);
    }

    [Theory]
    [InlineData(400, """{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"no session"} }""")]
    [InlineData(200, """{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found"} }""")]
    [InlineData(404, "<html>")]
    [InlineData(500, "")]
    public async Task Whatever_else_comes_back_is_a_legacy_server(int status, string body)
    {
        await using var server = await Server.StartAsync(_ => (status, body));
        (await OpenAsync(server)).Version.ShouldBe("2025-11-25");
    }

    [Fact]
    public async Task The_stream_of_a_server_that_refuses_to_initialize_is_let_go()
    {
        await using var server = await Server.StartAsync(_ => (404, "<html>"), initializes: false);
        await Should.ThrowAsync<UpstreamException>(() => OpenAsync(server));
        server.Methods.ShouldContain("initialize");
        await Until.True(() => server.Streams == 0, "no stream is open");
        server.StreamsOpened.ShouldBe(1);
    }

    private Task<UpstreamSession> OpenAsync(Server server) => weir.Services.GetRequiredService<UpstreamClient>().OpenAsync(
        new UpstreamTarget(Guid.CreateVersion7(TimeProvider.System.GetUtcNow()), "server", server.Url, NodeKey: null),
        ClientCapabilities.None, TestContext.Current.CancellationToken);

    private static string Result(string result) => $$"""{"jsonrpc":"2.0","id":1,"result":{{result}} }""";

    private static (int Status, string Body) Refusal(int code, params string?[] supported) =>
        (
        400,
        $$"""{"jsonrpc":"2.0","id":1,"error":{"code":{{code}},"message":"refused","data":{"supported":{{JsonSerializer.Serialize(
            supported.OfType<string>())}}} } }""");

    /// <summary>Answers <c>server/discover</c> as a test says, and initializes like a legacy server.</summary>
    private sealed class Server : IAsyncDisposable
    {
        private readonly WebApplication _app;
        private readonly ConcurrentQueue<string> _methods = new();
        private int _streams;
        private int _streamsOpened;

        private Server(WebApplication app) => _app = app;

        public Uri Url { get; private set; } = null!;

        public IReadOnlyCollection<string> Methods => _methods;

        /// <summary>Those of 2024-11-05 that are open now.</summary>
        public int Streams => Volatile.Read(ref _streams);

        public int StreamsOpened => Volatile.Read(ref _streamsOpened);

        /// <param name="initializes">False: it knows the transport of 2024-11-05 only, and refuses what is posted there.</param>
        public static async Task<Server> StartAsync(Func<int, (int Status, string Body)> discover, bool initializes = true)
        {
            var builder = WebApplication.CreateSlimBuilder();
            builder.WebHost.UseUrls("http://127.0.0.1:0");
            builder.Logging.ClearProviders();
            var server = new Server(builder.Build());
            if (initializes)
            {
                server._app.MapPost("/mcp", http => server.AnswerAsync(http, discover));
            }
            else
            {
                server._app.MapGet("/mcp", server.StreamAsync);
                server._app.MapPost("/messages", server.RefuseAsync);
            }

            await server._app.StartAsync();
            server.Url =
                new Uri(
                    server._app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()
                        + "/mcp");
            return server;
        }

        public ValueTask DisposeAsync() => _app.DisposeAsync();

        private async Task StreamAsync(HttpContext http)
        {
            Interlocked.Increment(ref _streams);
            Interlocked.Increment(ref _streamsOpened);
            try
            {
                http.Response.ContentType = "text/event-stream";
                await http.Response.WriteAsync("event: endpoint\ndata: /messages\n\n", http.RequestAborted);
                await http.Response.Body.FlushAsync(http.RequestAborted);
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, http.RequestAborted);
            }
            catch (OperationCanceledException)
            {
                // The client went away.
            }
            finally
            {
                Interlocked.Decrement(ref _streams);
            }
        }

        private async Task RefuseAsync(HttpContext http)
        {
            using var request = await JsonDocument.ParseAsync(http.Request.Body);
            _methods.Enqueue(request.RootElement.GetProperty("method").GetString()!);
            http.Response.StatusCode = 403;
        }

        private async Task AnswerAsync(HttpContext http, Func<int, (int Status, string Body)> discover)
        {
            using var request = await JsonDocument.ParseAsync(http.Request.Body);
            var method = request.RootElement.GetProperty("method").GetString()!;
            _methods.Enqueue(method);
            var (status, body) = method switch
            {
                "server/discover" => discover(_methods.Count),
                "initialize" =>
                    (200, Result("""{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"s","version":"1"} }""")),
                _ => (202, ""),
            };
            http.Response.StatusCode = status;
            http.Response.ContentType = body.StartsWith('{') ? "application/json" : "text/html";
            await http.Response.WriteAsync(body);
        }
    }
}
