using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Weir.Configuration;
using Weir.Errors;
using Weir.Gateway.Forwarding;
using Weir.Gateway.Names;
using Weir.Gateway.Questions;
using Weir.Mcp;

namespace Weir.Gateway.Endpoint;

/// <summary>The methods that a server answers: each is one governed call.</summary>
internal sealed class McpCalls(
    GovernedCaller caller,
    CallTargets targets,
    ParkedCalls parked,
    ClientAnswers answers,
    SessionStates states,
    Handover handover,
    RefusedRequests refused,
    ToolSearch search,
    McpErrors errors,
    int maxDepth,
    TimeSpan inputPatience,
    TimeProvider time,
    ILogger<McpCalls> logger)
{
    /// <summary>No server has longer names.</summary>
    private const int MaxName = 256;
    private const int MaxUri = 2048;

    public Task CallToolAsync(McpExchange exchange) => exchange.Scope.IsSearch && exchange.Envelope.Name is ToolSearch.FindTools or ToolSearch.CallTool
        ? SearchAsync(exchange)
        : CallAsync(exchange, CallKinds.Tool, exchange.Envelope.Name);

    public Task GetPromptAsync(McpExchange exchange) => CallAsync(exchange, CallKinds.Prompt, exchange.Envelope.Name);

    public Task ReadResourceAsync(McpExchange exchange) => CallAsync(exchange, CallKinds.Resource, exchange.Envelope.Uri);

    /// <summary>A completion is permitted to whoever may get the prompt or read the template that it is about.</summary>
    public Task CompleteAsync(McpExchange exchange)
    {
        var (kind, name) = ReadReference(exchange);
        return CallAsync(exchange, kind, name);
    }

    /// <summary>A legacy client takes a request back; false when it is not answered here.</summary>
    public bool TryCancel(McpExchange exchange)
    {
        if (exchange.Envelope.Subject.Exists
            && states.Find(exchange.Session!)?.Calls.TryGetValue(
                RpcIds.KeyOf(exchange.Envelope.Subject.Of(exchange.Body.Span)), out var call) == true)
        {
            call.Cancel();
            return true;
        }

        return false;
    }

    public GovernedCall Call(McpExchange exchange, string kind, string name) => new()
    {
        Principal = exchange.Scope.Principal,
        InstanceName = exchange.Scope.InstanceName,
        Kind = kind,
        ExposedName = name,
        Body = exchange.Body,
        Envelope = exchange.Envelope,
        RequestId = Encoding.UTF8.GetString(exchange.Id),
        Affinity = exchange.Affinity,
        // A legacy client is asked on the stream of its call, and gets none where it accepts none.
        Offered = exchange.Modern || exchange.AcceptsEvents ? exchange.Offered : ClientCapabilities.None,
        LogLevel = exchange.Session is { } session
            ? states.Find(session)?.LogLevel
            : LogLevels.IsKnown(exchange.Envelope.LogLevel) ? exchange.Envelope.LogLevel : null,
    };

    private async Task SearchAsync(McpExchange exchange)
    {
        if (exchange.Envelope.Name == ToolSearch.FindTools)
        {
            await search.FindAsync(exchange);
        }
        else if (ToolSearch.Unwrap(exchange, maxDepth) is { } call)
        {
            await CallAsync(call, CallKinds.Tool, call.Envelope.Name);
        }
        else
        {
            await refused.RefuseAsync(exchange, new Refusal(
                exchange.Modern ? 400 : 200, RpcCodes.InvalidParams, "call_tool needs name, a text, and arguments, an object."));
        }
    }

    private async Task CallAsync(McpExchange exchange, string kind, string? name)
    {
        if (name is not { Length: > 0 } || name.Length > (kind == CallKinds.Resource ? MaxUri : MaxName))
        {
            await refused.RefuseAsync(exchange, new Refusal(
                exchange.Modern ? 400 : 200, RpcCodes.InvalidParams, "What is asked for is not named, or its name is too long."));
            return;
        }

        var call = Call(exchange, kind, name);
        if (await TryElsewhereAsync(exchange, call))
        {
            return;
        }

        if (exchange.Modern && kind == CallKinds.Tool && await MismatchAsync(exchange, call) is { } header)
        {
            await refused.RefuseAsync(exchange, new Refusal(400, RpcCodes.HeaderMismatch, $"The header {header} is missing, or differs from the body."));
            return;
        }

        await using var responder = new HttpCallResponder(exchange, call, answers, inputPatience, () => parked.SealFresh(call));
        responder.KeepAlive(time);
        try
        {
            await (exchange.Session is { } session ? RunLegacyAsync(exchange, session, call, responder) : RunModernAsync(exchange, call, responder));
        }
        catch (CallFailedException e)
        {
            await responder.StopWaitingAsync();
            await McpErrors.FailCallAsync(exchange, responder, e);
        }
        catch (WeirException e)
        {
            await responder.StopWaitingAsync();
            await errors.FailAsync(exchange, e, responder);
        }
        catch (OperationCanceledException)
        {
            // The client went away, or took its request back, and waits for nothing.
            await responder.StopWaitingAsync();
            logger.LogDebug("A client no longer waits for {Method} of {Name}.", exchange.Envelope.Method, name);
            if (!responder.HasStarted)
            {
                EventStream.Begin(exchange.Http.Response);
            }
        }
        catch (Exception e) when (!exchange.Aborted.IsCancellationRequested)
        {
            await responder.StopWaitingAsync();
            if (!responder.HasStarted)
            {
                throw;
            }

            await errors.FailAsync(exchange, new WeirException(ErrorCode.Internal, "Something went wrong in Weir; its log says what.", hint: null, e), responder);
        }
    }

    /// <summary>The first header that does not repeat the argument that it must; null: none.</summary>
    private async Task<string?> MismatchAsync(McpExchange exchange, GovernedCall call)
    {
        var (_, target) = await targets.ResolveAsync(call, exchange.Aborted);
        var headers = exchange.Http.Request.Headers;
        return ParamHeaders.Mismatch(
            await targets.ParamHeadersAsync(target, exchange.Aborted),
            call.Envelope.Arguments.Of(call.Body),
            name => headers.TryGetValue(name, out var values) ? values.ToString() : null);
    }

    /// <summary>
    /// A call that only another replica can carry: the retry of one that is parked there, or one of a legacy session at a server that
    /// keeps a state for each, which is where that session began.
    /// </summary>
    private async Task<bool> TryElsewhereAsync(McpExchange exchange, GovernedCall call)
    {
        if (exchange.Session is not { } session)
        {
            return parked.Read(call) is { IsParked: true } ticket && handover.IsElsewhere(exchange.Http.Request, ticket.Replica)
                && (await handover.TryAsync(exchange.Http, exchange.Body, ticket.Replica) ? true : throw ParkedCalls.Unknown());
        }

        if (!handover.IsElsewhere(exchange.Http.Request, session.Replica))
        {
            return false;
        }

        var (catalog, target) = await targets.ResolveAsync(call, exchange.Aborted);
        return catalog.Instances.Any(i => i.Id == target?.InstanceId && i.Share == "session")
            && await handover.TryAsync(exchange.Http, exchange.Body, session.Replica);
    }

    /// <summary>A modern client that goes away cancels. Where it offers something that a server may ask for, the call may be parked.</summary>
    private async Task RunModernAsync(McpExchange exchange, GovernedCall call, HttpCallResponder responder)
    {
        var ticket = parked.Read(call);
        if (ticket is { IsParked: true })
        {
            await parked.ResumeAsync(ticket, call, responder, exchange.Aborted);
            return;
        }

        if (ticket is not null)
        {
            call = call with { Envelope = call.Envelope with { RequestState = null, InputResponses = default } };
        }

        if (call.Offered.AreNone)
        {
            await caller.RunAsync(call, responder, exchange.Aborted);
        }
        else
        {
            await parked.RunAsync(call, responder, exchange.Aborted);
        }
    }

    /// <summary>A legacy client that goes away may have lost its connection only, and the call goes on, until the client says otherwise.</summary>
    private async Task RunLegacyAsync(McpExchange exchange, Session session, GovernedCall call, HttpCallResponder responder)
    {
        using var cancelled = new CancellationTokenSource();
        var calls = states.Of(session).Calls;
        var key = RpcIds.KeyOf(exchange.Id);
        if (!calls.TryAdd(key, cancelled))
        {
            await refused.RefuseAsync(exchange, new Refusal(200, RpcCodes.InvalidRequest, "A request with this id is still being answered."));
            return;
        }

        try
        {
            await caller.RunAsync(call, responder, cancelled.Token);
        }
        finally
        {
            calls.TryRemove(new KeyValuePair<string, CancellationTokenSource>(key, cancelled));
        }
    }

    private static (string Kind, string? Name) ReadReference(McpExchange exchange)
    {
        if (!exchange.Envelope.Params.Exists)
        {
            return (CallKinds.Prompt, null);
        }

        using var document = JsonDocument.Parse(exchange.Envelope.Params.Of(exchange.Body), new JsonDocumentOptions { MaxDepth = JsonDepth.Message });
        if (!document.RootElement.TryGetProperty("ref", out var reference) || reference.ValueKind != JsonValueKind.Object)
        {
            return (CallKinds.Prompt, null);
        }

        return Text(reference, "type") switch
        {
            "ref/prompt" => (CallKinds.Prompt, Text(reference, "name")),
            "ref/resource" => (CallKinds.Resource, Text(reference, "uri")),
            _ => (CallKinds.Prompt, null),
        };
    }

    private static string? Text(JsonElement json, string member) =>
        json.TryGetProperty(member, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
