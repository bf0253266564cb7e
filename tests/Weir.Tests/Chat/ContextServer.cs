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

/// <summary>
/// A modern MCP server written by hand that has resources and prompts, and one tool so that it is known when it is listed. It answers
/// a resource by its URI, and behaves as badly as its last segment says: <c>hang</c>, <c>error</c>, <c>lie</c>, <c>drop</c>, <c>flood</c>
/// (10 MB).
/// </summary>
internal sealed class ContextServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<JsonElement> _asked = new();

    private ContextServer(WebApplication app) => _app = app;

    public Uri Url { get; private set; } = null!;

    /// <summary>The parameters of all requests for a resource or prompt.</summary>
    public IReadOnlyList<JsonElement> Asked => [.. _asked];

    /// <summary>What any other resource and prompt says.</summary>
    public Func<string, string> Text { get; set; } = item => $"This is {item}.";

    /// <summary>How often the resource <c>…/flaky</c> breaks the connection before it answers.</summary>
    public int Breaks { get; set; }

    public static async Task<ContextServer> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        var server = new ContextServer(builder.Build());
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
        var request = (await JsonDocument.ParseAsync(http.Request.Body)).RootElement;
        var id = request.TryGetProperty("id", out var value) ? value.GetRawText() : "null";
        switch (request.GetProperty("method").GetString())
        {
            case "server/discover":
                await ResultAsync(
                    http, id,
                    new
                    {
                        resultType = "complete",
                        ttlMs = 0,
                        cacheScope = "private",
                        supportedVersions = new[] { "2026-07-28" },
                        capabilities = new { tools = new { }, prompts = new { }, resources = new { } },
                    });
                break;
            case "tools/list":
                await ResultAsync(
                    http, id,
                    new
                    {
                        resultType = "complete",
                        ttlMs = 0,
                        cacheScope = "private",
                        tools = new[] { new { name = "echo", inputSchema = new { type = "object" } } },
                    });
                break;
            case "prompts/list":
                await ResultAsync(http, id, new
                {
                    resultType = "complete",
                    ttlMs = 0,
                    cacheScope = "private",
                    prompts = new object[]
                    {
                        new { name = "style" },
                        new { name = "about", arguments = new[] { new { name = "message", required = true } } },
                        new { name = "needy", arguments = new[] { new { name = "city", required = true } } },
                    },
                });
                break;
            case "resources/list":
                await ResultAsync(
                    http, id, new { resultType = "complete", ttlMs = 0, cacheScope = "private", resources = Array.Empty<object>() });
                break;
            case "resources/templates/list":
                await ResultAsync(http, id,
                    new { resultType = "complete", ttlMs = 0, cacheScope = "private", resourceTemplates = Array.Empty<object>() });
                break;
            case "resources/read":
                _asked.Enqueue(request.GetProperty("params"));
                await ReadAsync(http, id, request.GetProperty("params").GetProperty("uri").GetString()!);
                break;
            case "prompts/get":
                _asked.Enqueue(request.GetProperty("params"));
                var name = request.GetProperty("params").GetProperty("name").GetString()!;
                await ResultAsync(
                    http, id,
                    new
                    {
                        resultType = "complete",
                        messages = new[] { new { role = "assistant", content = new { type = "text", text = Text(name) } } },
                    });
                break;
            default:
                http.Response.StatusCode = 404;
                break;
        }
    }

    private async Task ReadAsync(HttpContext http, string id, string uri)
    {
        switch (uri[(uri.LastIndexOf('/') + 1)..])
        {
            case "hang":
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, http.RequestAborted);
                break;
            case "drop":
            case "flaky" when Breaks-- > 0:
                http.Abort();
                break;
            case "error":
                http.Response.ContentType = "application/json";
                await http.Response.WriteAsync(
                    $$"""{"jsonrpc":"2.0","id":{{id}},"error":{"code":-32002,"message":"Bearer secret-of-the-server"} }""");
                break;
            case "lie":
                await ResultAsync(http, id, new { resultType = "complete", contents = 7 });
                break;
            case "flood":
                await ResultAsync(
                    http, id,
                    new
                    {
                        resultType = "complete",
                        contents = new[] { new { uri, text = string.Concat(Enumerable.Repeat("water ", 600_000)) } },
                    });
                break;
            default:
                await ResultAsync(http, id, new { resultType = "complete", contents = new[] { new { uri, text = Text(uri) } } });
                break;
        }
    }

    private static Task ResultAsync(HttpContext http, string id, object result)
    {
        http.Response.ContentType = "application/json";
        return http.Response.WriteAsync($$"""{"jsonrpc":"2.0","id":{{id}},"result":{{JsonSerializer.Serialize(result)}} }""");
    }
}
