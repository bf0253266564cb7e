using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace Weir.Tests.Fixtures.Conformance;

/// <summary>2025-11-25 and before: <c>initialize</c>, then a session.</summary>
internal sealed class LegacyEra(Features features, CancellationToken ending)
{
    public static readonly string[] Versions = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

    private readonly ConcurrentDictionary<string, LegacySession> _sessions = new();

    public int Sessions => _sessions.Count;

    public async Task AnswerAsync(HttpContext http, JsonObject message)
    {
        var method = message["method"]?.GetValue<string>();
        if (method == "initialize" && message["id"] is not null)
        {
            await InitializeAsync(http, message);
            return;
        }

        if (await FindAsync(http) is not { } session)
        {
            return;
        }

        if (method is null || message["id"] is not { } id)
        {
            session.Receive(method, message);
            http.Response.StatusCode = StatusCodes.Status202Accepted;
            return;
        }

        // The answer outlives the connection: whoever lost it fetches the rest with Last-Event-ID.
        var stream = session.Open();
        _ = RunAsync(session, stream, method, id, message["params"] as JsonObject ?? new JsonObject());
        await stream.PumpAsync(http, resumesAfter: null, ending);
    }

    /// <summary>GET: the session's own stream, or the rest of one that broke off.</summary>
    public async Task StreamAsync(HttpContext http)
    {
        if (await FindAsync(http) is not { } session)
        {
            return;
        }

        var last = http.Request.Headers["Last-Event-ID"].ToString().Split('-');
        if (last.Length == 2 && session.Find(last[0]) is { } stream && int.TryParse(last[1], CultureInfo.InvariantCulture, out var after))
        {
            await stream.PumpAsync(http, after, ending);
            return;
        }

        var channel = features.Changes.Listen();
        using var over = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, ending, session.Ended);
        var reply = new Reply(http);
        try
        {
            await reply.BeginAsync();
            await foreach (var change in channel.Reader.ReadAllAsync(over.Token))
            {
                if (change.Uri is null || session.IsSubscribed(change.Uri))
                {
                    await reply.SendAsync(Rpc.Notification(change.Method, change.Uri is null ? null : change.Params));
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The stream's end.
        }
        finally
        {
            features.Changes.Forget(channel);
        }
    }

    public void End(HttpContext http)
    {
        if (_sessions.TryRemove(http.Request.Headers["Mcp-Session-Id"].ToString(), out var session))
        {
            session.End();
            return;
        }

        http.Response.StatusCode = StatusCodes.Status404NotFound;
    }

    private async Task InitializeAsync(HttpContext http, JsonObject message)
    {
        var parameters = message["params"] as JsonObject ?? new JsonObject();
        var asked = parameters["protocolVersion"]?.GetValue<string>();
        var session = new LegacySession(Guid.CreateVersion7(TimeProvider.System.GetUtcNow()).ToString("N"),
            Versions.Contains(asked) ? asked! : Versions[0], parameters["capabilities"] as JsonObject ?? new JsonObject());
        _sessions[session.Id] = session;
        http.Response.Headers["Mcp-Session-Id"] = session.Id;
        await new Reply(http).FinishAsync(Rpc.Result(message["id"], new JsonObject
        {
            ["protocolVersion"] = session.Version, ["capabilities"] = Features.Capabilities, ["serverInfo"] = Features.ServerInfo,
            ["instructions"] = "For tests.",
        }));
    }

    private async Task<LegacySession?> FindAsync(HttpContext http)
    {
        var version = http.Request.Headers["MCP-Protocol-Version"].ToString();
        var id = http.Request.Headers["Mcp-Session-Id"].ToString();
        RpcException? refused = null;
        if (version.Length > 0 && !Versions.Contains(version))
        {
            refused = new RpcException(-32000, "Unsupported protocol version", StatusCodes.Status400BadRequest);
        }
        else if (id.Length == 0)
        {
            refused = new RpcException(-32000, "Mcp-Session-Id is required", StatusCodes.Status400BadRequest);
        }
        else if (!_sessions.ContainsKey(id))
        {
            refused = new RpcException(-32001, "Session not found", StatusCodes.Status404NotFound);
        }

        if (refused is not null)
        {
            await new Reply(http).FailAsync(null, refused);
        }

        return refused is null ? _sessions.GetValueOrDefault(id) : null;
    }

    private async Task RunAsync(LegacySession session, LegacyStream stream, string method, JsonNode id, JsonObject parameters)
    {
        using var call = new LegacyCall(session, stream, id, parameters);
        try
        {
            if (method == "resources/subscribe")
            {
                await features.SubscribeAsync();
            }

            stream.Finish(
                Rpc.Result(
                    id,
                    SessionResult(session, method, parameters) ?? await features.AnswerAsync(method, call)
                        ?? throw new RpcException(Rpc.MethodNotFound, "Method not found")));
        }
        catch (RpcException e)
        {
            stream.Finish(Rpc.Error(id, e));
        }
        catch (OperationCanceledException)
        {
            stream.Abandon();
        }
    }

    private static JsonObject? SessionResult(LegacySession session, string method, JsonObject parameters)
    {
        switch (method)
        {
            case "ping":
                return new JsonObject();
            case "logging/setLevel":
                session.LogLevel =
                    parameters["level"]?.GetValue<string>() ?? throw new RpcException(Rpc.InvalidParams, "level is required");
                return new JsonObject();
            case "resources/subscribe" or "resources/unsubscribe":
                session.Subscribe(parameters["uri"]?.GetValue<string>() ?? throw new RpcException(Rpc.InvalidParams, "uri is required"),
                    method == "resources/subscribe");
                return new JsonObject();
            default:
                return null;
        }
    }
}
