using System.Globalization;
using Weir.NodeAgent.Bridge;
using Weir.NodeAgent.Servers;
using Weir.Input;
using Weir.Nodes;

namespace Weir.NodeAgent.Http;

/// <summary>The node's API, version 1.</summary>
internal static class ServerEndpoints
{
    private const int DefaultTail = 200;
    private const int LongestTail = 5000;

    /// <summary>
    /// The largest body of a server's desired state. Bytes; an operating system starts no program with more arguments than this holds.
    /// </summary>
    public const int MaxSpecBytes = 4 * 1024 * 1024;

    private static readonly JsonBounds SpecBounds = new(Depth: 8, Values: 2048);

    public static void MapServers(this WebApplication app, ServerRegistry servers, Func<NodeStatus> status, TimeProvider time)
    {
        app.MapGet("/healthz", () => Results.Text("ok"));
        app.MapGet("/v1/status", () => Json(status(), NodeJson.Default.NodeStatus));
        app.MapGet("/v1/servers", () => Json(new ServerList(servers.All), NodeJson.Default.ServerList));

        var one = app.MapGroup("/v1/servers/{id:guid}");
        one.MapGet("", (Guid id) => Json(servers.Get(id), NodeJson.Default.ServerStatus));
        one.MapPut("", (Guid id, HttpContext http) => PutAsync(id, http, servers));
        one.MapDelete("", async (Guid id) =>
        {
            await servers.DeleteAsync(id);
            return Results.NoContent();
        });
        one.MapPost("restart", async (Guid id) => Json(await servers.RestartAsync(id), NodeJson.Default.ServerStatus, 202));
        one.MapGet("logs", (Guid id, string? tail, string? since) => Logs(id, tail, since, servers));
        one.MapPost("secrets", (Guid id) => RefuseSecrets(servers.Get(id)));
        one.Map("mcp", (Guid id, HttpContext http) => McpAsync(id, http, servers, time));
        app.MapFallback((HttpContext http) => ApiErrors.WriteAsync(http, 404, NodeErrors.NotFound, "There is no such endpoint."));
    }

    private static IResult RefuseSecrets(ServerStatus server) =>
        throw new NodeException(501, NodeErrors.NotSupported, $"This node cannot take secrets yet, for {server.Id} or any other server.");

    private static async Task<IResult> PutAsync(Guid id, HttpContext http, ServerRegistry servers)
    {
        var body = await RequestBody.ReadAsync(http.Request, MaxSpecBytes, http.RequestAborted)
            ?? throw new NodeException(413, NodeErrors.InvalidArgument, $"The body is larger than {MaxSpecBytes} bytes.");
        if (!JsonInput.TryRead(body, SpecBounds, NodeJson.Default.ServerSpec, out var spec, out var problem))
        {
            throw new NodeException(400, NodeErrors.InvalidArgument, $"The body is not a server spec: it {problem}");
        }

        var operation = http.Request.Headers[NodeContract.IdempotencyHeader] is [{ Length: > 0 and <= 200 } key] ? key : null;
        return Json(await servers.PutAsync(id, spec, operation), NodeJson.Default.ServerStatus, StatusCodes.Status202Accepted);
    }

    private static IResult Logs(Guid id, string? tail, string? since, ServerRegistry servers)
    {
        var count = DefaultTail;
        if (tail is not null && (!int.TryParse(tail, NumberStyles.None, CultureInfo.InvariantCulture, out count) || count > LongestTail))
        {
            throw new NodeException(400, NodeErrors.InvalidArgument, $"tail must be a number up to {LongestTail}.");
        }

        DateTimeOffset? from = null;
        if (since is not null)
        {
            from = DateTimeOffset.TryParse(since, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var parsed)
                ? parsed
                : throw new NodeException(400, NodeErrors.InvalidArgument, "since must be a time, like 2026-11-22T17:00:00Z.");
        }

        return Json(new LogLines(servers.Logs(id, count, from)), NodeJson.Default.LogLines);
    }

    private static Task McpAsync(Guid id, HttpContext http, ServerRegistry servers, TimeProvider time)
    {
        if (servers.Host(id) is { } host)
        {
            return McpEndpoint.HandleAsync(http, host, time);
        }

        var state = servers.Get(id).State;
        return McpEndpoint.RefuseAsync(
            http, StatusCodes.Status503ServiceUnavailable, JsonRpc.InternalError, $"The server instance is {state}.", "unavailable");
    }

    private static IResult Json<T>(T value, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type, int status = 200) =>
        Results.Json(value, type, statusCode: status);
}
