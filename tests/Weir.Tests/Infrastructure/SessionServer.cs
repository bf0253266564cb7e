using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.AspNetCore.Http;

namespace Weir.Tests.Infrastructure;

/// <summary>
/// A legacy server with sessions, which it forgets when a test says so; what it then answers is one of <see cref="Losses"/>. Tools:
/// <c>echo</c>,
/// <c>hang</c>, and <c>answer BODY</c> in whose arguments <c>answer</c> is the error or result that it answers with after it has run.
/// </summary>
public sealed class SessionServer : IAsyncDisposable
{
    /// <summary>How servers say that they do not know a session. <c>ID</c> is the request's.</summary>
    public static readonly IReadOnlyDictionary<string, (int Status, string Body)> Losses =
        new Dictionary<string, (int, string)>(StringComparer.Ordinal)
    {
        ["404"] = (404, ""),
        ["404 -32001"] = (404, """{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"} }"""),
        ["400"] = (400, "Bad Request: No valid session ID provided"),
        ["400 -32000"] = (
            400, """{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"Bad Request: No valid session ID provided"} }"""),
        ["400 -32600"] = (
            400, """{"jsonrpc":"2.0","id":"server-error","error":{"code":-32600,"message":"Bad Request: Missing session ID"} }"""),
        ["400 -32000 ID"] = (400, """{"jsonrpc":"2.0","id":ID,"error":{"code":-32000,"message":"No session"} }"""),
        ["401"] = (401, """{"error":"invalid_session"}"""),
        ["410"] = (410, "Gone"),
        ["403 -32001"] = (403, """{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"} }"""),
        ["503 -32001"] = (503, """{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"unknown or expired session"} }"""),
        ["200 -32001 ID"] = (200, """{"jsonrpc":"2.0","id":ID,"error":{"code":-32001,"message":"Session not found"} }"""),
        ["200 -32000 ID"] = (200, """{"jsonrpc":"2.0","id":ID,"error":{"code":-32000,"message":"Session not found"} }"""),
        ["events -32001 ID"] = (200,
            "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":ID,\"error\":{\"code\":-32001,\"message\":\"Session not found\"} }\n\n"),
        ["500"] = (500, "no session"),
    };

    private readonly ConcurrentDictionary<string, bool> _sessions = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<string> _ran = new();
    private int _opened;

    private SessionServer()
    {
    }

    public ScriptedServer Http { get; private set; } = null!;

    public Uri Url => Http.Url;

    /// <summary>One of <see cref="Losses"/>.</summary>
    public string Loss { get; set; } = "404";

    /// <summary>No session is known, not even those that are opened from now on.</summary>
    public bool ForgetsAtOnce { get; set; }

    public bool HasStream { get; set; } = true;

    /// <summary>A session in which no resource is ever read to its end.</summary>
    public string? HangingSession { get; set; }

    /// <summary>The sessions that were opened.</summary>
    public int Opened => Volatile.Read(ref _opened);

    /// <summary>The tools that ran, and the resources that were read.</summary>
    public IReadOnlyCollection<string> Ran => _ran;

    public IReadOnlyCollection<string> Sessions => (IReadOnlyCollection<string>)_sessions.Keys;

    public static async Task<SessionServer> StartAsync()
    {
        var server = new SessionServer();
        server.Http = await ScriptedServer.StartAsync(server.AnswerAsync);
        return server;
    }

    public void Forget() => _sessions.Clear();

    public ValueTask DisposeAsync() => Http.DisposeAsync();

