using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Weir.Tests.Definitions;

/// <summary>A server with sessions that asks a client with roots for these before it lists, and lists one tool more to it.</summary>
public sealed class AskingServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentDictionary<string, TaskCompletionSource<string>> _sessions = new(StringComparer.Ordinal);

    private AskingServer(WebApplication app) => _app = app;

    public Uri Url { get; private set; } = null!;

    public static async Task<AskingServer> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        var server = new AskingServer(builder.Build());
        server._app.MapPost("/mcp", server.AnswerAsync);
        server._app.MapDelete("/mcp", () => Results.Ok());
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
        var message = JsonElement.Parse(await reader.ReadToEndAsync());
        var session = http.Request.Headers["Mcp-Session-Id"].ToString();
        var id = message.TryGetProperty("id", out var value) ? value.GetRawText() : null;
        switch (message.TryGetProperty("method", out var method) ? method.GetString() : null)
        {
            case "initialize":
                session =
                    $"{(message.GetProperty("params").GetProperty("capabilities").TryGetProperty("roots", out _)
                        ? "roots" : "none")}-{_sessions.Count}";
                _sessions[session] = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
                http.Response.Headers["Mcp-Session-Id"] = session;
                await WriteAsync(http, id,
                    """{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"asking","version":"1"}}""");
                break;
            case "tools/list" when session.StartsWith("roots", StringComparison.Ordinal):
                http.Response.ContentType = "text/event-stream";
                await http.Response.WriteAsync("data: {\"jsonrpc\":\"2.0\",\"id\":\"ask\",\"method\":\"roots/list\"}\n\n");
                await http.Response.Body.FlushAsync();
                var roots = await _sessions[session].Task.WaitAsync(http.RequestAborted);
                await http.Response.WriteAsync(
                    $"data: {{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"tools\":[{Tool("plain")},{Tool(
                        "rooted")}],\"_meta\":{{\"roots\":{roots}}}}}}}\n\n");
                break;
            case "tools/list":
                await WriteAsync(http, id, $"{{\"tools\":[{Tool("plain")}]}}");
                break;
            case null:
                _sessions[session].TrySetResult(message.GetProperty("result").GetProperty("roots").GetRawText());
                http.Response.StatusCode = 202;
                break;
            case var _ when id is null:
                http.Response.StatusCode = 202;
                break;
            default:
                http.Response.ContentType = "application/json";
                await http.Response.WriteAsync(
                    $"{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{{\"code\":-32601,\"message\":\"there is no such method\"}}}}");
                break;
        }
    }

    private static string Tool(string name) => $"{{\"name\":\"{name}\",\"inputSchema\":{{\"type\":\"object\"}}}}";

    private static Task WriteAsync(HttpContext http, string? id, string result)
    {
        http.Response.ContentType = "application/json";
        return http.Response.WriteAsync($"{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{result}}}");
    }
}
