using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Weir.Audit;
using Weir.Errors;
using Weir.Gateway.Admission;
using Weir.Gateway.AgentTools;
using Weir.Gateway.Calls;
using Weir.Gateway.Forwarding;
using Weir.Gateway.Limits;
using Weir.Gateway.ServerRequests;
using Weir.Gateway.Watching;
using Weir.Mcp;
using Weir.Upstream;

namespace Weir.Gateway;

/// <summary>The life of one call, the hot path: a tool call, and whatever else a server answers.</summary>
internal sealed class GovernedCaller(
    CallTargets targets,
    CallConcurrencyLimiter connections,
    CallRateLimiter rates,
    AdmissionQueue admissions,
    CompletionQueue completions,
    Switches switches,
    UpstreamSessions sessions,
    UpstreamClient upstream,
    ServerResilience guards,
    InstanceWatches watches,
    Func<Guid, string?> nodeKey,
    Action<Guid> nodeSuspected,
    Func<Guid, Task> listChanged,
    CallLimits limits,
    ByteBudget budget,
    TimeProvider time,
    ILogger<GovernedCaller> logger)
{
    /// <summary>How often a call is tried again when a permission was being changed in the very moment, and how long after.</summary>
    private static readonly TimeSpan[] ChangingRetries = [
        TimeSpan.FromMilliseconds(20), TimeSpan.FromMilliseconds(60), TimeSpan.FromMilliseconds(180),
    ];

    /// <summary>How often a modern server may ask for more input in one call of a legacy client.</summary>
    private const int MaxRounds = 10;

    /// <summary>
    /// While it waits, a request is held as its body and as the text of its arguments, in which a character has two bytes.
    /// </summary>
    private const long CopiesOfRequest = 3;

    /// <summary>How long a server that is told of a cancellation may take to hear it.</summary>
    private static readonly TimeSpan CancelTimeout = TimeSpan.FromSeconds(2);

    /// <summary>
    /// Runs the call. The key was presented (1) and the message read (2) before:
    /// (3) resolve the name, as a hint; (4) admit: one statement decides and records; (5) bind the credential: no instance has
    /// one yet, so none is sent; (6) forward; (7) complete, without waiting.
    /// </summary>
    /// <exception cref="WeirException">The call was denied, or could not be decided; nothing was forwarded.</exception>
    /// <exception cref="CallFailedException">It was forwarded and failed on the way.</exception>
    /// <exception cref="OperationCanceledException">The caller went away; recorded as cancelled.</exception>
    public async Task RunAsync(GovernedCall call, ICallResponder responder, CancellationToken ct)
    {
        // 3. and 4.
        using var admitted = await AdmitAsync(call, ct);

        // 5. Bind the credential: instances have none in this release.

        // 6. Forward, and 7. complete whatever comes of it.
        await CompleteAsync(admitted, outcome => ForwardAsync(call, admitted, responder, outcome, ct));
    }

    /// <summary>Steps 3 and 4: the call is resolved, decided and recorded, and counts among the open ones until it is disposed.</summary>
    /// <exception cref="WeirException">It was denied, or could not be decided.</exception>
    public async Task<AdmittedCall> AdmitAsync(GovernedCall call, CancellationToken ct)
    {
        // 3. Resolve.
        var (tools, target) = await targets.ResolveAsync(call, ct);

        // 4. Admit. Registered before it is decided, so that no stop is missed in between. A call that waits to be decided counts among the
        // open ones, with its bytes; one too many is denied there, and recorded.
        var work = switches.Register(tools.OrganizationId, tools.AgentId, target?.InstanceId);
        IDisposable? open = null;
        ByteAccount? held = null;
        try
        {
            open = rates.TryAcquire(tools) ? connections.TryAcquire(tools) : null;
            held = budget.Open(tools.OrganizationId, long.MaxValue);
            var isOverBytes = held.TryTake(call.Body.Length * CopiesOfRequest) is null;
            var (request, decision) = await DecideAsync(call, target, tools, isAtLimit: open is null, isOverBytes);
            return decision.Admitted
                ? new AdmittedCall(
                    decision, target!, new CallOutcome(request, completions, time), open, held, budget.Open(tools.OrganizationId), work,
                    tools.TimeoutOf(target!.InstanceId))
                : throw Denials.ToException(decision, call);
        }
        catch
        {
            open?.Dispose();
            held?.Dispose();
            work.Dispose();
            throw;
        }
    }

    /// <summary>Step 7 around whatever is done for an admitted call: its outcome goes into the audit log, whatever it is.</summary>
    public static async Task CompleteAsync(AdmittedCall admitted, Func<CallOutcome, Task> act)
    {
        var outcome = admitted.Outcome;
        try
        {
            await act(outcome);
        }
        catch (CallFailedException e)
        {
            e.MayHaveArrived |= outcome.MayHaveArrived;
            outcome.Complete(e.Outcome, e.Code.Sqlstate());
            throw;
        }
        catch (OperationCanceledException)
        {
            outcome.Complete(Outcomes.Cancelled, errorCode: null);
            throw;
        }
        catch (Exception)
        {
            outcome.Complete(Outcomes.UpstreamError, ErrorCode.Internal.Sqlstate());
            throw;
        }
    }

    /// <summary>Where an admitted call goes.</summary>
    /// <exception cref="CallFailedException">Nowhere: its endpoint or node is not known.</exception>
    public UpstreamTarget TargetOf(AdmittedCall admitted)
    {
        var decision = admitted.Decision;
        var name = decision.InstanceName ?? "";
        if (!Uri.TryCreate(decision.EndpointUrl, UriKind.Absolute, out var endpoint))
        {
            throw CallFailedException.Unreachable(name, "has no endpoint");
        }

        if (decision.NodeId is not { } node)
        {
            return Target(endpoint, key: null);
        }

        var key = nodeKey(node) ?? throw CallFailedException.Unreachable(name, "runs on a node that this replica does not know yet");
        return Target(endpoint, key);

        UpstreamTarget Target(Uri endpoint, string? key) => new(decision.InstanceId!.Value, name, endpoint, key)
        {
            Resets = decision.Resets,
            ChargedTo = decision.OrganizationId ?? decision.InstanceId!.Value,
        };
    }

    /// <param name="isOverBytes">Its organization holds as many bytes as it may: the call is denied, and waits without its
    /// arguments.</param>
    private async Task<(AdmissionRequest Request, Decision Decision)> DecideAsync(
        GovernedCall call, CallTarget? target, AgentToolSet tools, bool isAtLimit, bool isOverBytes)
    {
        if (completions.IsFull)
        {
            throw new WeirException(
                ErrorCode.Unavailable, "Too many outcomes wait to be recorded; no call is admitted.", "Retry in a moment.");
        }

        var hash = SHA256.HashData(call.Body.Span);
        var copy = Redaction.Copy(call.Message.Params.Exists ? call.Message.Params.Of(call.Body.Span) : "{}"u8);
        var arguments = call.Message.Arguments.Exists && !isOverBytes
            ? Encoding.UTF8.GetString(call.Message.Arguments.Of(call.Body.Span)) : null;
        var item = target?.Item ?? call.ExposedName;
        for (var attempt = 1; ; attempt++)
        {
            var request = new AdmissionRequest(
                CallKey.At(time.GetUtcNow()),
                tools.OrganizationId,
                call.Principal,
                call.DecidedAs(item),
                target?.InstanceId,
                item,
                arguments,
                call.RequestId,
                attempt,
                call.Body.Length,
                hash,
                copy)
            {
                IsAtLimit = isAtLimit || isOverBytes,
                InstanceName = target is null ? call.InstanceName : null,
            };
            var decision = await admissions.DecideAsync(request);
            if (decision.Reason != "changing" || attempt > ChangingRetries.Length)
            {
                return (request, decision);
            }

            await Task.Delay(ChangingRetries[attempt - 1], time);
        }
    }

    private async Task ForwardAsync(
        GovernedCall call, AdmittedCall admitted, ICallResponder responder, CallOutcome outcome, CancellationToken ct)
    {
        var target = TargetOf(admitted);
        var most = call.Deadline is { } shorter && shorter < limits.Most ? shorter : limits.Most;
        using var deadline = new PausableDeadline(admitted.Timeout ?? limits.Usual, most, time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource([ct, deadline.Over, limits.Stopped, admitted.Switch.Off]);
        try
        {
            var (message, session) =
                await guards.RunAsync(target, () => AskInTimeAsync(call, admitted, target, responder, deadline, linked.Token, ct));
            outcome.Complete(message);
            await responder.FinishAsync(message, session, linked.Token);
        }
        catch (UpstreamException e)
        {
            NoteUnreachable(admitted.Decision, e);
            throw CallFailedException.Of(target.InstanceName, e);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Something inside the answer is not what it must be, and was only met while it was rewritten.
            throw CallFailedException.Of(
                target.InstanceName, new UpstreamException(UpstreamFailure.Nonsense, "Its answer could not be read.", e));
        }
    }

    /// <summary>
    /// The call met a closed port, a connection that broke, or an address that Weir refuses by now: its server's state may not be true any
    /// more, and is looked at.
    /// </summary>
    private void NoteUnreachable(Decision decision, UpstreamException e)
    {
        if (e.Failure == UpstreamFailure.Unreachable && decision.NodeId is { } node)
        {
            nodeSuspected(node);
        }
        else if (e.Cause.MeansNobodyThere() || e.Cause.IsRefusedByWeir())
        {
            _ = LookSoonAsync(decision.InstanceId!.Value);
        }
    }

    private async Task LookSoonAsync(Guid instanceId) =>
        await listChanged(instanceId).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    /// <exception cref="CallFailedException">The server did not answer in time.</exception>
    private async Task<(UpstreamMessage Message, UpstreamSession Session)> AskInTimeAsync(
        GovernedCall call, AdmittedCall admitted, UpstreamTarget target, ICallResponder responder, PausableDeadline deadline,
        CancellationToken either, CancellationToken ct)
    {
        try
        {
            try
            {
                return await AskUntilAnsweredAsync(call, admitted, target, responder, deadline, either);
            }
            catch (UpstreamException e) when (e.Failure == UpstreamFailure.Unreachable && call.Message.Method != Methods.ToolsCall)
            {
                // What only reads may be asked twice. A tool call never is: it may have arrived.
                admitted.Messages.Clear();
                return await AskUntilAnsweredAsync(call, admitted, target, responder, deadline, either);
            }
        }
        catch (OperationCanceledException) when (admitted.Switch.IsOff && !ct.IsCancellationRequested)
        {
            throw CallFailedException.SwitchedOff(admitted.Outcome.MayHaveArrived);
        }
        catch (OperationCanceledException) when (deadline.IsOver && !ct.IsCancellationRequested)
        {
            throw CallFailedException.TimedOut(target.InstanceName, deadline.Missed, admitted.Outcome.MayHaveArrived);
        }
        catch (OperationCanceledException) when (limits.Stopped.IsCancellationRequested && !ct.IsCancellationRequested)
        {
            throw CallFailedException.TimedOut(
                target.InstanceName, "did not answer before this replica of Weir stopped", admitted.Outcome.MayHaveArrived);
        }
    }

    /// <summary>
    /// The server's last word. A modern server may ask for input in place of an answer: a modern caller is told so and comes again by
    /// itself; a legacy one is asked here, and the server gets the answers with the same call once more.
    /// </summary>
    private async Task<(UpstreamMessage Message, UpstreamSession Session)> AskUntilAnsweredAsync(
        GovernedCall call, AdmittedCall admitted, UpstreamTarget target, ICallResponder responder, PausableDeadline deadline,
        CancellationToken ct)
    {
        var input = default(InputForServer);
        for (var round = 0; round < MaxRounds; round++)
        {
            // What a lost session did not carry out, or only reads, is asked once more on a new one.
            var answered = await TryAskAsync(call, admitted, target, input, responder, deadline, mayRepeat: true, ct)
                ?? await TryAskAsync(call, admitted, target, input, responder, deadline, mayRepeat: false, ct)
                ?? throw CallFailedException.Unreachable(target.InstanceName, "lost its session twice", FailureCause.SessionLost);
            if (call.IsModern || answered.Message.Fields.ResultType is null or "complete")
            {
                return answered;
            }

            input = await InputForServer.AskAsync(call, answered.Message, responder, deadline, admitted.Messages, time, ct);
            admitted.Messages.Clear();
            admitted.Messages.Take(input.Responses.Length);
        }

        throw new UpstreamException(UpstreamFailure.Nonsense, $"The server asked for input {MaxRounds} times.");
    }

    /// <summary>
    /// One request and its response; null when the session was lost, and given up, and the request may be made once more: a tool call only
    /// where it was certainly not carried out.
    /// </summary>
    private async Task<(UpstreamMessage Message, UpstreamSession Session)?> TryAskAsync(
        GovernedCall call, AdmittedCall admitted, UpstreamTarget target, InputForServer input, ICallResponder responder,
        PausableDeadline deadline, bool mayRepeat, CancellationToken ct)
    {
        // Where many share one channel, nobody could tell whom the server asks; so nothing is offered there.
        var isOwn = admitted.Decision.Share == "session";
        var offered = isOwn || !target.IsNode ? call.Offered : ClientCapabilities.None;
        var sessionAffinity = isOwn ? call.SessionAffinity : "";
        var session = await sessions.GetAsync(target, sessionAffinity, offered, ct);
        using var use = session.Use();
        using var alive = CancellationTokenSource.CreateLinkedTokenSource(ct, session.Retired);
        var isRead = call.Message.Method != Methods.ToolsCall;
        var isSent = false;
        if (call is { IsModern: true, Message.RequestState: not null } && !session.IsModern)
        {
            // A legacy server gives no state, so this one was made or changed by somebody else.
            throw new CallFailedException(
                ErrorCode.InvalidArgument, Outcomes.ProtocolError, "requestState is not one that this server, or Weir, has given.");
        }

        var headers = session.IsModern
            ? ParamHeaders.Make(await targets.ParamHeadersAsync(admitted.Target, ct), call.Message.Arguments.Of(call.Body)) : [];
        var requests = new ServerRequestRelay(upstream, session, responder, deadline, admitted.Messages, time, logger, ct);
        var id = session.NextId();
        var body = ForwardedBody.Build(call, admitted.Item, session.IsModern, id, input);
        var done = false;
        var mayHaveArrived = admitted.Outcome.MayHaveArrived;
        try
        {
            await SessionLogs.SetLogLevelAsync(upstream, session, call.LogLevel, alive.Token);
            using var answering = isOwn && !target.IsNode
                ? await AnswerOnStreamAsync(session, sessionAffinity, requests, alive.Token) : null;
            isSent = admitted.Outcome.MayHaveArrived = true;
            var name = ForwardedBody.NameOf(call, admitted.Item);
            using var request = await upstream.PostAsync(session, call.Message.Method, name, body, alive.Token, headers, admitted.Messages);
            var message = await ReadResponseAsync(session, request, id, responder, requests, deadline, alive.Token);
            done = true;
            return SessionLoss.IsSaidBy(message, session) && sessions.GiveUp(session, sessionAffinity) && mayRepeat && isRead
                ? null : (message, session);
        }
        catch (UpstreamException e)
        {
            done = true;
            admitted.Outcome.MayHaveArrived = mayHaveArrived || (isSent && !e.NothingSent && !e.IsNotCarriedOut);
            var isReplaced = e.Failure == UpstreamFailure.SessionLost && sessions.GiveUp(session, sessionAffinity);
            if (isReplaced && mayRepeat && (isRead || !isSent || e.IsNotCarriedOut))
            {
                return null;
            }

            throw;
        }
        catch (OperationCanceledException e) when (session.IsRetired && !ct.IsCancellationRequested)
        {
            done = true;
            return mayRepeat && (isRead || !isSent)
                ? null : throw new UpstreamException(UpstreamFailure.SessionLost, "Its session was given up.", e);
        }
        finally
        {
            if (isSent && !done)
            {
                _ = CancelAsync(session, id);
            }
        }
    }

    /// <summary>
    /// Many legacy servers ask on the session's own stream and not on the call's. Where a session is one caller's, that stream is kept
    /// open, and what is asked there is put to the newest call's client. A node's servers have one channel, and ask on the call's.
    /// </summary>
    private async Task<IDisposable?> AnswerOnStreamAsync(
        UpstreamSession session, string sessionAffinity, ServerRequestRelay requests, CancellationToken ct)
    {
        if (session.IsModern || session.SessionId is null || session.Offered.AreNone)
        {
            return null;
        }

        var stream = session.Keep(() => watches.Subscribe(session.Target, sessionAffinity, session.Offered, uri: null, static () => { }));
        await watches.EstablishedAsync([stream], ct);
        return session.Answer(requests.Handle);
    }

    private async Task<UpstreamMessage> ReadResponseAsync(
        UpstreamSession session, UpstreamRequest request, long id, ICallResponder responder, ServerRequestRelay requests,
        PausableDeadline deadline,
        CancellationToken ct)
    {
        await foreach (var message in upstream.ReadAsync(session, request, id, ct))
        {
            switch (message.Fields.Kind)
            {
                case MessageKind.Response:
                    return message;
                case MessageKind.Request when session.IsModern:
                    throw new UpstreamException(
                        UpstreamFailure.Nonsense, "The server sent a request, which this version of the protocol does not have.");
                case MessageKind.Request:
                    requests.Handle(message);
                    break;
                case MessageKind.Notification when message.Fields.Method == Methods.Progress
                        && !(RpcIds.TryReadToken(message.Fields.ProgressToken.Of(message.Bytes.Span), out var token) && token == id):
                    // Of another call, or of none.
                    break;
                case MessageKind.Notification when message.Fields.Method == Methods.Progress:
                    deadline.Extend();
                    await responder.NotifyAsync(message, ct);
                    break;
                case MessageKind.Notification when message.Fields.Method == Methods.Cancelled:
                    requests.Withdraw(message);
                    break;
                case MessageKind.Notification when message.Fields.Method is Methods.ToolsListChanged
                        or Methods.PromptsListChanged or Methods.ResourcesListChanged:
                    await listChanged(session.Target.InstanceId);
                    break;
                default:
                    await responder.NotifyAsync(message, ct);
                    break;
            }
        }

        throw new UpstreamException(UpstreamFailure.Nonsense, "The server ended its answer without a response.");
    }

    /// <summary>Tells a legacy server that nobody waits any more; a modern one has seen its connection close.</summary>
    private async Task CancelAsync(UpstreamSession session, long id)
    {
        if (session.IsModern)
        {
            return;
        }

        using var deadline = new CancellationTokenSource(CancelTimeout, time);
        try
        {
            var body = Encoding.UTF8.GetBytes(
                $$"""{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":{{id}},"reason":"The client no longer """
                    + $$"""waits."} }""");
            await upstream.NotifyAsync(session, Methods.Cancelled, body, deadline.Token);
        }
        catch (Exception e) when (e is UpstreamException or OperationCanceledException)
        {
            logger.LogDebug(e, "Server {Instance} did not hear of a cancellation.", session.Target.InstanceName);
        }
    }
}
