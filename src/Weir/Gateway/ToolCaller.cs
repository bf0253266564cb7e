using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using Weir.Audit;
using Weir.Errors;
using Weir.Identity;
using Weir.Mcp;
using Weir.Upstream;

namespace Weir.Gateway;

/// <summary>One tool call as its caller wants it, whichever way it came in.</summary>
internal sealed record ToolCall
{
    public required Principal Principal { get; init; }

    /// <summary>Null on <c>/mcp</c>; the instance's name where the endpoint is one server.</summary>
    public string? InstanceName { get; init; }

    /// <summary>The name that the caller used.</summary>
    public required string ExposedName { get; init; }

    /// <summary>The request's bytes; <see cref="Envelope"/> points into them.</summary>
    public required ReadOnlyMemory<byte> Body { get; init; }

    public required Envelope Envelope { get; init; }

    /// <summary>What ties the rows of one request together: the JSON-RPC id, or the chat turn.</summary>
    public required string RequestId { get; init; }

    /// <summary>Whose upstream session it uses where the instance shares none.</summary>
    public required string Affinity { get; init; }

    /// <summary>How long the server may take, where that is less than <c>mcp.callTimeoutSeconds</c>.</summary>
    public TimeSpan? Deadline { get; init; }
}

/// <summary>Takes what a server says while a call runs. One implementation writes HTTP, the other collects for a chat turn.</summary>
internal interface ICallResponder
{
    /// <summary>A notification that belongs to this call.</summary>
    ValueTask NotifyAsync(UpstreamMessage message, CancellationToken ct);

    /// <summary>The response, a result or an error; the last thing said.</summary>
    ValueTask FinishAsync(UpstreamMessage message, UpstreamSession session, CancellationToken ct);
}

