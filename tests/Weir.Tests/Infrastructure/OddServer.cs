using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Weir.Tests.Infrastructure;

/// <summary>
/// A modern server written by hand, one JSON body per request, that misbehaves in the tool of that name: <c>hang</c>,
/// <c>nonsense</c>, <c>html</c>, <c>huge</c>, <c>other_id</c>, <c>drop</c>, <c>error</c>, <c>ask</c>. <c>echo</c> behaves, and so does
/// <c>book</c>, which wants to know more before it answers.
/// </summary>
public sealed class OddServer : IAsyncDisposable
{
    private static readonly string[] Tools = ["echo", "hang", "nonsense", "html", "huge", "other_id", "drop", "error", "ask", "book"];

    /// <summary>What <c>book</c> answers as long as nobody has told it the day.</summary>
    public const string DayWanted =
        """{ "resultType":"input_required", "inputRequests":{"day":{"method":"elicitation/create","params":{"message":"Which """
            + """day?","requestedSchema":{"type":"object","properties":{"day":{"type":"string"}}}}}}, "requestState":"opaque """
            + """\u00e4/+=" }""";

    private readonly WebApplication _app;
    private int _calls;
    private int _hangingLists;

    private OddServer(WebApplication app) => _app = app;

    public Uri Url { get; private set; } = null!;

    public int Calls => Volatile.Read(ref _calls);

    /// <summary>What it says from now on when it is asked for its tools; null: the truth.</summary>
    public string? Lie { get; set; }

    /// <summary>Whether it never answers when it is asked for its tools.</summary>
    public bool HangsOnList { get; set; }

    /// <summary>How many wait for that answer.</summary>
    public int HangingLists => Volatile.Read(ref _hangingLists);

    /// <summary>The last call's body, as it arrived.</summary>
    public string LastBody { get; private set; } = "";

    public static async Task<OddServer> StartAsync(int port = 0)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls($"http://127.0.0.1:{port}");
        builder.Logging.ClearProviders();
        var server = new OddServer(builder.Build());
        server._app.MapPost("/mcp", server.AnswerAsync);
        await server._app.StartAsync();
        server.Url =
            new Uri(
                server._app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single() + "/mcp");
        return server;
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource(TimeSpan.Zero);
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }

    private async Task AnswerAsync(HttpContext http)
    {
        using var reader = new StreamReader(http.Request.Body);
        var body = await reader.ReadToEndAsync();
        var request = JsonElement.Parse(body);
        var id = request.TryGetProperty("id", out var value) ? value.GetRawText() : "null";
        switch (request.GetProperty("method").GetString())
        {
            case "server/discover":
                await JsonAsync(
                    http, id,
                    """{"resultType":"complete","ttlMs":0,"cacheScope":"private","supportedVersions":["2026-07-28"],"capabilities":{"tool"""
                        + """s":{}}}""");
                break;
            case "tools/list" when HangsOnList:
                await HangOnListAsync(http.RequestAborted);
                break;
            case "tools/list" when Lie is { } lie:
                await JsonAsync(http, id, lie);
                break;
            case "tools/list":
                var tools = string.Join(',', Tools.Select(t => $$"""{"name":"{{t}}","inputSchema":{"type":"object"} }"""));
                await JsonAsync(http, id, $$"""{"resultType":"complete","ttlMs":0,"cacheScope":"private","tools":[{{tools}}]}""");
                break;
            case "tools/call":
                Interlocked.Increment(ref _calls);
                LastBody = body;
                await CallAsync(http, id, request.GetProperty("params"));
                break;
            default:
                http.Response.StatusCode = 404;
                break;
        }
    }

    private async Task HangOnListAsync(CancellationToken aborted)
    {
        Interlocked.Increment(ref _hangingLists);
        try
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, aborted);
        }
        finally
        {
            Interlocked.Decrement(ref _hangingLists);
        }
    }

    private static async Task CallAsync(HttpContext http, string id, JsonElement parameters)
    {
        switch (parameters.GetProperty("name").GetString())
        {
            case "book" when !parameters.TryGetProperty("inputResponses", out _):
                await JsonAsync(http, id, DayWanted);
                break;
            case "book":
                var day = parameters.GetProperty("inputResponses").GetProperty("day").GetProperty("content").GetProperty("day").GetString();
                await JsonAsync(http, id, $$"""{"resultType":"complete","content":[{"type":"text","text":"booked for {{day}}"}]}""");
                break;
            case "hang":
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, http.RequestAborted);
                break;
            case "nonsense":
                http.Response.ContentType = "application/json";
                await http.Response.WriteAsync("{\"jsonrpc\":\"2.0\",\"id\":");
                break;
            case "html":
                http.Response.ContentType = "text/html";
                await http.Response.WriteAsync("<html>Bearer secret-of-the-server</html>");
                break;
            case "huge":
                await JsonAsync(http, id, $$"""{"content":[{"type":"text","text":"{{new string('x', 300_000)}}"}]}""");
                break;
            case "other_id":
                await JsonAsync(http, "987654321", """{"content":[]}""");
                break;
            case "drop":
                http.Abort();
                break;
            case "error":
                http.Response.ContentType = "application/json";
                await http.Response.WriteAsync(
                    $$"""{"jsonrpc":"2.0","id":{{id}},"error":{"code":-32000,"message":"the server's own error","data":{"k":1} } }""");
                break;
            case "ask":
                http.Response.ContentType = "text/event-stream";
                await http.Response.WriteAsync(
                    "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sampling/createMessage\",\"params\":{}}\n\n");
                break;
            default:
                await JsonAsync(http, id, """{"resultType":"complete","content":[{"type":"text","text":"ok"}]}""");
                break;
        }
    }

    private static Task JsonAsync(HttpContext http, string id, string result)
    {
        http.Response.ContentType = "application/json";
        return http.Response.WriteAsync($$"""{"jsonrpc":"2.0","id":{{id}},"result":{{result}} }""");
    }
}
