using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Net.Http.Headers;
using Weir.Audit;
using Weir.Configuration;
using Weir.Errors;
using Weir.Mcp;
using Weir.Upstream;

namespace Weir.Gateway;

/// <summary>
/// One MCP endpoint, both eras: reads the envelope, picks the era, and answers or forwards. Who may do what is never decided
/// here: lists and calls ask the database, <c>initialize</c>, discovery, ping and streams prove the key; what is answered without
/// (a refusal of the protocol, the receipt of a notification, the end of a sealed session) tells nothing that is anybody's.
/// </summary>
internal sealed class McpHandler(
    AgentCatalogs catalogs,
    Definitions definitions,
    ToolCaller caller,
    SessionTokens sessions,
    UpstreamSessions upstreamSessions,
    GatewayQueries queries,
    ListChanges listChanges,
    SecurityEvents securityEvents,
    McpConfig config,
    Guid replicaId,
    TimeProvider time,
    ILogger<McpHandler> logger)
{
    /// <summary>One POST: one message.</summary>
    public async Task PostAsync(HttpContext http, McpScope scope)
    {
        if (!HasJsonBody(http.Request))
        {
            await RecordRefusedAsync(http, scope, default, "");
            await RefuseAsync(http, new Refusal(415, RpcCodes.InvalidRequest, "The content type is not application/json."), default);
            return;
        }

        if (!AcceptsBoth(http.Request))
        {
            await RecordRefusedAsync(http, scope, default, "");
            await RefuseAsync(http, new Refusal(406, RpcCodes.InvalidRequest, "Accept must allow application/json and text/event-stream."), default);
            return;
        }

        var body = await BodyReader.ReadAsync(http.Request, config.MaxBodyBytes, http.RequestAborted);
        if (body is not { } bytes)
        {
            await RecordRefusedAsync(http, scope, default, "");
            await RefuseAsync(http, new Refusal(413, RpcCodes.InvalidRequest, $"The body is larger than {config.MaxBodyBytes} bytes."), default);
            return;
        }

        Envelope envelope;
        try
        {
            envelope = EnvelopeReader.Read(bytes.Span, config.MaxDepth);
        }
        catch (EnvelopeException e)
        {
            await RecordRefusedAsync(http, scope, bytes, "");
            await RefuseAsync(http, new Refusal(400, e.RpcCode, e.Message), e.Id.Of(bytes.Span).ToArray());
            return;
        }

        var exchange = new McpExchange(http, scope, bytes, envelope);
        try
        {
            await DispatchAsync(exchange);
        }
        catch (WeirException e)
        {
            await FailAsync(exchange, e);
        }
    }

    /// <summary>The stream on which a legacy session hears of changed lists.</summary>
    public async Task GetAsync(HttpContext http, McpScope scope)
    {
        if (http.Request.Headers[Protocol.VersionHeader] == Protocol.Modern)
        {
            MethodNotAllowed(http);
            return;
        }

        if (!http.Request.Headers.Accept.ToString().Contains("text/event-stream", StringComparison.OrdinalIgnoreCase))
        {
            await RefuseAsync(http, new Refusal(406, RpcCodes.InvalidRequest, "Accept must allow text/event-stream."), default);
            return;
        }

        try
        {
            if (await OpenSessionAsync(http, scope) is not null)
            {
                await listChanges.StreamAsync(http, scope.Principal.Name, ct => catalogs.LoadAsync(scope.Principal, scope.InstanceName, ct));
            }
        }
        catch (WeirException e)
        {
            if (e.Code == ErrorCode.RateLimited)
            {
                await RecordRefusedAsync(http, scope, default, "stream", "limit");
            }

            await FailAsync(new McpExchange(http, scope, default, new Envelope { Kind = MessageKind.Request, Method = "" }), e);
        }
    }

    /// <summary>Ends a legacy session: what servers hold for it goes with it.</summary>
    public async Task DeleteAsync(HttpContext http, McpScope scope)
    {
        if (http.Request.Headers[Protocol.VersionHeader] == Protocol.Modern)
        {
            MethodNotAllowed(http);
        }
        else if (await OpenSessionAsync(http, scope) is { } session)
        {
            await upstreamSessions.EndAsync(session.Id, http.RequestAborted);
            http.Response.StatusCode = StatusCodes.Status204NoContent;
        }
    }

    private async Task DispatchAsync(McpExchange exchange)
    {
        var headerVersion = exchange.Http.Request.Headers[Protocol.VersionHeader].ToString() is { Length: > 0 } v ? v : null;
        if (ModernChecks.IsModern(exchange.Envelope, headerVersion))
        {
            await DispatchModernAsync(exchange);
        }
        else
        {
            await DispatchLegacyAsync(exchange);
        }
    }

    private async Task DispatchModernAsync(McpExchange exchange)
    {
        exchange.Modern = true;
        if (ModernChecks.Check(exchange.Envelope, exchange.Http.Request.Headers) is { } refusal)
        {
            await RecordRefusedAsync(exchange.Http, exchange.Scope, exchange.Body, exchange.Envelope.Method);
            await RefuseAsync(exchange.Http, refusal, exchange.Id);
            return;
        }

        if (exchange.Envelope.Kind != MessageKind.Request)
        {
            exchange.Http.Response.StatusCode = StatusCodes.Status202Accepted;
            return;
        }

        exchange.Affinity = "agent:" + exchange.Scope.Principal.Name;
        switch (exchange.Envelope.Method)
        {
            case Methods.Discover:
                await DiscoverAsync(exchange);
                break;
            case Methods.ToolsList:
                await ListToolsAsync(exchange);
                break;
            case Methods.ToolsCall:
                await CallToolAsync(exchange);
                break;
            default:
                await RefuseAsync(exchange.Http, new Refusal(404, RpcCodes.MethodNotFound, "Method not found"), exchange.Id);
                break;
        }
    }

    private async Task DispatchLegacyAsync(McpExchange exchange)
    {
        if (exchange.Envelope is { Kind: MessageKind.Request, Method: Methods.Initialize })
        {
            await InitializeAsync(exchange);
            return;
        }

        if (await OpenSessionAsync(exchange.Http, exchange.Scope) is not { } session)
        {
            return;
        }

        if (exchange.Envelope.Kind != MessageKind.Request)
        {
            exchange.Http.Response.StatusCode = StatusCodes.Status202Accepted;
            return;
        }

        exchange.Affinity = session.Id;
        switch (exchange.Envelope.Method)
        {
            case Methods.Ping:
                await AuthenticateAsync(exchange);
                await AnswerAsync(exchange, static json =>
                {
                    json.WriteStartObject();
                    json.WriteEndObject();
                });
                break;
            case Methods.ToolsList:
                await ListToolsAsync(exchange);
                break;
            case Methods.ToolsCall:
                await CallToolAsync(exchange);
                break;
            default:
                await RefuseAsync(exchange.Http, new Refusal(200, RpcCodes.MethodNotFound, "Method not found"), exchange.Id);
                break;
        }
    }

    private async Task InitializeAsync(McpExchange exchange)
    {
        var envelope = exchange.Envelope;
        if (envelope.RequestedVersion is not { } requested)
        {
            await RefuseAsync(exchange.Http, new Refusal(400, RpcCodes.InvalidParams, "params.protocolVersion is missing."), exchange.Id);
            return;
        }

        var catalog = await catalogs.LoadAsync(exchange.Scope.Principal, exchange.Scope.InstanceName, exchange.Aborted);
        RequireInstance(exchange.Scope, catalog);
        var version = Protocol.LegacyVersions.Contains(requested, StringComparer.Ordinal) ? requested : Protocol.LatestLegacy;
        var session = sessions.Create(exchange.Scope.Principal, exchange.Scope.Path, version, envelope.InitializeCapabilities.Of(exchange.Body.Span), replicaId);
        exchange.Http.Response.Headers[Protocol.SessionHeader] = sessions.Seal(session);
        await AnswerAsync(exchange, json => ServerDescription.WriteInitializeResult(json, version, catalog));
    }

    private async Task DiscoverAsync(McpExchange exchange)
    {
        var catalog = await catalogs.LoadAsync(exchange.Scope.Principal, exchange.Scope.InstanceName, exchange.Aborted);
        RequireInstance(exchange.Scope, catalog);
        await AnswerAsync(exchange, json => ServerDescription.WriteDiscoverResult(json, catalog));
    }

    private async Task ListToolsAsync(McpExchange exchange)
    {
        if (exchange.Envelope.HasCursor)
        {
            await RefuseAsync(exchange.Http, new Refusal(exchange.Modern ? 400 : 200, RpcCodes.InvalidParams, "No page was ever cut: this cursor is not Weir's."), exchange.Id);
            return;
        }

        var catalog = await catalogs.LoadAsync(exchange.Scope.Principal, exchange.Scope.InstanceName, exchange.Aborted);
        RequireInstance(exchange.Scope, catalog);
        var tools = catalog.Items.Where(i => i.Kind == "tool").ToArray();
        var bytes = await definitions.GetAsync(tools, exchange.Aborted);
        var response = exchange.Http.Response;
        response.ContentType = "application/json";
        ServerDescription.WriteToolsResult(response.BodyWriter, exchange.Id, tools, bytes, exchange.Modern);
        await response.BodyWriter.FlushAsync(exchange.Aborted);
    }

    private async Task CallToolAsync(McpExchange exchange)
    {
        var envelope = exchange.Envelope;
        if (envelope.Name is not { Length: > 0 and <= 256 } name)
        {
            await RecordRefusedAsync(exchange.Http, exchange.Scope, exchange.Body, Methods.ToolsCall);
            await RefuseAsync(exchange.Http, new Refusal(exchange.Modern ? 400 : 200, RpcCodes.InvalidParams, "params.name is missing, empty or longer than 256 characters."), exchange.Id);
            return;
        }

        var responder = new HttpCallResponder(exchange.Http.Response, exchange.Body, envelope, exchange.Modern, mapUris: exchange.Scope.InstanceName is null);
        var call = new ToolCall
        {
            Principal = exchange.Scope.Principal,
            InstanceName = exchange.Scope.InstanceName,
            ExposedName = name,
            Body = exchange.Body,
            Envelope = envelope,
            RequestId = Encoding.UTF8.GetString(envelope.Id.Of(exchange.Body.Span)),
            Affinity = exchange.Affinity,
        };
        try
        {
            // A modern client that goes away cancels; a legacy one may have lost its connection only, and the call goes on.
            await caller.RunAsync(call, responder, exchange.Modern ? exchange.Aborted : CancellationToken.None);
        }
        catch (CallFailedException e)
        {
            await FailCallAsync(exchange, responder, e);
        }
        catch (OperationCanceledException) when (exchange.Aborted.IsCancellationRequested)
        {
            logger.LogDebug("A client went away during a call of {Tool}.", name);
        }
    }

    private static async Task FailCallAsync(McpExchange exchange, HttpCallResponder responder, CallFailedException e)
    {
        var code = RpcCodes.WeirBase + (int)e.Code;
        if (responder.HasStarted)
        {
            await responder.FailAsync(code, e.Message, Data(e.Code, "Retry later."), exchange.Aborted);
            return;
        }

        await WriteErrorAsync(exchange.Http, 200, exchange.Id, code, e.Message, Data(e.Code, e.Code.IsRetryable() ? "Retry later, if the tool allows it." : null));
    }

    /// <summary>The session of a request; null after it was refused.</summary>
    private async Task<Session?> OpenSessionAsync(HttpContext http, McpScope scope)
    {
        var token = http.Request.Headers[Protocol.SessionHeader].ToString();
        if (token.Length == 0)
        {
            await RefuseAsync(http, new Refusal(400, RpcCodes.InvalidRequest, $"{Protocol.SessionHeader} is missing: send initialize first."), default);
            return null;
        }

        var check = sessions.TryOpen(token, scope.Principal, scope.Path, out var session);
        if (check == SessionCheck.Good)
        {
            return session;
        }

        var refusal = check == SessionCheck.Foreign
            ? new Refusal(403, RpcCodes.InvalidRequest, "The session belongs to somebody else.")
            : new Refusal(404, RpcCodes.InvalidRequest, "The session is unknown: send initialize.");
        await RefuseAsync(http, refusal, default);
        return null;
    }

    private async Task AuthenticateAsync(McpExchange exchange)
    {
        if (exchange.Scope.Principal.Key is { } key)
        {
            await queries.AuthenticateAsync(key, exchange.Aborted);
        }
        else
        {
            await catalogs.LoadAsync(exchange.Scope.Principal, exchange.Scope.InstanceName, exchange.Aborted);
        }
    }

    /// <summary>An instance that is not there and one that is not granted are the same.</summary>
    private static void RequireInstance(McpScope scope, AgentCatalog catalog)
    {
        if (scope.InstanceName is { } name && !catalog.Instances.Any(i => string.Equals(i.Name, name, StringComparison.Ordinal)))
        {
            throw new WeirException(ErrorCode.NotFound, $"Unknown server: {name}");
        }
    }

    /// <summary>A request of a known actor that cannot be understood, or is one too many, is recorded as such.</summary>
    private async Task RecordRefusedAsync(HttpContext http, McpScope scope, ReadOnlyMemory<byte> body, string method, string reason = "invalid_request")
    {
        var now = time.GetUtcNow();
        var request = new CallRequest(
            Guid.CreateVersion7(now),
            new DateTime(now.UtcTicks - (now.UtcTicks % TimeSpan.TicksPerMicrosecond), DateTimeKind.Utc),
            OrganizationId: null,
            scope.Principal,
            "error",
            InstanceId: null,
            method,
            Arguments: null,
            http.TraceIdentifier,
            Attempt: 1,
            body.Length,
            SHA256.HashData(body.Span),
            "");
        try
        {
            await queries.RecordDenialAsync(request, reason);
        }
        catch (WeirException e)
        {
            logger.LogWarning(e, "A refused request could not be recorded.");
        }
    }

    private async Task FailAsync(McpExchange exchange, WeirException e)
    {
        if (e.Code == ErrorCode.Unauthenticated)
        {
            securityEvents.Count("key_refused", exchange.Scope.Principal.Key?.Id, exchange.Http.Connection.RemoteIpAddress);
            exchange.Http.Response.Headers.WWWAuthenticate = "Bearer error=\"invalid_token\"";
        }

        if (e.Code is ErrorCode.Internal)
        {
            logger.LogError(e, "A request failed.");
        }

        var (status, code) = e.Code switch
        {
            ErrorCode.Unauthenticated => (401, RpcCodes.WeirBase + (int)e.Code),
            ErrorCode.Unavailable => (503, RpcCodes.WeirBase + (int)e.Code),
            ErrorCode.NotFound => (exchange.Envelope.Method == Methods.ToolsCall ? 200 : 404, RpcCodes.InvalidParams),
            ErrorCode.Internal => (500, RpcCodes.InternalError),
            _ => (200, RpcCodes.WeirBase + (int)e.Code),
        };
        if (status == 503)
        {
            exchange.Http.Response.Headers.RetryAfter = "1";
        }

        await WriteErrorAsync(exchange.Http, status, exchange.Id, code, e.Message, e.Code == ErrorCode.NotFound ? null : Data(e.Code, e.Hint));
    }

    private static Action<Utf8JsonWriter> Data(ErrorCode code, string? hint) => json =>
    {
        json.WriteStartObject();
        json.WriteString("weir"u8, code.Sqlstate());
        json.WriteBoolean("retryable"u8, code.IsRetryable());
        if (hint is not null)
        {
            json.WriteString("hint"u8, hint);
        }

        json.WriteEndObject();
    };

    private static async Task AnswerAsync(McpExchange exchange, Action<Utf8JsonWriter> result)
    {
        exchange.Http.Response.ContentType = "application/json";
        RpcWriter.WriteResult(exchange.Http.Response.BodyWriter, exchange.Id, result);
        await exchange.Http.Response.BodyWriter.FlushAsync(exchange.Aborted);
    }

    private static Task RefuseAsync(HttpContext http, Refusal refusal, byte[]? id) => WriteErrorAsync(
        http,
        refusal.Status,
        id ?? [],
        refusal.Code,
        refusal.Message,
        refusal.SupportedVersions
            ? json =>
            {
                json.WriteStartObject();
                json.WriteStartArray("supported"u8);
                json.WriteStringValue(Protocol.Modern);
                json.WriteEndArray();
                json.WriteString("requested"u8, refusal.RequestedVersion);
                json.WriteEndObject();
            }
            : null);

    private static async Task WriteErrorAsync(HttpContext http, int status, byte[] id, int code, string message, Action<Utf8JsonWriter>? data)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = "application/json";
        RpcWriter.WriteError(http.Response.BodyWriter, id, code, message, data);
        await http.Response.BodyWriter.FlushAsync();
    }

    private static void MethodNotAllowed(HttpContext http)
    {
        http.Response.StatusCode = StatusCodes.Status405MethodNotAllowed;
        http.Response.Headers.Allow = "POST";
    }

    private static bool HasJsonBody(HttpRequest request) =>
        MediaTypeHeaderValue.TryParse(request.ContentType, out var type)
        && type.MediaType.Equals("application/json", StringComparison.OrdinalIgnoreCase)
        && (type.Charset.Length == 0 || type.Charset.Equals("utf-8", StringComparison.OrdinalIgnoreCase));

    private static bool AcceptsBoth(HttpRequest request)
    {
        var accept = request.Headers.Accept.ToString();
        return accept.Contains("*/*", StringComparison.Ordinal)
            || (accept.Contains("application/json", StringComparison.OrdinalIgnoreCase) && accept.Contains("text/event-stream", StringComparison.OrdinalIgnoreCase));
    }
}

/// <summary>One request while it is answered.</summary>
internal sealed class McpExchange(HttpContext http, McpScope scope, ReadOnlyMemory<byte> body, Envelope envelope)
{
    public HttpContext Http { get; } = http;

    public McpScope Scope { get; } = scope;

    public ReadOnlyMemory<byte> Body { get; } = body;

    public Envelope Envelope { get; } = envelope;

    public CancellationToken Aborted => Http.RequestAborted;

    public byte[] Id { get; } = envelope.Id.Of(body.Span).ToArray();

    public bool Modern { get; set; }

    /// <summary>Whose upstream session it uses where an instance shares none: the client's session, or the agent.</summary>
    public string Affinity { get; set; } = "";
}
