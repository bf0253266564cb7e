using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Weir.Tests.Fixtures.Conformance;

/// <summary>Which protocol a fixture server speaks.</summary>
public enum ServerEras
{
    /// <summary>Both, on one URL; each request says which.</summary>
    Dual,

    /// <summary>2026-07-28 only.</summary>
    Modern,

    /// <summary>2025-11-25 and before only: sessions.</summary>
    Legacy,
}

/// <summary>
/// The server that the official conformance suite expects: it has every tool, prompt and resource that the suite's server scenarios
/// name. Written by hand, because the SDK's server answers only in event streams, locks one era and checks no <c>Mcp-Param-*</c>.
/// Each tool is written once; a question to the client becomes a request on the call's stream in the legacy era, and an
/// <c>input_required</c> result in the modern one.
/// </summary>
public sealed class ConformanceServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ServerEras _eras;
    private readonly ModernEra _modern;
    private readonly LegacyEra _legacy;

    private ConformanceServer(WebApplication app, ServerEras eras, int? pageSize)
    {
        _app = app;
        _eras = eras;
        Features = new Features { PageSize = pageSize };
        var ending = app.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
        _modern = new ModernEra(Features, ending);
        _legacy = new LegacyEra(Features, ending);
    }

    public Uri Url { get; private set; } = null!;

    /// <summary>What it offers, and what was done with it.</summary>
    internal Features Features { get; }

    /// <summary>How many legacy sessions are open.</summary>
    public int Sessions => _legacy.Sessions;

    /// <param name="pageSize">Items in a page of a list; null: all in one.</param>
    public static async Task<ConformanceServer> StartAsync(ServerEras eras, int? pageSize = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(1));
        var app = builder.Build();
        var server = new ConformanceServer(app, eras, pageSize);
        app.MapPost("/mcp", server.PostAsync);
        app.MapGet("/mcp", server.GetAsync);
        app.MapDelete("/mcp", server.DeleteAsync);
        await app.StartAsync();
        server.Url =
            new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single() + "/mcp");
        return server;
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    private async Task PostAsync(HttpContext http)
    {
        if (IsForeign(http))
        {
            return;
        }

        var accepts = http.Request.Headers.Accept.ToString();
        if (!accepts.Contains("application/json", StringComparison.Ordinal)
            || !accepts.Contains("text/event-stream", StringComparison.Ordinal))
        {
            http.Response.StatusCode = StatusCodes.Status406NotAcceptable;
            return;
        }

        JsonObject? message;
        try
        {
            message = await JsonNode.ParseAsync(http.Request.Body, cancellationToken: http.RequestAborted) as JsonObject;
        }
        catch (JsonException)
        {
            await new Reply(http).FailAsync(null, new RpcException(Rpc.ParseError, "Parse error", StatusCodes.Status400BadRequest));
            return;
        }

        if (message is null)
        {
            await new Reply(http).FailAsync(
                null, new RpcException(Rpc.InvalidRequest, "A message is one object", StatusCodes.Status400BadRequest));
            return;
        }

        await (IsModern(http, message) ? _modern.AnswerAsync(http, message) : _legacy.AnswerAsync(http, message));
    }

    private Task GetAsync(HttpContext http) => IsForeign(http)
        ? Task.CompletedTask : _eras == ServerEras.Modern ? NotAllowed(http) : _legacy.StreamAsync(http);

    private Task DeleteAsync(HttpContext http)
    {
        if (IsForeign(http))
        {
            return Task.CompletedTask;
        }

        if (_eras == ServerEras.Modern)
        {
            return NotAllowed(http);
        }

        _legacy.End(http);
        return Task.CompletedTask;
    }

    private static Task NotAllowed(HttpContext http)
    {
        http.Response.StatusCode = StatusCodes.Status405MethodNotAllowed;
        http.Response.Headers.Allow = "POST";
        return Task.CompletedTask;
    }

    /// <summary>Modern is what carries the modern envelope, or names a version that no legacy client knows.</summary>
    private bool IsModern(HttpContext http, JsonObject message)
    {
        if (_eras != ServerEras.Dual)
        {
            return _eras == ServerEras.Modern;
        }

        var version = http.Request.Headers["MCP-Protocol-Version"].ToString();
        return message["params"]?["_meta"]?[Rpc.VersionKey] is not null || (version.Length > 0 && !LegacyEra.Versions.Contains(version));
    }

    private static bool IsForeign(HttpContext http)
    {
        string[] local = ["localhost", "127.0.0.1", "[::1]"];
        var origin = http.Request.Headers.Origin.ToString();
        if (local.Contains(http.Request.Host.Host)
            && (origin.Length == 0 || (Uri.TryCreate(origin, UriKind.Absolute, out var from) && local.Contains(from.Host))))
        {
            return false;
        }

        http.Response.StatusCode = StatusCodes.Status403Forbidden;
        return true;
    }
}