/// <summary>The life of one tool call, the hot path.</summary>
internal sealed class ToolCaller(
    AgentCatalogs catalogs,
    AdmissionQueue admissions,
    CompletionQueue completions,
    UpstreamSessions sessions,
    UpstreamClient upstream,
    Func<Guid, string?> nodeKey,
    TimeSpan deadline,
    TimeProvider time)
{
    /// <summary>How often a call is tried again when a permission was being changed in the very moment, and how long after.</summary>
    private static readonly TimeSpan[] ChangingRetries = [TimeSpan.FromMilliseconds(20), TimeSpan.FromMilliseconds(60), TimeSpan.FromMilliseconds(180)];

    /// <summary>
    /// Runs the call. The key was presented (1) and the envelope read (2) before:
    /// (3) resolve the name, as a hint; (4) admit: one statement decides and records; (5) bind the credential: no instance has
    /// one yet, so none is sent; (6) forward; (7) complete, without waiting.
    /// </summary>
    /// <exception cref="WeirException">The call was denied, or could not be decided; nothing was forwarded.</exception>
    /// <exception cref="CallFailedException">It was forwarded and failed on the way.</exception>
    /// <exception cref="OperationCanceledException">The caller went away; recorded as cancelled.</exception>
    public async Task RunAsync(ToolCall call, ICallResponder responder, CancellationToken ct)
    {
        // 3. Resolve.
        var tool = catalogs.Find(call.Principal, call.InstanceName)?.FindTool(call.ExposedName);
        var catalog = tool is null
            ? await catalogs.LoadAsync(call.Principal, call.InstanceName, ct)
            : catalogs.Find(call.Principal, call.InstanceName);
        tool ??= catalog?.FindTool(call.ExposedName);

        // 4. Admit.
        var (request, decision) = await AdmitAsync(call, tool, catalog);
        if (!decision.Admitted)
        {
            throw Denials.ToException(decision, call.ExposedName);
        }

        // 5. Bind the credential: instances have none in this release.

        // 6. Forward, and 7. complete whatever comes of it.
        var run = new CallRun(request, completions, time);
        try
        {
            var target = Target(decision);
            await ForwardAsync(call, tool!.Name, target, decision.Share!, responder, run, ct);
        }
        catch (CallFailedException e)
        {
            run.Complete(e.Outcome, e.Code.Sqlstate());
            throw;
        }
        catch (OperationCanceledException)
        {
            run.Complete(Outcomes.Cancelled, errorCode: null);
            throw;
        }
        catch (Exception)
        {
            run.Complete(Outcomes.UpstreamError, ErrorCode.Internal.Sqlstate());
            throw;
        }
    }

    private async Task<(CallRequest Request, Decision Decision)> AdmitAsync(ToolCall call, CatalogItem? tool, AgentCatalog? catalog)
    {
        if (completions.IsFull)
        {
            throw new WeirException(ErrorCode.Unavailable, "Too many outcomes wait for the record; no call is admitted.", "Retry in a moment.");
        }

        var hash = SHA256.HashData(call.Body.Span);
        var copy = Redaction.Copy(call.Envelope.Params.Exists ? call.Envelope.Params.Of(call.Body.Span) : "{}"u8);
        var arguments = call.Envelope.Arguments.Exists ? Encoding.UTF8.GetString(call.Envelope.Arguments.Of(call.Body.Span)) : null;
        for (var attempt = 1; ; attempt++)
        {
            var request = new CallRequest(
                CallKey.At(time.GetUtcNow()),
                catalog?.OrganizationId,
                call.Principal,
                CallKinds.Tool,
                tool?.InstanceId,
                tool?.Name ?? call.ExposedName,
                arguments,
                call.RequestId,
                attempt,
                call.Body.Length,
                hash,
                copy);
            var decision = await admissions.DecideAsync(request);
            if (decision.Reason != "changing" || attempt > ChangingRetries.Length)
            {
                return (request, decision);
            }

            await Task.Delay(ChangingRetries[attempt - 1], time);
        }
    }

    private UpstreamTarget Target(Decision decision)
    {
        var name = decision.InstanceName ?? "";
        if (!Uri.TryCreate(decision.EndpointUrl, UriKind.Absolute, out var endpoint))
        {
            throw CallFailedException.Unreachable(name, "has no endpoint");
        }

        if (decision.NodeId is not { } node)
        {
            return new UpstreamTarget(decision.InstanceId!.Value, name, endpoint, NodeKey: null);
        }

        var key = nodeKey(node) ?? throw CallFailedException.Unreachable(name, "runs on a node that this replica does not know yet");
        return new UpstreamTarget(decision.InstanceId!.Value, name, endpoint, key);
    }

    private async Task ForwardAsync(ToolCall call, string toolName, UpstreamTarget target, string share, ICallResponder responder, CallRun run, CancellationToken ct)
    {
        var patience = call.Deadline is { } shorter && shorter < deadline ? shorter : deadline;
        using var timeout = new CancellationTokenSource(patience, time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(ct, timeout.Token);
        var affinity = share == "session" ? call.Affinity : "";
        try
        {
            // A session that the server has lost did not run the call: it is opened anew, once.
            if (!await TryForwardAsync(call, toolName, target, affinity, responder, run, linked.Token)
                && !await TryForwardAsync(call, toolName, target, affinity, responder, run, linked.Token))
            {
                throw CallFailedException.Unreachable(target.InstanceName, "lost its session twice");
            }
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested && !ct.IsCancellationRequested)
        {
            throw CallFailedException.TimedOut(target.InstanceName, patience);
        }
        catch (UpstreamException e)
        {
            throw CallFailedException.Of(target.InstanceName, e);
        }
        catch (Exception e) when (e is System.Text.Json.JsonException or InvalidOperationException)
        {
            // Something inside the answer is not what it must be, and was only met while it was rewritten.
            throw CallFailedException.Of(target.InstanceName, new UpstreamException(UpstreamFailure.Nonsense, "Its answer could not be read.", e));
        }
    }

    /// <summary>False when the server did not know the session.</summary>
    private async Task<bool> TryForwardAsync(ToolCall call, string toolName, UpstreamTarget target, string affinity, ICallResponder responder, CallRun run, CancellationToken ct)
    {
        var session = await sessions.GetAsync(target, affinity, ct);
        var id = session.NextId();
        var body = ForwardedBody.Build(call.Body, call.Envelope, id, toolName, session.IsModern);
        using var exchange = await upstream.PostAsync(session, Methods.ToolsCall, toolName, body, ct);
        if ((exchange.Status == 404 && session.SessionId is not null) || (exchange.Status is 401 or 403 && target.IsNode))
        {
            sessions.Forget(session, affinity);
            return false;
        }

        await foreach (var message in exchange.ReadAsync(id, ct))
        {
            switch (message.Outline.Kind)
            {
                case MessageKind.Notification:
                    await responder.NotifyAsync(message, ct);
                    break;
                case MessageKind.Response:
                    RequireAnswerFor(call, message);
                    run.Complete(message);
                    await responder.FinishAsync(message, session, ct);
                    return true;
                default:
                    // Weir declared no client capabilities, so a server that asks something breaks the protocol.
                    throw new UpstreamException(UpstreamFailure.Nonsense, "The server asked the client something that the client did not offer.");
            }
        }

        throw new UpstreamException(UpstreamFailure.Nonsense, "The server ended its answer without a response.");
    }

    /// <summary>A result that asks for more input can only be relayed to a modern caller; a legacy one would take it for an empty answer.</summary>
    private static void RequireAnswerFor(ToolCall call, UpstreamMessage message)
    {
        if (message.Outline.ResultType is not (null or "complete") && call.Envelope.MetaVersion is null)
        {
            throw new UpstreamException(UpstreamFailure.Nonsense, "The server asked the client for input that the client did not offer.");
        }
    }

    /// <summary>An admitted call until its outcome is on its way into the record, which happens once.</summary>
    private sealed class CallRun(CallRequest request, CompletionQueue completions, TimeProvider time)
    {
        private readonly long _started = time.GetTimestamp();
        private bool _done;

        public void Complete(UpstreamMessage response)
        {
            var outcome = response.Outline.Error.Exists ? Outcomes.ProtocolError : response.Outline.IsToolError ? Outcomes.ToolError : Outcomes.Ok;
            Add(outcome, errorCode: null, response.Bytes);
        }

        public void Complete(string outcome, string? errorCode) => Add(outcome, errorCode, default);

        private void Add(string outcome, string? errorCode, ReadOnlyMemory<byte> response)
        {
            if (_done)
            {
                return;
            }

            var hash = response.IsEmpty ? null : SHA256.HashData(response.Span);
            var copy = response.IsEmpty ? null : Redaction.Copy(response.Span);
            _done = true;
            completions.Add(new Completion(
                request.Key,
                outcome,
                errorCode,
                (long)time.GetElapsedTime(_started).TotalMicroseconds,
                response.Length,
                hash,
                copy));
        }
    }
}
