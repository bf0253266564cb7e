using System.Buffers;
using System.Globalization;

namespace Weir.NodeAgent.Bridge;

/// <summary>
/// Streamable HTTP in front of a session host, for the protocol versions with sessions. A client of the later, sessionless kind is
/// refused by a 400 without one of that kind's error codes, which tells it to initialize.
/// </summary>
internal static class McpEndpoint
{
    private const string SessionHeader = "Mcp-Session-Id";
    private const string VersionHeader = "MCP-Protocol-Version";
    private const string Json = "application/json";
    private const string EventStream = "text/event-stream";
    private static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(15);

    public static Task HandleAsync(HttpContext http, ISessionHost host, TimeProvider time) => http.Request.Method switch
    {
        "POST" => PostAsync(http, host, time),
        "GET" => GetAsync(http, host, time),
        "DELETE" => DeleteAsync(http, host),
        _ => MethodNotAllowedAsync(http),
    };

    private static async Task PostAsync(HttpContext http, ISessionHost host, TimeProvider time)
    {
        // The message itself is not kept while its call waits.
        if (await ReceiveAsync(http, host) is { } call)
        {
            await WriteCallAsync(http, call, time);
        }
    }

    /// <summary>
    /// 1 headers, 2 the message, 3 initialize opens a session, 4 everything else names one, 5 a call waits for its answer: the others are
    /// answered.
    /// </summary>
    private static async Task<BridgedCall?> ReceiveAsync(HttpContext http, ISessionHost host)
    {
        // 1
        if (!http.Request.HasJsonContentType())
        {
            await RefuseAsync(http, 415, JsonRpc.InvalidRequest, "Content-Type must be application/json.");
            return null;
        }

        if (!Accepts(http, Json) || !Accepts(http, EventStream))
        {
            await RefuseAsync(http, 406, JsonRpc.InvalidRequest, "Accept must name application/json and text/event-stream.");
            return null;
        }

        // 2
        using var body = new CountedBody(host.Budget);
        if (await body.ReadAsync(http.Request, http.RequestAborted) is not { } message)
        {
            await (body.IsTooLarge
                ? RefuseAsync(http, 413, JsonRpc.InvalidRequest, $"The body is larger than {BridgeOptions.MessageLimit} bytes.")
                : RefuseAsync(http, 503, JsonRpc.InternalError, "Too many bytes wait for this server instance.", "busy"));
            return null;
        }

        if (!MessageParts.TryParse(message, out var parts, out var problem) || parts.IsOfUnknownRequest)
        {
            problem = problem.Length > 0 ? problem : "An answer names the request that it answers.";
            await RefuseAsync(
                http, 400, problem.StartsWith("Not JSON", StringComparison.Ordinal) ? JsonRpc.ParseError : JsonRpc.InvalidRequest, problem);
            return null;
        }

        Splice.FlattenLineBreaks(message);

        // 3
        if (parts is { Kind: MessageKind.Request, Method: "initialize" } && !http.Request.Headers.ContainsKey(SessionHeader))
        {
            var opened = await host.OpenAsync(parts, message, http.RequestAborted);
            if (opened.Session is { } created)
            {
                http.Response.Headers[SessionHeader] = created.Id;
            }

            await WriteJsonAsync(http, opened.HttpStatus, opened.Response, opened.RetryAfter);
            return null;
        }

        // 4
        if (await FindSessionAsync(http, host) is not { } session)
        {
            return null;
        }

        session.Touch();
        if (parts.Kind != MessageKind.Request)
        {
            host.Take(session, parts, message);
            http.Response.StatusCode = StatusCodes.Status202Accepted;
            return null;
        }

        // 5
        if (host.AnswerLocally(session, parts, message) is { } answer)
        {
            await WriteJsonAsync(http, StatusCodes.Status200OK, answer);
            return null;
        }

        if (session.Call(parts, message) is { } call)
        {
            return call;
        }

        await RefuseAsync(http, 400, JsonRpc.InvalidRequest, "A request with this id is still in flight in this session.");
        return null;
    }

    /// <summary>
    /// The response as one body if it is the first that comes, within 15 seconds; else a stream of what comes, which the response ends. A
    /// proxy between Weir and the node would end what is silent for longer.
    /// </summary>
    internal static async Task WriteCallAsync(HttpContext http, BridgedCall call, TimeProvider time)
    {
        try
        {
            var pending = call.NextAsync(http.RequestAborted).AsTask();
            if (await IsThereSoonAsync(pending, time, http.RequestAborted) && await pending is { IsFinal: true } only)
            {
                await WriteJsonAsync(http, StatusCodes.Status200OK, only.Message);
                return;
            }

            StartStream(http);
            if (!pending.IsCompleted)
            {
                await WriteCommentAsync(http.Response, http.RequestAborted);
            }

            for (var isFinal = false; !isFinal; pending = isFinal ? pending : call.NextAsync(http.RequestAborted).AsTask())
            {
                await KeepAliveUntilAsync(http.Response, pending, time, http.RequestAborted);
                var next = await pending;
                await WriteEventAsync(http.Response, next.Message, http.RequestAborted);
                isFinal = next.IsFinal;
            }
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            // The caller went away, which in these versions cancels nothing.
        }
        finally
        {
            call.Abandon();
        }
    }

