using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Weir.Tests.Chat;

/// <summary>A modern MCP server written by hand, whose tools and answers are whatever JSON a test gives it.</summary>
internal sealed class OddToolServer : IAsyncDisposable
{
    private readonly WebApplication _app;

    private OddToolServer(WebApplication app) => _app = app;

    public Uri Url { get; private set; } = null!;

    /// <summary>The calls that reached it: the tool and its arguments.</summary>
    public ConcurrentQueue<(string Tool, string Arguments)> Calls { get; } = new();

    /// <summary>The JSON of a call's result, or of the response's members from <c>"error"</c> on.</summary>
    public Func<string, string> Answer { get; set; } = _ => """{"resultType": "complete", "content": [{"type": "text", "text": "done"}]}""";

    /// <param name="tools">Definitions, as JSON.</param>
    public static async Task<OddToolServer> StartAsync(params string[] tools)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        var server = new OddToolServer(builder.Build());
        server._app.MapPost("/mcp", http => server.AnswerAsync(http, tools));
        await server._app.StartAsync();
        server.Url =
            new Uri(
                server._app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single() + "/mcp");
        return server;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    /// <summary>A schema of so many objects within one another.</summary>
    public static string Nested(int levels) =>
        string.Concat(Enumerable.Repeat("""{"type": "object", "properties": {"a": """, levels)) + """{"type": "string"}"""
            + string.Concat(Enumerable.Repeat("}}", levels));

    private async Task AnswerAsync(HttpContext http, string[] tools)
    {
        using var document = await JsonDocument.ParseAsync(http.Request.Body, new JsonDocumentOptions { MaxDepth = 1000 });
        var request = document.RootElement;
        var id = request.TryGetProperty("id", out var value) ? value.GetRawText() : "null";
        switch (request.GetProperty("method").GetString())
        {
            case "server/discover":
                await WriteAsync(
                    http, id,
                    """{"resultType": "complete", "ttlMs": 0, "cacheScope": "private", "supportedVersions": """
                        + """["2026-07-28"], "capabilities": {"tools": {}}}""");
                break;
            case "tools/list":
                await WriteAsync(http, id,
                    $$"""{"resultType": "complete", "ttlMs": 0, "cacheScope": "private", "tools": [{{string.Join(",", tools)}}]}""");
                break;
            case "tools/call":
                var parameters = request.GetProperty("params");
                var tool = parameters.GetProperty("name").GetString()!;
                Calls.Enqueue((tool, parameters.TryGetProperty("arguments", out var arguments) ? arguments.GetRawText() : ""));
                await WriteAsync(http, id, Answer(tool));
                break;
            default:
                http.Response.StatusCode = 404;
                break;
        }
    }

    private static Task WriteAsync(HttpContext http, string id, string result)
    {
        http.Response.ContentType = "application/json";
        var member = result.StartsWith("\"error\"", StringComparison.Ordinal) ? result : "\"result\": " + result;
        return http.Response.WriteAsync($$"""{"jsonrpc": "2.0", "id": {{id}}, {{member}} }""");
    }
}
