using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Weir.Configuration;

namespace Weir.Tests.Models;

/// <summary>
/// A provider in this process: it speaks its API's wire format, plain and streamed, and answers what a test has put in line.
/// </summary>
internal sealed class ModelServer : IAsyncDisposable
{
    public const int InputTokens = 11;
    public const int OutputTokens = 7;

    private readonly WebApplication _app;
    private readonly ConcurrentQueue<ModelReply> _replies = new();

    private ModelServer(WebApplication app, string kind) => (_app, Kind) = (app, kind);

    public string Kind { get; }

    public Uri Url { get; private set; } = null!;

    /// <summary>What it was asked, oldest first: the body, and the header that holds the key.</summary>
    public ConcurrentQueue<(JsonElement Body, string? Key)> Requests { get; } = new();

    /// <summary>When nothing is in line.</summary>
    public Func<JsonElement, ModelReply> Otherwise { get; set; } = _ => ModelReply.Text("ok");

    public static async Task<ModelServer> StartAsync(string kind, params ModelReply[] replies)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        builder.Services.Configure<Microsoft.Extensions.Hosting.HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(1));
        var app = builder.Build();
        var server = new ModelServer(app, kind);
        app.MapPost(kind == "anthropic" ? "/v1/messages" : "/v1/chat/completions", server.AnswerAsync);
        await app.StartAsync();
        var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        server.Url = new Uri(kind == "anthropic" ? address : address + "/v1");
        server.Add(replies);
        return server;
    }

    public void Add(params ModelReply[] replies) => Array.ForEach(replies, _replies.Enqueue);

    public ModelProviderConfig Config(string? keyVariable = null, params string[] models) =>
        new(Kind, Url, keyVariable,
            models.DefaultIfEmpty("small").ToDictionary(m => m, _ => (ModelPrice?)new ModelPrice(2.5m, 10m), StringComparer.Ordinal));

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task AnswerAsync(HttpContext http)
    {
        using var document = await JsonDocument.ParseAsync(http.Request.Body);
        var body = document.RootElement.Clone();
        Requests.Enqueue((body, http.Request.Headers["x-api-key"].FirstOrDefault() ?? http.Request.Headers.Authorization.FirstOrDefault()));
        var reply = _replies.TryDequeue(out var next) ? next : Otherwise(body);
        var isStream = body.TryGetProperty("stream", out var stream) && stream.GetBoolean();
        http.Response.ContentType = isStream ? "text/event-stream" : "application/json";
        switch (reply)
        {
            case ModelReply.Status status:
                http.Response.StatusCode = status.Code;
                http.Response.ContentType = "application/json";
                if (status.RetryAfter is not null)
                {
                    http.Response.Headers.RetryAfter = status.RetryAfter;
                }

                await http.Response.WriteAsync(status.Body ?? """{"error": {"message": "sk-secret is not right", "type": "some_error"}}""");
                break;
            case ModelReply.Raw raw:
                await http.Response.WriteAsync(raw.Body);
                break;
            default:
                await WriteAsync(http, reply, isStream);
                break;
        }
    }

    private async Task WriteAsync(HttpContext http, ModelReply reply, bool isStream)
    {
        var pieces = isStream ? (Kind == "anthropic" ? AnthropicWire.Stream(reply) : OpenAIWire.Stream(reply))
            : [Kind == "anthropic" ? AnthropicWire.Body(reply) : OpenAIWire.Body(reply)];
        if (reply is ModelReply.Breaks)
        {
            // More is promised than comes: whoever reads gets all of it, and then the end of the connection.
            pieces = [.. pieces];
            http.Response.ContentLength = pieces.Sum(p => Encoding.UTF8.GetByteCount(p)) + 1000;
        }

        foreach (var piece in pieces)
        {
            await http.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(piece), http.RequestAborted);
            await http.Response.Body.FlushAsync(http.RequestAborted);
        }

        if (reply is ModelReply.Hangs)
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, http.RequestAborted)
                .ContinueWith(_ => { }, TaskScheduler.Default);
        }
    }
}