    private async Task AnswerAsync(HttpContext http, ScriptedRequest request)
    {
        if (request.Method == "server/discover")
        {
            http.Response.StatusCode = 405;
        }
        else if (request.Method == "initialize")
        {
            var id = "s-" + Interlocked.Increment(ref _opened).ToString(CultureInfo.InvariantCulture);
            _sessions[id] = true;
            http.Response.Headers["Mcp-Session-Id"] = id;
            await ScriptedServer.WriteAsync(http, ScriptedServer.Result(request,
                """{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"resources":{"subscribe":true} """
                    + """},"serverInfo":{"name":"s","version":"1"} }"""));
        }
        else if (request.Verb == "GET" && !HasStream)
        {
            http.Response.StatusCode = 404;
        }
        else if (request.Method is not ("tools/list" or "resources/list" or "notifications/initialized")
            && (ForgetsAtOnce || !_sessions.ContainsKey(request.Session ?? "")))
        {
            var (status, body) = Losses[Loss];
            var type = body.StartsWith('{')
                ? "application/json" : body.StartsWith("event", StringComparison.Ordinal) ? "text/event-stream" : "text/plain";
            await ScriptedServer.WriteAsync(http, body.Replace("ID", request.Id, StringComparison.Ordinal), status, type);
        }
        else
        {
            await AnswerInSessionAsync(http, request);
        }
    }

    private async Task AnswerInSessionAsync(HttpContext http, ScriptedRequest request)
    {
        switch (request)
        {
            case { Verb: "GET" }:
                http.Response.ContentType = "text/event-stream";
                await ScriptedServer.HangAsync(http);
                break;
            case { Verb: "DELETE" }:
                _sessions.TryRemove(request.Session!, out _);
                break;
            case { Id: "null" }:
                http.Response.StatusCode = 202;
                break;
            case { Method: "tools/list" }:
                await ScriptedServer.WriteAsync(http, ScriptedServer.Result(request, """
                    {"tools":[{"name":"echo","inputSchema":{"type":"object"} },{"name":"hang","inputSchema":{"type":"object"} },{"name":"answer","inputSchema":{"type":"object"} }]}
                    """));
                break;
            case { Method: "resources/list" }:
                await ScriptedServer.WriteAsync(
                    http,
                    ScriptedServer.Result(
                        request, """{"resources":[{"uri":"file:///a","name":"a"},{"uri":"file:///error","name":"error"}]}"""));
                break;
            case { Method: "resources/read" }:
                await ReadAsync(http, request, request.Params.GetProperty("uri").GetString()!);
                break;
            case { Method: "tools/call" }:
                _ran.Enqueue(request.Name!);
                await CallAsync(http, request);
                break;
            default:
                await ScriptedServer.WriteAsync(http, ScriptedServer.Result(request, "{}"));
                break;
        }
    }

    private async Task ReadAsync(HttpContext http, ScriptedRequest request, string uri)
    {
        _ran.Enqueue(uri);
        if (request.Session == HangingSession)
        {
            await ScriptedServer.HangAsync(http);
            return;
        }

        await ScriptedServer.WriteAsync(http, uri == "file:///error"
            ? ScriptedServer.Error(request.Id, """{"code":-32000,"message":"not now"}""")
            : ScriptedServer.Result(request, """{"contents":[{"uri":"file:///a","text":"a text"}]}"""));
    }

    private static Task CallAsync(HttpContext http, ScriptedRequest request)
    {
        switch (request.Name)
        {
            case "hang":
                return ScriptedServer.HangAsync(http);
            case "answer":
                var arguments = request.Params.GetProperty("arguments");
                var status = arguments.TryGetProperty("status", out var given) ? given.GetInt32() : 200;
                var answer = arguments.GetProperty("answer").GetRawText();
                // The same number, spelled in another way.
                var id = arguments.TryGetProperty("decimalId", out _) ? request.Id + ".0" : request.Id;
                return ScriptedServer.WriteAsync(
                    http,
                    answer.Contains("\"code\"", StringComparison.Ordinal)
                        ? ScriptedServer.Error(id, answer) : ScriptedServer.Result(request, answer),
                    status);
            default:
                return ScriptedServer.WriteAsync(http, ScriptedServer.Result(request, ScriptedServer.Text("said")));
        }
    }
}
