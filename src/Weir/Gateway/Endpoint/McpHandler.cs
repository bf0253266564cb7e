using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;
using Weir.Configuration;
using Weir.Errors;
using Weir.Gateway.Http;
using Weir.Gateway.ServerRequests;
using Weir.Http;
using Weir.Identity;
using Weir.Limits;
using Weir.Mcp;
using Weir.Upstream;

namespace Weir.Gateway.Endpoint;

/// <summary>
/// One MCP endpoint, both eras: reads the message, picks the era, and answers or forwards. Who may do what is never decided
/// here: lists and calls ask the database, <c>initialize</c>, discovery, ping and streams prove the key; what is answered without
/// (a refusal of the protocol, the receipt of a notification, the end of a sealed session) tells nothing that is anybody's.
/// </summary>
internal sealed class McpHandler(
    McpMethods methods,
    McpLists lists,
    McpCalls calls,
    McpSubscriptions subscriptions,
    ClientResponses answers,
    SessionTokens sessions,
    SessionStates states,
    UpstreamSessions upstreamSessions,
    ReplicaForwarder forwarder,
    RefusedRequests refused,
    McpErrors errors,
    SeenKeys seenKeys,
    UnverifiedCallers callers,
    KeyQueries queries,
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
            await refused.RefuseAsync(
                http, scope, new Refusal(406, RpcCodes.InvalidRequest, "Accept excludes application/json, which most answers are."));
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
            await refused.RefuseAsync(
                http, scope, new Refusal(413, RpcCodes.InvalidRequest, $"The body is larger than {config.MaxBodyBytes} bytes."));
            return;
        }

        ClientMessage message;
        try
        {
            message = ClientMessageReader.Read(bytes.Span, config.MaxDepth);
        }
        catch (ClientMessageException e)
        {
            await refused.RefuseAsync(http, scope, new Refusal(400, e.RpcCode, e.Message), bytes, "", e.Id.Of(bytes.Span).ToArray());
            return;
        }

        var request = new McpRequest(http, scope, bytes, message);
        try
        {
            await DispatchAsync(request);
        }
        catch (WeirException e)
        {
            await FailAsync(request, e);
        }
    }

    /// <summary>
    /// Whether a body of this caller is read. A person's token was verified before; a key that was not found good here lately is proved
    /// first, by the statement that authenticates it. A refusal is answered here.
    /// </summary>
    private async Task<bool> IsKnownAsync(HttpContext http, McpScope scope)
    {
        if (scope.Principal.Key is not { } key || seenKeys.Contains(key.Id, key.SecretHash))
        {
            return true;
        }

        try
        {
            using var permit = await callers.EnterKeyAsync(http.Connection.RemoteIpAddress ?? IPAddress.None, http.RequestAborted);
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

    private Task FailAsync(McpRequest request, WeirException e)
    {
        if (e.Code == ErrorCode.Unauthenticated && request.Scope.Principal.Key is { } key)
        {
            seenKeys.Remove(key.Id, key.SecretHash);
        }

        return errors.FailAsync(request, e);
    }

    /// <summary>A request whose message was not read, or which has none.</summary>
    private static McpRequest Nameless(HttpContext http, McpScope scope) =>
        new(http, scope, default, new ClientMessage { Kind = MessageKind.Request, Method = "" });

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

            if (!forwarder.IsElsewhere(http.Request, session.Replica))
            {
                using var there = upstreamSessions.Hold(session.Id);
                await subscriptions.StreamAsync(http, scope, session);
            }
            else if (!await forwarder.TryAsync(http, default, session.Replica))
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
            await forwarder.NotifyReplicasAsync(http, default);
            states.End(session);
            await upstreamSessions.EndAsync(session.Id, http.RequestAborted);
            http.Response.StatusCode = StatusCodes.Status204NoContent;
        }
    }

    private async Task DispatchAsync(McpRequest request)
    {
        var headerVersion = request.Http.Request.Headers[Protocol.VersionHeader].ToString() is { Length: > 0 } v ? v : null;
        if (ModernChecks.IsModern(request.Message, headerVersion))
        {
            await DispatchModernAsync(request);
        }
        else
        {
            await DispatchLegacyAsync(request);
        }
    }

    private async Task DispatchModernAsync(McpRequest request)
    {
        request.Modern = true;
        if (ModernChecks.Check(request.Message, request.Http.Request.Headers) is { } refusal)
        {
            await refused.RefuseAsync(request, refusal);
            return;
        }

        if (request.Message.Kind != MessageKind.Request)
        {
            request.Http.Response.StatusCode = StatusCodes.Status202Accepted;
            return;
        }

        request.SessionAffinity = "agent:" + request.Scope.Principal.Name;
        await (request.Message.Method switch
        {
            Methods.Discover => methods.DiscoverAsync(request),
            Methods.Listen => ListenAsync(request),
            _ => AnswerAsync(request),
        });
    }

    /// <summary>What both eras have.</summary>
    private Task AnswerAsync(McpRequest request) => request.Message.Method switch
    {
        Methods.ToolsCall => calls.CallToolAsync(request),
        Methods.ToolsList or Methods.PromptsList or Methods.ResourcesList or Methods.ResourceTemplatesList => lists.ListAsync(request),
        Methods.PromptsGet => calls.GetPromptAsync(request),
        Methods.ResourcesRead => calls.ReadResourceAsync(request),
        Methods.Complete => calls.CompleteAsync(request),
        _ =>
            McpErrors.RefuseAsync(
                request.Http, new Refusal(request.Modern ? 404 : 200, RpcCodes.MethodNotFound, "Method not found"), request.Id),
    };

    private async Task ListenAsync(McpRequest request)
    {
        if (!request.AcceptsEvents)
        {
            await refused.RefuseAsync(request, NoStream);
            return;
        }

        try
        {
            await subscriptions.ListenAsync(request);
        }
        catch (WeirException e) when (e.Code == ErrorCode.RateLimited)
        {
            await refused.RecordAsync(request.Http, request.Scope, request.Body, Methods.Listen, "limit");
            throw;
        }
    }

    private async Task DispatchLegacyAsync(McpRequest request)
    {
        if (request.Message is { Kind: MessageKind.Request, Method: Methods.Initialize })
        {
            await methods.InitializeAsync(request);
            return;
        }

        if (await OpenSessionAsync(request.Http, request.Scope) is not { } session)
        {
            return;
        }

        (request.Session, request.SessionAffinity) = (session, session.Id);
        if (request.Message.Kind != MessageKind.Request)
        {
            await HandleNotificationAsync(request, session);
            return;
        }

        if (request.Message.Method is Methods.Subscribe or Methods.Unsubscribe
            && forwarder.IsElsewhere(request.Http.Request, session.Replica))
        {
            if (!await forwarder.TryAsync(request.Http, request.Body, session.Replica))
            {
                await McpErrors.RefuseAsync(request.Http, Gone, request.Id);
            }

            return;
        }

        await (request.Message.Method switch
        {
            Methods.Ping => methods.PingAsync(request),
            Methods.SetLevel => methods.SetLevelAsync(request),
            Methods.Subscribe => subscriptions.SubscribeAsync(request),
            Methods.Unsubscribe => subscriptions.UnsubscribeAsync(request),
            _ => AnswerAsync(request),
        });
    }

    /// <summary>
    /// What a legacy client says unasked, or answers to a server: for the replica that asked, or, of a call, for whichever runs it.
    /// </summary>
    private async Task HandleNotificationAsync(McpRequest request, Session session)
    {
        if (request.Message.Kind == MessageKind.Response)
        {
            if (ClientResponses.AskedBy(request.Body, request.Message) is { } replica
                && forwarder.IsElsewhere(request.Http.Request, replica)
                && await forwarder.TryAsync(request.Http, request.Body, replica))
            {
                return;
            }

            answers.Handle(session.Id, request.Body, request.Message);
        }
        else if (request.Message.Method == Methods.Cancelled && !calls.TryCancel(request))
        {
            await forwarder.NotifyReplicasAsync(request.Http, request.Body);
        }

        request.Http.Response.StatusCode = StatusCodes.Status202Accepted;
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

    private static readonly Refusal NoStream =
        new(406, RpcCodes.InvalidRequest, "Accept excludes text/event-stream, which this answer is.");

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
