using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;
using Weir.Configuration;
using Weir.Errors;
using Weir.Gateway.Forwarding;
using Weir.Gateway.Questions;
using Weir.Identity;
using Weir.Input;
using Weir.Mcp;
using Weir.Upstream;

namespace Weir.Gateway.Endpoint;

/// <summary>
/// One MCP endpoint, both eras: reads the envelope, picks the era, and answers or forwards. Who may do what is never decided
/// here: lists and calls ask the database, <c>initialize</c>, discovery, ping and streams prove the key; what is answered without
/// (a refusal of the protocol, the receipt of a notification, the end of a sealed session) tells nothing that is anybody's.
/// </summary>
internal sealed class McpHandler(
    McpMethods methods,
    McpLists lists,
    McpCalls calls,
    McpSubscriptions subscriptions,
    ClientAnswers answers,
    SessionTokens sessions,
    SessionStates states,
    UpstreamSessions upstreamSessions,
    Handover handover,
    RefusedRequests refused,
    McpErrors errors,
    SeenKeys seenKeys,
    UnverifiedCallers callers,
    GatewayQueries queries,
    CallerBytes held,
    McpConfig config)
{
    /// <summary>One POST: one message. Of its body nothing is read before the caller is known.</summary>
    public async Task PostAsync(HttpContext http, McpScope scope)
    {
        if (!await IsKnownAsync(http, scope))
        {
            return;
        }

        if (!HasJsonBody(http.Request))
        {
            await refused.RefuseAsync(http, scope, new Refusal(415, RpcCodes.InvalidRequest, "The content type is not application/json."));
            return;
        }

        if (!AcceptHeader.Allows(http.Request, AcceptHeader.Json))
        {
            await refused.RefuseAsync(http, scope, new Refusal(406, RpcCodes.InvalidRequest, "Accept excludes application/json, which most answers are."));
            return;
        }

        ReadOnlyMemory<byte>? body;
        try
        {
            body = await held.ReadBodyAsync(http.Request, config.MaxBodyBytes, scope.Principal.Holder, http.RequestAborted);
        }
        catch (WeirException e) when (e.Code == ErrorCode.RateLimited)
        {
            http.Response.Headers.RetryAfter = "1";
            await McpErrors.RefuseAsync(http, new Refusal(429, RpcCodes.WeirBase + (int)e.Code, $"{e.Message} {e.Hint}"), default);
            return;
        }

        if (body is not { } bytes)
        {
            await refused.RefuseAsync(http, scope, new Refusal(413, RpcCodes.InvalidRequest, $"The body is larger than {config.MaxBodyBytes} bytes."));
            return;
        }

        Envelope envelope;
        try
        {
            envelope = EnvelopeReader.Read(bytes.Span, config.MaxDepth);
        }
        catch (EnvelopeException e)
        {
            await refused.RefuseAsync(http, scope, new Refusal(400, e.RpcCode, e.Message), bytes, "", e.Id.Of(bytes.Span).ToArray());
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

    /// <summary>
    /// Whether a body of this caller is read. A person's token was verified before; a key that was not found good here lately is proved first, by the
    /// statement that authenticates it. A refusal is answered here.
    /// </summary>
    private async Task<bool> IsKnownAsync(HttpContext http, McpScope scope)
    {
        if (scope.Principal.Key is not { } key || seenKeys.Contains(key.Id, key.SecretHash))
        {
            return true;
        }

        try
        {
            using var turn = await callers.EnterKeyAsync(http.Connection.RemoteIpAddress ?? IPAddress.None, http.RequestAborted);
            await queries.AuthenticateAsync(key, isKnown: false);
            seenKeys.Add(key.Id, key.SecretHash);
            return true;
        }
        catch (WeirException e)
        {
            await FailAsync(Nameless(http, scope), e);
            return false;
        }
    }

    private Task FailAsync(McpExchange exchange, WeirException e)
    {
        if (e.Code == ErrorCode.Unauthenticated && exchange.Scope.Principal.Key is { } key)
        {
            seenKeys.Remove(key.Id, key.SecretHash);
        }

        return errors.FailAsync(exchange, e);
    }

    /// <summary>A request whose message was not read, or which has none.</summary>
    private static McpExchange Nameless(HttpContext http, McpScope scope) =>
        new(http, scope, default, new Envelope { Kind = MessageKind.Request, Method = "" });

    /// <summary>The stream on which a legacy session hears of changed lists.</summary>
    public async Task GetAsync(HttpContext http, McpScope scope)
    {
        if (http.Request.Headers[Protocol.VersionHeader] == Protocol.Modern)
        {
            MethodNotAllowed(http);
            return;
        }

        if (!AcceptHeader.Allows(http.Request, EventStream.ContentType))
        {
            await McpErrors.RefuseAsync(http, NoStream, default);
            return;
        }

        try
        {
            if (await OpenSessionAsync(http, scope) is not { } session)
            {
                return;
            }

            if (!handover.IsElsewhere(http.Request, session.Replica))
            {
                using var there = upstreamSessions.Hold(session.Id);
                await subscriptions.StreamAsync(http, scope, session);
            }
            else if (!await handover.TryAsync(http, default, session.Replica))
            {
                await McpErrors.RefuseAsync(http, Gone, default);
            }
        }
        catch (WeirException e)
        {
            if (e.Code == ErrorCode.RateLimited)
            {
                await refused.RecordAsync(http, scope, default, "stream", "limit");
            }

            await FailAsync(Nameless(http, scope), e);
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
            await handover.TellOthersAsync(http, default);
            states.End(session);
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
            await refused.RefuseAsync(exchange, refusal);
            return;
        }

        if (exchange.Envelope.Kind != MessageKind.Request)
        {
            exchange.Http.Response.StatusCode = StatusCodes.Status202Accepted;
            return;
        }

        exchange.Affinity = "agent:" + exchange.Scope.Principal.Name;
        await (exchange.Envelope.Method switch
        {
            Methods.Discover => methods.DiscoverAsync(exchange),
            Methods.Listen => ListenAsync(exchange),
            _ => AnswerAsync(exchange),
        });
    }

    /// <summary>What both eras have.</summary>
    private Task AnswerAsync(McpExchange exchange) => exchange.Envelope.Method switch
    {
        Methods.ToolsCall => calls.CallToolAsync(exchange),
        Methods.ToolsList or Methods.PromptsList or Methods.ResourcesList or Methods.ResourceTemplatesList => lists.ListAsync(exchange),
        Methods.PromptsGet => calls.GetPromptAsync(exchange),
        Methods.ResourcesRead => calls.ReadResourceAsync(exchange),
        Methods.Complete => calls.CompleteAsync(exchange),
        _ => McpErrors.RefuseAsync(exchange.Http, new Refusal(exchange.Modern ? 404 : 200, RpcCodes.MethodNotFound, "Method not found"), exchange.Id),
    };

    private async Task ListenAsync(McpExchange exchange)
    {
        if (!exchange.AcceptsEvents)
        {
            await refused.RefuseAsync(exchange, NoStream);
            return;
        }

        try
        {
            await subscriptions.ListenAsync(exchange);
        }
        catch (WeirException e) when (e.Code == ErrorCode.RateLimited)
        {
            await refused.RecordAsync(exchange.Http, exchange.Scope, exchange.Body, Methods.Listen, "limit");
            throw;
        }
    }

    private async Task DispatchLegacyAsync(McpExchange exchange)
    {
        if (exchange.Envelope is { Kind: MessageKind.Request, Method: Methods.Initialize })
        {
            await methods.InitializeAsync(exchange);
            return;
        }

        if (await OpenSessionAsync(exchange.Http, exchange.Scope) is not { } session)
        {
            return;
        }

        (exchange.Session, exchange.Affinity) = (session, session.Id);
        if (exchange.Envelope.Kind != MessageKind.Request)
        {
            await HearAsync(exchange, session);
            return;
        }

        if (exchange.Envelope.Method is Methods.Subscribe or Methods.Unsubscribe && handover.IsElsewhere(exchange.Http.Request, session.Replica))
        {
            if (!await handover.TryAsync(exchange.Http, exchange.Body, session.Replica))
            {
                await McpErrors.RefuseAsync(exchange.Http, Gone, exchange.Id);
            }

            return;
        }

        await (exchange.Envelope.Method switch
        {
            Methods.Ping => methods.PingAsync(exchange),
            Methods.SetLevel => methods.SetLevelAsync(exchange),
            Methods.Subscribe => subscriptions.SubscribeAsync(exchange),
            Methods.Unsubscribe => subscriptions.UnsubscribeAsync(exchange),
            _ => AnswerAsync(exchange),
        });
    }

    /// <summary>What a legacy client says unasked, or answers to a server: for the replica that asked, or, of a call, for whichever runs it.</summary>
    private async Task HearAsync(McpExchange exchange, Session session)
    {
        if (exchange.Envelope.Kind == MessageKind.Response)
        {
            if (ClientAnswers.AskedBy(exchange.Body, exchange.Envelope) is { } replica && handover.IsElsewhere(exchange.Http.Request, replica)
                && await handover.TryAsync(exchange.Http, exchange.Body, replica))
            {
                return;
            }

            answers.Take(session.Id, exchange.Body, exchange.Envelope);
        }
        else if (exchange.Envelope.Method == Methods.Cancelled && !calls.TryCancel(exchange))
        {
            await handover.TellOthersAsync(exchange.Http, exchange.Body);
        }

        exchange.Http.Response.StatusCode = StatusCodes.Status202Accepted;
    }

    /// <summary>The session of a request; null after it was refused.</summary>
    private async Task<Session?> OpenSessionAsync(HttpContext http, McpScope scope)
    {
        var token = http.Request.Headers[Protocol.SessionHeader].ToString();
        if (token.Length == 0)
        {
            await McpErrors.RefuseAsync(
                http, new Refusal(400, RpcCodes.InvalidRequest, $"{Protocol.SessionHeader} is missing: send initialize first."), default);
            return null;
        }

        var check = sessions.TryOpen(token, scope.Principal, scope.Path, out var session);
        if (check == SessionCheck.Good && !states.IsEnded(session!))
        {
            return session;
        }

        var refusal = check == SessionCheck.Foreign
            ? new Refusal(403, RpcCodes.InvalidRequest, "The session belongs to somebody else.")
            : new Refusal(404, RpcCodes.InvalidRequest, "The session is unknown: send initialize.");
        await McpErrors.RefuseAsync(http, refusal, default);
        return null;
    }

    /// <summary>What the session held was held by a replica that is no more: the client initializes anew.</summary>
    private static readonly Refusal Gone = new(404, RpcCodes.InvalidRequest, "The session is unknown: send initialize.");

    private static readonly Refusal NoStream = new(406, RpcCodes.InvalidRequest, "Accept excludes text/event-stream, which this answer is.");

    private static void MethodNotAllowed(HttpContext http)
    {
        http.Response.StatusCode = StatusCodes.Status405MethodNotAllowed;
        http.Response.Headers.Allow = "POST";
    }

    private static bool HasJsonBody(HttpRequest request) =>
        MediaTypeHeaderValue.TryParse(request.ContentType, out var type)
        && type.MediaType.Equals("application/json", StringComparison.OrdinalIgnoreCase)
        && (type.Charset.Length == 0 || type.Charset.Equals("utf-8", StringComparison.OrdinalIgnoreCase));
}
