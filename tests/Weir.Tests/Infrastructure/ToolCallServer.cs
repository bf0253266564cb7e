using System.Collections.Concurrent;
using System.Text.Json;
using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Weir.Tests.Infrastructure;

/// <summary>
/// A server with sessions whose tool calls a test answers byte by byte. With the version 2024-11-05 it speaks HTTP+SSE, with a later one
/// Streamable HTTP.
/// </summary>
public sealed class ToolCallServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly string _version;
    private readonly Func<ScriptedCall, Task> _answer;
    private readonly ConcurrentDictionary<string, Channel<string>> _streams = new(StringComparer.Ordinal);
    private int _lastStream;
    private int _calls;
    private int _refusals;

    private ToolCallServer(WebApplication app, string version, Func<ScriptedCall, Task> answer) =>
        (_app, _version, _answer) = (app, version, answer);

    public Uri Url { get; private set; } = null!;

    /// <summary>How many tool calls came.</summary>
    public int Calls => Volatile.Read(ref _calls);

    /// <summary>How many of its questions were answered with an error.</summary>
    public int Refusals => Volatile.Read(ref _refusals);

    /// <summary>The connection of a request of this method breaks.</summary>
    public string? Drops { get; set; }

    /// <summary>With Streamable HTTP, what it writes on its own stream (GET), which ends with it. Null: there is none.</summary>
    internal Func<HttpResponse, Task>? OwnStream { get; set; }

    private bool IsSse => _version == "2024-11-05";

    /// <summary>Has one tool, <c>go</c>.</summary>
    public static async Task<ToolCallServer> StartAsync(string version, Func<ScriptedCall, Task> answer)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        var server = new ToolCallServer(builder.Build(), version, answer);
        server._app.MapPost("/mcp", http => server.IsSse ? RefuseAsync(http) : server.PostAsync(http));
        server._app.MapGet("/mcp", server.GetAsync);
        server._app.MapPost("/messages", server.PostAsync);
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

    /// <summary>Says something on a stream of HTTP+SSE. Returns when it is taken for sending.</summary>
    internal async Task SayAsync(string stream, string message)
    {
        if (_streams.TryGetValue(stream, out var channel))
        {
            await channel.Writer.WriteAsync(message);
        }
    }

    private static Task RefuseAsync(HttpContext http)
    {
        http.Response.StatusCode = 404;
        return Task.CompletedTask;
    }

    private async Task GetAsync(HttpContext http)
    {
        if (!IsSse && OwnStream is { } says)
        {
            http.Response.ContentType = "text/event-stream";
            await says(http.Response);
            return;
        }

        if (!IsSse)
        {
            http.Response.StatusCode = 405;
            return;
        }

        var stream = Interlocked.Increment(ref _lastStream).ToString(System.Globalization.CultureInfo.InvariantCulture);
        var messages = _streams[stream] = Channel.CreateBounded<string>(1);
        http.Response.ContentType = "text/event-stream";
        await http.Response.WriteAsync($"event: endpoint\ndata: /messages?stream={stream}\n\n");
        await http.Response.Body.FlushAsync();
        await foreach (var message in messages.Reader.ReadAllAsync(http.RequestAborted))
        {
            await http.Response.WriteAsync($"data: {message}\n\n", http.RequestAborted);
            await http.Response.Body.FlushAsync(http.RequestAborted);
        }
    }

    private async Task PostAsync(HttpContext http)
    {
        using var reader = new StreamReader(http.Request.Body);
        var request = JsonElement.Parse(await reader.ReadToEndAsync());
        var method = request.TryGetProperty("method", out var named) ? named.GetString() : null;
        if (!request.TryGetProperty("id", out var id) || method is null)
        {
            if (request.TryGetProperty("error", out _))
            {
                Interlocked.Increment(ref _refusals);
            }

            http.Response.StatusCode = 202;
            return;
        }

        if (method == Drops)
        {
            http.Abort();
            return;
        }

        if (method == "tools/call")
        {
            Interlocked.Increment(ref _calls);
            var call = new ScriptedCall(this, http, id.GetRawText(), request.GetProperty("params"), IsSse);
            if (IsSse)
            {
                http.Response.StatusCode = 202;
                _ = _answer(call);
                return;
            }

            await _answer(call);
            return;
        }

        var result = method switch
        {
            "initialize" =>
                $$$"""{"protocolVersion":"{{{_version}}}","capabilities":{"tools":{}},"serverInfo":{"name":"scripted","version":"1"}}""",
            "tools/list" => """{"tools":[{"name":"go","inputSchema":{"type":"object"}}]}""",
            _ => null,
        };
        var answer = result is null
            ? $$$"""{"jsonrpc":"2.0","id":{{{id.GetRawText()}}},"error":{"code":-32601,"message":"Method not found"}}"""
            : $$$"""{"jsonrpc":"2.0","id":{{{id.GetRawText()}}},"result":{{{result}}}}""";
        if (IsSse)
        {
            http.Response.StatusCode = 202;
            _ = SayAsync(http.Request.Query["stream"].ToString(), answer);
            return;
        }

        http.Response.ContentType = "application/json";
        await http.Response.WriteAsync(answer);
    }
}

/// <summary>One tool call at a <see cref="ToolCallServer"/>.</summary>
public sealed class ScriptedCall(ToolCallServer server, HttpContext http, string id, JsonElement parameters, bool isSse)
{
    private readonly string _stream = http.Request.Query["stream"].ToString();

    /// <summary>As the request spelled it.</summary>
    public string Id => id;

    public CancellationToken Aborted => isSse ? CancellationToken.None : http.RequestAborted;

    /// <summary>The progress token as the request spelled it; null: it wants no progress.</summary>
    public string? Token => parameters.TryGetProperty("_meta", out var meta) && meta.TryGetProperty("progressToken", out var token)
        ? token.GetRawText() : null;

    public static string Text(string id, string text) =>
        $$$"""{"jsonrpc":"2.0","id":{{{id}}},"result":{"content":[{"type":"text","text":"{{{text}}}"}]}}""";

    public string Progress(int progress, string message = "") =>
        $$$"""{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":{{{Token
            ?? id}}},"progress":{{{progress}}},"message":"{{{message}}}"}}""";

    /// <summary>The whole answer as one JSON body.</summary>
    public Task AnswerAsync(string json)
    {
        if (isSse)
        {
            return server.SayAsync(_stream, json);
        }

        http.Response.ContentType = "application/json";
        return http.Response.WriteAsync(json);
    }

    /// <summary>One event of the answer's stream.</summary>
    public async Task SendAsync(string data)
    {
        if (isSse)
        {
            await server.SayAsync(_stream, data);
            return;
        }

        if (!http.Response.HasStarted)
        {
            http.Response.ContentType = "text/event-stream";
        }

        await http.Response.WriteAsync($"data: {data}\n\n", http.RequestAborted);
        await http.Response.Body.FlushAsync(http.RequestAborted);
    }

    /// <summary>Ends the connection in the middle.</summary>
    public void Drop() => http.Abort();
}
