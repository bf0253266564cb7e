using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Weir.Tests.Infrastructure;

/// <summary>One request that a <see cref="ScriptedServer"/> got.</summary>
/// <param name="Verb">The HTTP method.</param>
/// <param name="Method">The JSON-RPC method; empty where the body is no request.</param>
/// <param name="Id">The raw JSON-RPC id; <c>null</c> where there is none.</param>
/// <param name="Params">Undefined where there are none.</param>
public sealed record ScriptedRequest(string Verb, string Path, string Method, string Id, JsonElement Params, string? Session)
{
    public string? Cursor => Text("cursor");

    /// <summary>The tool that is called.</summary>
    public string? Name => Text("name");

    private string? Text(string member) => Params.ValueKind == JsonValueKind.Object && Params.TryGetProperty(member, out var value)
        ? value.GetString() : null;
}

/// <summary>A server on loopback that answers whatever a test says, byte by byte.</summary>
public sealed class ScriptedServer : IAsyncDisposable
{
    public const string ModernDiscovery =
        """{"resultType":"complete","ttlMs":0,"cacheScope":"private","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}""";

    private readonly WebApplication _app;
    private readonly ConcurrentQueue<ScriptedRequest> _requests = new();

    private ScriptedServer(WebApplication app) => _app = app;

    public Uri Url { get; private set; } = null!;

    public IReadOnlyCollection<ScriptedRequest> Requests => _requests;

    public int Count(string method) => _requests.Count(r => r.Method == method);

    public static async Task<ScriptedServer> StartAsync(Func<HttpContext, ScriptedRequest, Task> answer)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        var server = new ScriptedServer(builder.Build());
        server._app.Run(async http =>
        {
            var request = await ReadAsync(http.Request);
            server._requests.Enqueue(request);
            await answer(http, request);
        });
        await server._app.StartAsync();
        server.Url =
            new Uri(
                server._app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single() + "/mcp");
        return server;
    }

    public static string Result(ScriptedRequest request, string result) =>
        $$"""{"jsonrpc":"2.0","id":{{request.Id}},"result":{{result}} }""";

    public static string Error(string id, string error) => $$"""{"jsonrpc":"2.0","id":{{id}},"error":{{error}} }""";

    /// <summary>A tool's result with one text.</summary>
    public static string Text(string text) =>
        $$"""{"resultType":"complete","content":[{"type":"text","text":{{JsonSerializer.Serialize(text)}} }]}""";

    public static Task WriteAsync(HttpContext http, string body, int status = 200, string type = "application/json")
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = type;
        return http.Response.WriteAsync(body, http.RequestAborted);
    }

    public static Task WriteEventsAsync(HttpContext http, string events) => WriteAsync(http, events, type: "text/event-stream");

    /// <summary>Answers nothing until the client goes away.</summary>
    public static async Task HangAsync(HttpContext http)
    {
        try
        {
            // Without a type, what was begun would be no answer.
            http.Response.ContentType ??= "text/event-stream";
            await http.Response.Body.FlushAsync(http.RequestAborted);
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, http.RequestAborted);
        }
        catch (OperationCanceledException)
        {
            // It went away.
        }
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource(TimeSpan.Zero);
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }

    private static async Task<ScriptedRequest> ReadAsync(HttpRequest request)
    {
        using var reader = new StreamReader(request.Body);
        var body = await reader.ReadToEndAsync();
        var json = body.Length > 0 ? JsonElement.Parse(body) : JsonElement.Parse("{}");
        return new ScriptedRequest(
            request.Method,
            request.Path,
            json.TryGetProperty("method", out var method) ? method.GetString()! : "",
            json.TryGetProperty("id", out var id) ? id.GetRawText() : "null",
            json.TryGetProperty("params", out var parameters) ? parameters : default,
            request.Headers.TryGetValue("Mcp-Session-Id", out var session) ? session.ToString() : null);
    }
}
