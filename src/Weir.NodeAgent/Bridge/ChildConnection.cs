using System.Collections.Concurrent;
using System.Text;
using Weir.NodeAgent.Processes;
using Weir.NodeAgent.State;
using Weir.Mcp;

namespace Weir.NodeAgent.Bridge;

/// <param name="message">A request or notification of the child's own, except pings and progress, which never come here.</param>
internal delegate void ServerMessageHandler(ChildConnection child, MessageParts parts, byte[] message);

/// <summary>
/// JSON-RPC with one child over its standard streams. Calls of many callers go side by side: each gets an id of this connection,
/// which is its progress token too, so that answers and progress find their way back whatever ids the callers chose.
/// </summary>
internal sealed class ChildConnection
{
    private const string NotBegun = "The call was given up before its turn came.";
    private const string TooManyCalls = "The server has more calls waiting than it can take.";
    private const string TooLong = "A message of more than 16 MiB";
    private const int LogLineLimit = 8 * 1024;
    private const int SmallMessage = 64 * 1024;
    private static readonly TimeSpan SweepEvery = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LastWords = TimeSpan.FromMilliseconds(500);

    /// <summary>How long a call keeps its turn when nobody waits for it any more.</summary>
    private static readonly TimeSpan AbandonedTurn = TimeSpan.FromSeconds(5);

    private readonly ChildProcess _process;
    private readonly InstanceLog _log;
    private readonly BridgeOptions _options;
    private readonly TimeProvider _time;
    private readonly ServerMessageHandler _onServerMessage;
    private readonly ConcurrentDictionary<long, BridgedCall> _calls = new();
    private readonly ByteBudget _budget;
    private readonly CallQueue? _turns;
    private readonly MessageQueue _outgoing;
    private readonly ITimer _sweep;
    private readonly TaskCompletionSource _closedSource = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _endLock = new();
    private readonly Task _read;
    private Task<bool>? _end;
    private long _lastId;
    private volatile bool _closed;
    private bool _skipsForBudget;

    /// <param name="budget">The instance's: everything that waits for the child or because of it counts there.</param>
    /// <param name="turns">The instance's, where its server takes only so many calls at once.</param>
    public ChildConnection(
        ChildProcess process, InstanceLog log, BridgeOptions options, ByteBudget budget, TimeProvider time,
        ServerMessageHandler onServerMessage,
        CallQueue? turns = null)
    {
        _budget = budget;
        _turns = turns;
        _outgoing = new MessageQueue(new ByteBudget(options.OutgoingBytes, budget));
        _process = process;
        _log = log;
        _options = options;
        _time = time;
        _onServerMessage = onServerMessage;
        _sweep = time.CreateTimer(_ => EndOverdueCalls(), null, SweepEvery, SweepEvery);
        // From here on others call in.
        _ = LineReader.ReadAsync(process.Error, LogLineLimit, OnErrorLine);
        _ = WriteAsync();
        _read = ReadAsync();
        _ = EndWithProcessAsync();
    }

    /// <summary>When the child has closed its output: it has ended, or is of no more use.</summary>
    public Task Closed => _closedSource.Task;

    public Task<int> Exited => _process.Exited;

    public bool IsOpen => !_closed;

    /// <summary>Sends a request of a caller. Whatever goes wrong is the call's response.</summary>
    /// <param name="message">One line.</param>
    public BridgedCall Call(in MessageParts parts, ReadOnlySpan<byte> message, Action<BridgedCall>? completed = null)
    {
        var token = MessageParts.IsSet(parts.ProgressToken) ? message[parts.ProgressToken].ToArray() : null;
        var turns = CallQueue.Takes(parts.Method) ? _turns : null;
        var call = Register(message[parts.Id].ToArray(), token, turns is null ? completed : ended =>
        {
            completed?.Invoke(ended);
            turns.Leave(ended);
        }, turns is null ? null : OnAbandoned);
        var id = Splice.Number(call.ChildId);
        var sent = token is null ? Splice.Replace(message, parts.Id, id) : Splice.Replace(message, parts.Id, parts.ProgressToken, id);
        if (turns is null)
        {
            Dispatch(call, sent);
        }
        else if (_calls.Count > _options.CallsInFlight || turns.Enter(call, sent, Send, Refuse) == CallQueueResult.Refused)
        {
            Refuse(call);
        }
        else if (_closed)
        {
            // Closed after this call was registered: the sweep over all calls may have missed it.
            Refuse(call);
        }

        return call;
    }

