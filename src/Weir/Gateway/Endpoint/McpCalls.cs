using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Weir.Configuration;
using Weir.Errors;
using Weir.Gateway.AgentTools;
using Weir.Gateway.Calls;
using Weir.Gateway.Http;
using Weir.Gateway.Parking;
using Weir.Gateway.ServerRequests;
using Weir.Http;
using Weir.Mcp;

namespace Weir.Gateway.Endpoint;

/// <summary>The methods that a server answers: each is one governed call.</summary>
internal sealed class McpCalls(
    GovernedCaller caller,
    CallTargets targets,
    ParkedCalls parked,
    ClientResponses answers,
    SessionStates states,
    ReplicaForwarder forwarder,
    RefusedRequests refused,
    ToolSearch search,
    McpErrors errors,
    int maxDepth,
    TimeSpan inputTimeout,
    TimeProvider time,
    ILogger<McpCalls> logger)
{
    /// <summary>No server has longer names.</summary>
    private const int MaxName = 256;
    private const int MaxUri = 2048;

    public Task CallToolAsync(McpRequest request) =>
        request.Scope.IsSearch && request.Message.Name is ToolSearch.FindTools or ToolSearch.CallTool
        ? SearchAsync(request)
        : CallAsync(request, CallKinds.Tool, request.Message.Name);

    public Task GetPromptAsync(McpRequest request) => CallAsync(request, CallKinds.Prompt, request.Message.Name);

    public Task ReadResourceAsync(McpRequest request) => CallAsync(request, CallKinds.Resource, request.Message.Uri);

    /// <summary>A completion is permitted to whoever may get the prompt or read the template that it is about.</summary>
    public Task CompleteAsync(McpRequest request)
    {
        var (kind, name) = ReadReference(request);
        return CallAsync(request, kind, name);
    }

    /// <summary>A legacy client takes a request back; false when it is not answered here.</summary>
    public bool TryCancel(McpRequest request)
    {
        if (request.Message.Subject.Exists
            && states.Find(request.Session!)?.Calls.TryGetValue(
                RpcIds.KeyOf(request.Message.Subject.Of(request.Body.Span)), out var call) == true)
        {
            call.Cancel();
            return true;
        }

        return false;
    }

    public GovernedCall Call(McpRequest request, string kind, string name) => new()
    {
        Principal = request.Scope.Principal,
        InstanceName = request.Scope.InstanceName,
        Kind = kind,
        ExposedName = name,
        Body = request.Body,
        Message = request.Message,
        RequestId = Encoding.UTF8.GetString(request.Id),
        SessionAffinity = request.SessionAffinity,
        // A legacy client is asked on the stream of its call, and gets none where it accepts none.
        Offered = request.Modern || request.AcceptsEvents ? request.Offered : ClientCapabilities.None,
        LogLevel = request.Session is { } session
            ? states.Find(session)?.LogLevel
            : LogLevels.IsKnown(request.Message.LogLevel) ? request.Message.LogLevel : null,
    };

    private async Task SearchAsync(McpRequest request)
    {
        if (request.Message.Name == ToolSearch.FindTools)
        {
            await search.FindAsync(request);
        }
        else if (ToolSearch.Unwrap(request, maxDepth) is { } call)
        {
            await CallAsync(call, CallKinds.Tool, call.Message.Name);
        }
        else
        {
            await refused.RefuseAsync(request, new Refusal(
                request.Modern ? 400 : 200, RpcCodes.InvalidParams, "call_tool needs name, a text, and arguments, an object."));
        }
    }

    private async Task CallAsync(McpRequest request, string kind, string? name)
    {
        if (name is not { Length: > 0 } || name.Length > (kind == CallKinds.Resource ? MaxUri : MaxName))
        {
            await refused.RefuseAsync(request, new Refusal(
                request.Modern ? 400 : 200, RpcCodes.InvalidParams, "What is asked for is not named, or its name is too long."));
            return;
        }

        var call = Call(request, kind, name);
        if (await TryElsewhereAsync(request, call))
        {
            return;
        }

        if (request.Modern && kind == CallKinds.Tool && await MismatchAsync(request, call) is { } header)
        {
            await refused.RefuseAsync(
                request, new Refusal(400, RpcCodes.HeaderMismatch, $"The header {header} is missing, or differs from the body."));
            return;
        }

        await using var responder = new HttpCallResponder(request, call, answers, inputTimeout, () => parked.SealFresh(call));
        responder.KeepAlive(time);
        try
        {
            await (request.Session is { } session
                ? RunLegacyAsync(request, session, call, responder) : RunModernAsync(request, call, responder));
        }
        catch (CallFailedException e)
        {
            await responder.StopWaitingAsync();
            await McpErrors.FailCallAsync(request, responder, e);
        }
        catch (WeirException e)
        {
            await responder.StopWaitingAsync();
            await errors.FailAsync(request, e, responder);
        }
        catch (OperationCanceledException)
        {
            // The client went away, or took its request back, and waits for nothing.
            await responder.StopWaitingAsync();
            logger.LogDebug("A client no longer waits for {Method} of {Name}.", request.Message.Method, name);
            if (!responder.HasStarted)
            {
                EventStream.Begin(request.Http.Response);
            }
        }
        catch (Exception e) when (!request.Aborted.IsCancellationRequested)
        {
            await responder.StopWaitingAsync();
            if (!responder.HasStarted)
            {
                throw;
            }

            await errors.FailAsync(request,
                new WeirException(ErrorCode.Internal, "Something went wrong in Weir; its log says what.", hint: null, e), responder);
        }
    }

    /// <summary>The first header that does not repeat the argument that it must; null: none.</summary>
    private async Task<string?> MismatchAsync(McpRequest request, GovernedCall call)
    {
        var (_, target) = await targets.ResolveAsync(call, request.Aborted);
        var headers = request.Http.Request.Headers;
        return ParamHeaders.Mismatch(
            await targets.ParamHeadersAsync(target, request.Aborted),
            call.Message.Arguments.Of(call.Body),
            name => headers.TryGetValue(name, out var values) ? values.ToString() : null);
    }

    /// <summary>
    /// A call that only another replica can carry: the retry of one that is parked there, or one of a legacy session at a server that
    /// keeps a state for each, which is where that session began.
    /// </summary>
    private async Task<bool> TryElsewhereAsync(McpRequest request, GovernedCall call)
    {
        if (request.Session is not { } session)
        {
            return parked.Read(call) is { IsParked: true } ticket && forwarder.IsElsewhere(request.Http.Request, ticket.Replica)
                && (await forwarder.TryAsync(request.Http, request.Body, ticket.Replica) ? true : throw ParkedCalls.Unknown());
        }

        if (!forwarder.IsElsewhere(request.Http.Request, session.Replica))
        {
            return false;
        }

        var (tools, target) = await targets.ResolveAsync(call, request.Aborted);
        return tools.Instances.Any(i => i.Id == target?.InstanceId && i.Share == "session")
            && await forwarder.TryAsync(request.Http, request.Body, session.Replica);
    }

    /// <summary>
    /// A modern client that goes away cancels. Where it offers something that a server may ask for, the call may be parked.
    /// </summary>
    private async Task RunModernAsync(McpRequest request, GovernedCall call, HttpCallResponder responder)
    {
        var ticket = parked.Read(call);
        if (ticket is { IsParked: true })
        {
            await parked.ResumeAsync(ticket, call, responder, request.Aborted);
            return;
        }

        if (ticket is not null)
        {
            call = call with { Message = call.Message with { RequestState = null, InputResponses = default } };
        }

        if (call.Offered.AreNone)
        {
            await caller.RunAsync(call, responder, request.Aborted);
        }
        else
        {
            await parked.RunAsync(call, responder, request.Aborted);
        }
    }

    /// <summary>
    /// A legacy client that goes away may have lost its connection only, and the call goes on, until the client says otherwise.
    /// </summary>
    private async Task RunLegacyAsync(McpRequest request, Session session, GovernedCall call, HttpCallResponder responder)
    {
        using var cancelled = new CancellationTokenSource();
        var calls = states.Of(session).Calls;
        var key = RpcIds.KeyOf(request.Id);
        if (!calls.TryAdd(key, cancelled))
        {
            await refused.RefuseAsync(
                request, new Refusal(200, RpcCodes.InvalidRequest, "A request with this id is still being answered."));
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

    private static (string Kind, string? Name) ReadReference(McpRequest request)
    {
        if (!request.Message.Params.Exists)
        {
            return (CallKinds.Prompt, null);
        }

        using var document =
            JsonDocument.Parse(request.Message.Params.Of(request.Body), new JsonDocumentOptions { MaxDepth = JsonDepth.Message });
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