    private static async Task GetAsync(HttpContext http, ISessionHost host, TimeProvider time)
    {
        if (!Accepts(http, EventStream))
        {
            await RefuseAsync(http, 406, JsonRpc.InvalidRequest, "Accept must name text/event-stream.");
            return;
        }

        if (await FindSessionAsync(http, host) is not { } session)
        {
            return;
        }

        var stream = session.OpenStream();
        try
        {
            StartStream(http);
            await http.Response.Body.FlushAsync(http.RequestAborted);
            while (true)
            {
                var waiting = stream.Messages.NextAsync(http.RequestAborted).AsTask();
                await KeepAliveUntilAsync(http.Response, waiting, time, http.RequestAborted);
                if (await waiting is not { } message)
                {
                    break;
                }

                await WriteEventAsync(http.Response, message, http.RequestAborted);
            }

            if (stream.HasOverflowed)
            {
                await WriteEventAsync(
                    http.Response, JsonRpc.Error([], JsonRpc.InternalError, JsonRpc.TooMuchWaits, "overflow"), http.RequestAborted,
                    "error");
            }
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            // The client closed its stream.
        }
        finally
        {
            session.CloseStream(stream);
        }
    }

    private static async Task DeleteAsync(HttpContext http, ISessionHost host)
    {
        if (await FindSessionAsync(http, host) is { } session)
        {
            host.Close(session);
            http.Response.StatusCode = StatusCodes.Status204NoContent;
        }
    }

    private static Task MethodNotAllowedAsync(HttpContext http)
    {
        http.Response.Headers.Allow = "GET, POST, DELETE";
        http.Response.StatusCode = StatusCodes.Status405MethodNotAllowed;
        return Task.CompletedTask;
    }

    /// <summary>Null when the request has been refused.</summary>
    private static async Task<Session?> FindSessionAsync(HttpContext http, ISessionHost host)
    {
        if (http.Request.Headers[SessionHeader] is not [{ Length: > 0 } id])
        {
            await RefuseAsync(http, 400, JsonRpc.InvalidRequest, "This server has sessions: initialize first, then send Mcp-Session-Id.");
            return null;
        }

        if (http.Request.Headers[VersionHeader] is [{ } version] && !Handshake.Versions.Contains(version))
        {
            await RefuseAsync(
                http, 400, JsonRpc.InvalidRequest, $"MCP-Protocol-Version must be one of {string.Join(", ", Handshake.Versions)}.");
            return null;
        }

        if (host.Find(id) is not { } session)
        {
            await RefuseAsync(http, 404, JsonRpc.SessionNotFound, "Session not found");
            return null;
        }

        return session;
    }

    private static bool Accepts(HttpContext http, string type)
    {
        var accepted = http.Request.GetTypedHeaders().Accept;
        if (accepted.Count == 0)
        {
            return true;
        }

        foreach (var value in accepted.Where(v => v.Quality is not 0))
        {
            if (value.MatchesAllTypes || value.MediaType.Equals(type, StringComparison.OrdinalIgnoreCase)
                || (value.MatchesAllSubTypes && type.StartsWith(value.Type.Value + "/", StringComparison.OrdinalIgnoreCase)))
            {
                return true;
            }
        }

        return false;
    }

    private static void StartStream(HttpContext http)
    {
        http.Response.ContentType = EventStream;
        http.Response.Headers.CacheControl = "no-cache";
        http.Response.Headers["X-Accel-Buffering"] = "no";
    }

    /// <param name="type">Anything but <c>message</c> is no message of the protocol, and clients pass over it.</param>
    private static async Task WriteEventAsync(
        HttpResponse response, byte[] message, CancellationToken cancellation, string type = "message")
    {
        var writer = response.BodyWriter;
        writer.Write(System.Text.Encoding.ASCII.GetBytes($"event: {type}\ndata: "));
        writer.Write(message);
        writer.Write("\n\n"u8);
        await writer.FlushAsync(cancellation);
    }

    /// <summary>A comment now and then shows each side that the other is still there.</summary>
    private static async Task KeepAliveUntilAsync(HttpResponse response, Task pending, TimeProvider time, CancellationToken cancellation)
    {
        while (!pending.IsCompleted)
        {
            if (!await IsThereSoonAsync(pending, time, cancellation) && !cancellation.IsCancellationRequested)
            {
                await WriteCommentAsync(response, cancellation);
            }
        }
    }

    /// <summary>Whether it completes before it is time for a sign of life.</summary>
    private static async Task<bool> IsThereSoonAsync(Task pending, TimeProvider time, CancellationToken cancellation)
    {
        using var done = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var first = await Task.WhenAny(pending, Task.Delay(KeepAlive, time, done.Token));
        await done.CancelAsync();
        return first == pending;
    }

    private static async Task WriteCommentAsync(HttpResponse response, CancellationToken cancellation)
    {
        response.BodyWriter.Write(": keep-alive\n\n"u8);
        await response.BodyWriter.FlushAsync(cancellation);
    }

    private static async Task WriteJsonAsync(HttpContext http, int status, byte[] body, TimeSpan? retryAfter = null)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = Json;
        http.Response.ContentLength = body.Length;
        if (status == StatusCodes.Status503ServiceUnavailable)
        {
            http.Response.Headers.RetryAfter = Math.Ceiling(retryAfter?.TotalSeconds ?? 1).ToString(CultureInfo.InvariantCulture);
        }

        await http.Response.Body.WriteAsync(body, http.RequestAborted);
    }

    public static Task RefuseAsync(HttpContext http, int status, int code, string message, string? weir = null) =>
        WriteJsonAsync(http, status, JsonRpc.Error([], code, message, weir));
}