    /// <summary>A request of the bridge's own; null when no answer came in time.</summary>
    public async Task<byte[]?> AskAsync(string method, string parameters, TimeSpan timeout, CancellationToken cancellation)
    {
        var call = Register("0"u8.ToArray(), token: null, completed: null);
        Dispatch(call, JsonRpc.Request(call.ChildId, method, parameters));
        using var limit = new CancellationTokenSource(timeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        try
        {
            return await call.FinalAsync(either.Token);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            _calls.TryRemove(call.ChildId, out _);
            return null;
        }
    }

    /// <summary>Passes a cancellation on, in the child's terms.</summary>
    public void Cancel(BridgedCall call, in MessageParts parts, ReadOnlySpan<byte> message)
    {
        if (_turns?.Leave(call) == true)
        {
            Fail(call, NotBegun, "cancelled");
        }
        else
        {
            Send(Splice.Replace(message, parts.RequestId, Splice.Number(call.ChildId)));
        }
    }

    /// <summary>False when the child has fallen so far behind that nothing more is kept for it.</summary>
    public bool Send(byte[] message) => _outgoing.Offer(message) == Offered.Accepted;

    /// <summary>False when the child could not be ended. To call it again is to wait for the same end.</summary>
    public Task<bool> EndAsync()
    {
        lock (_endLock)
        {
            return _end ??= EndOnceAsync();
        }
    }

    private async Task<bool> EndOnceAsync()
    {
        // Its stdin closes when the writer is idle or stuck alike: what is queued now has nobody to wait for it.
        _outgoing.Complete();
        var gone = await _process.EndAsync(_options.EndGrace);
        Close();
        return gone;
    }

    /// <summary>What a dead child has started dies too, which also closes the pipe that it may have inherited.</summary>
    private async Task EndWithProcessAsync()
    {
        await _process.Exited;
        var end = EndAsync();
        await Task.WhenAny(_read, Task.Delay(LastWords, _time, CancellationToken.None));
        await end;
        _closedSource.TrySetResult();
    }

    private BridgedCall Register(byte[] clientId, byte[]? token, Action<BridgedCall>? completed, Action<BridgedCall>? abandoned = null)
    {
        var call = new BridgedCall(clientId, token, _time.GetTimestamp(), new ByteBudget(_options.CallBytes, _budget))
        {
            ChildId = Interlocked.Increment(ref _lastId), Completed = completed, Overflowed = EndFlooded, Abandoned = abandoned,
        };
        _calls[call.ChildId] = call;
        return call;
    }

    private void Dispatch(BridgedCall call, byte[] message)
    {
        // Closed after this call was registered: the sweep over all calls may have missed it.
        if (_calls.Count > _options.CallsInFlight || !Send(message) || _closed)
        {
            Refuse(call);
        }
    }

    private void Refuse(BridgedCall call) =>
        Fail(call, _closed ? "The server has ended." : TooManyCalls, _closed ? "upstream_closed" : "busy");

    /// <summary>
    /// Nobody waits for the answer any more. What was not sent is not done: whoever asked may have asked again elsewhere. What was sent
    /// goes on, but keeps the others waiting no longer than a moment.
    /// </summary>
    private void OnAbandoned(BridgedCall call)
    {
        if (_turns!.Withdraw(call))
        {
            Fail(call, NotBegun, "cancelled");
        }
        else if (!call.IsFinished)
        {
            _ = LeaveLaterAsync(call);
        }
    }

    private async Task LeaveLaterAsync(BridgedCall call)
    {
        await Task.Delay(AbandonedTurn, _time, CancellationToken.None);
        _turns!.Leave(call);
    }

    private void Fail(BridgedCall call, string message, string mark)
    {
        _calls.TryRemove(call.ChildId, out _);
        call.Finish(JsonRpc.Error(call.ClientId, JsonRpc.InternalError, message, mark));
    }

    /// <summary>
    /// Of what a child says in one call, no more is kept than its caller reads: the flood ends the call, and nothing else.
    /// </summary>
    private void EndFlooded(BridgedCall call)
    {
        Send(JsonRpc.Notification("notifications/cancelled", $$"""{"requestId":{{call.ChildId}},"reason":"overflow"}"""));
        Fail(call, JsonRpc.TooMuchWaits, "overflow");
    }

    private async Task WriteAsync()
    {
        var buffer = new byte[1024];
        try
        {
            while (await _outgoing.NextAsync(CancellationToken.None) is { } message)
            {
                // One write for message and line break: most messages are small, and a write is a system call.
                var length = message.Length + 1;
                var line = length <= buffer.Length ? buffer : new byte[length];
                message.CopyTo(line, 0);
                line[message.Length] = (byte)'\n';
                await _process.Input.WriteAsync(line.AsMemory(0, length));
                buffer = length <= SmallMessage ? line : buffer;
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // The child reads no more; the end of its output says the rest.
        }
        finally
        {
            _outgoing.Clear();
        }
    }

    private async Task ReadAsync()
    {
        await LineReader.ReadAsync(_process.Output, BridgeOptions.MessageLimit, OnLine, _budget);
        Close();
        _closedSource.TrySetResult();
    }

    private void Close()
    {
        _closed = true;
        _sweep.Dispose();
        _outgoing.Complete();
        foreach (var call in _calls.Values)
        {
            Fail(call, "The server ended before it answered.", "upstream_closed");
        }
    }

    private void OnErrorLine(Span<byte> line, LinePart part)
    {
        if (part != LinePart.Tail)
        {
            _log.Write("stderr", Encoding.UTF8.GetString(line).TrimEnd('\r'));
        }
    }

    private void OnLine(Span<byte> line, LinePart part)
    {
        if (part != LinePart.Whole)
        {
            OnLongLine(line, part);
            return;
        }

        // Inside of a message only spaces mean as little as a carriage return, and event streams take them.
        line.Replace((byte)'\r', (byte)' ');
        var message = line.Trim((byte)' ');
        if (message.IsEmpty)
        {
            return;
        }

        if (MessageParts.TryParse(message, out var parts, out _))
        {
            OnMessage(parts, message);
        }
        else
        {
            var rest = OddLine.Read(message, OnMessage);
            var text = message[(rest ?? ..0)];
            if (!text.IsEmpty)
            {
                _log.Write("stdout", Encoding.UTF8.GetString(text[..Math.Min(text.Length, LogLineLimit)]));
            }
        }
    }

    private void OnMessage(in MessageParts parts, Span<byte> message)
    {
        if (parts.Kind == MessageKind.Response)
        {
            OnResponse(parts, message);
        }
        else if (parts.Kind == MessageKind.Request && parts.Method == "ping")
        {
            Send(JsonRpc.Result(message[parts.Id], "{}"u8));
        }
        else if (parts.Method == "notifications/progress")
        {
            OnProgress(parts, message);
        }
        else
        {
            _onServerMessage(this, parts, message.ToArray());
        }
    }

    private void OnResponse(in MessageParts parts, ReadOnlySpan<byte> message)
    {
        if (parts.IsOfUnknownRequest)
        {
            // Where one call is in flight it can be about no other.
            if (_calls.ToArray() is [var (onlyId, only)] && _calls.TryRemove(onlyId, out _))
            {
                only.Finish(Splice.Replace(message, parts.Id, only.ClientId));
            }

            return;
        }

        if (RpcIds.TryReadToken(message[parts.Id], out var id) && _calls.TryRemove(id, out var call))
        {
            call.Finish(Splice.Replace(message, parts.Id, call.ClientId));
        }
    }

    private void OnProgress(in MessageParts parts, ReadOnlySpan<byte> message)
    {
        if (RpcIds.TryReadToken(message[parts.ProgressToken], out var id) && _calls.TryGetValue(id, out var call)
            && call.ClientToken is { } token)
        {
            call.Offer(Splice.Replace(message, parts.ProgressToken, token));
        }
    }

    /// <summary>
    /// The call whose answer is too long gets an error: the one that is named at an end of the line, or the only one that waits.
    /// </summary>
    private void OnLongLine(ReadOnlySpan<byte> line, LinePart part)
    {
        if (part == LinePart.Head)
        {
            _skipsForBudget = line.Length < BridgeOptions.MessageLimit;
            _log.Write("node",
                _skipsForBudget ? "A long message was dropped: too much waits for this instance's clients." : $"{TooLong} was dropped.");
        }

        var id = part == LinePart.Head ? LongLine.IdInHead(line) : LongLine.IdInTail(line);
        var call = id is { } known
            ? _calls.GetValueOrDefault(known) : part == LinePart.Head && _calls.Values.ToArray() is [var only] ? only : null;
        if (call is not null)
        {
            Fail(call, _skipsForBudget ? JsonRpc.TooMuchWaits : $"{TooLong} was the server's answer.",
                _skipsForBudget ? "overflow" : "too_large");
        }
    }

    private void EndOverdueCalls()
    {
        foreach (var call in _calls.Values)
        {
            if (_time.GetElapsedTime(call.StartedAt) > _options.CallTimeout)
            {
                Send(JsonRpc.Notification("notifications/cancelled", $$"""{"requestId":{{call.ChildId}},"reason":"timeout"}"""));
                Fail(call, "The server did not answer in time.", "timeout");
            }
        }
    }
}
