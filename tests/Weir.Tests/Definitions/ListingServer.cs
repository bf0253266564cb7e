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

/// <summary>A modern server that announces what a test says. A list that is not set is refused as a method that is not there.</summary>
public sealed class ListingServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentDictionary<string, string> _lists = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<string> _called = new();
    private int _asked;

    private ListingServer(WebApplication app) => _app = app;

    public Uri Url { get; private set; } = null!;

    public string Capabilities { get; set; } = """{"tools":{},"prompts":{},"resources":{}}""";

    /// <summary>The members of each list's result beside its items, each with a comma behind it.</summary>
    public string Hints { get; set; } = "";

    /// <summary>Tools that it has beside the others for a client with these capabilities.</summary>
    public Func<JsonElement, IEnumerable<string>> More { get; set; } = _ => [];

    /// <summary>A list that it refuses to a client with these capabilities.</summary>
    public Func<JsonElement, bool> Refuses { get; set; } = _ => false;

    /// <summary>How often it was asked for its tools.</summary>
    public int Asked => Volatile.Read(ref _asked);

    /// <summary>The tools that were called, and the URIs that were read.</summary>
    public IReadOnlyCollection<string> Called => _called;

    public static async Task<ListingServer> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        var server = new ListingServer(builder.Build());
        server._app.MapPost("/mcp", server.AnswerAsync);
        await server._app.StartAsync();
        server.Url =
            new Uri(
                server._app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single() + "/mcp");
        return server;
    }

    /// <param name="list">E.g. <c>tools</c>.</param>
    public ListingServer Announces(string list, params string[] items)
    {
        var method = list == "resourceTemplates" ? "resources/templates/list" : list + "/list";
        _lists[method] = $"\"{list}\":[{string.Join(',', items)}]";
        return this;
    }

    /// <summary>From now on that method is an error of the server's.</summary>
    public void Breaks(string method) => _lists[method] = "";

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource(TimeSpan.Zero);
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }

    private async Task AnswerAsync(HttpContext http)
    {
        using var reader = new StreamReader(http.Request.Body);
        var request = JsonElement.Parse(await reader.ReadToEndAsync());
        var id = request.TryGetProperty("id", out var value) ? value.GetRawText() : "null";
        var method = request.GetProperty("method").GetString()!;
        if (method == "tools/list")
        {
            Interlocked.Increment(ref _asked);
        }
        else if (method == "tools/call")
        {
            _called.Enqueue(request.GetProperty("params").GetProperty("name").GetString()!);
        }

        else if (method == "resources/read")
        {
            _called.Enqueue(request.GetProperty("params").GetProperty("uri").GetString()!);
        }

        var capabilities = request.TryGetProperty("params", out var parameters) && parameters.TryGetProperty("_meta", out var meta)
            && meta.TryGetProperty("io.modelcontextprotocol/clientCapabilities", out var declared) ? declared : JsonElement.Parse("{}");
        var answer = method switch
        {
            "server/discover" =>
                $$""" "result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{{Capabilities}}}""",
            "tools/call" => """ "result":{"resultType":"complete","content":[{"type":"text","text":"ok"}]}""",
            "resources/read" =>
                $$""" "result":{"resultType":"complete","contents":[{"uri":{{request.GetProperty("params").GetProperty("uri")
                    .GetRawText()}},"text":"page"}]}""",
            "tools/list" when Refuses(capabilities) => """ "error":{"code":-32603,"message":"not for you"}""",
            "tools/list" when _lists.TryGetValue(method, out var tools) && tools.Length > 0
                && More(capabilities).ToArray() is { Length: > 0 } more =>
                $$""" "result":{"resultType":"complete",{{Hints}}{{tools[..^1]}},{{string.Join(',', more)}}]}""",
            _ when _lists.TryGetValue(method, out var list) && list.Length > 0 =>
                $$""" "result":{"resultType":"complete",{{Hints}}{{list}}}""",
            _ when _lists.ContainsKey(method) => """ "error":{"code":-32603,"message":"broken"}""",
            _ => """ "error":{"code":-32601,"message":"there is no such method"}""",
        };
        http.Response.ContentType = "application/json";
        await http.Response.WriteAsync($$"""{"jsonrpc":"2.0","id":{{id}},{{answer}}}""");
    }
}
