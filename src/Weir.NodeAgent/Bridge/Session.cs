using Weir.Mcp;

namespace Weir.NodeAgent.Bridge;

/// <summary>One <c>Mcp-Session-Id</c>: whose calls are in flight, and where the child's own messages go.</summary>
internal sealed class Session
{
    private const int WaitingRequests = 64;

    private readonly TimeProvider _time;
    private readonly Lock _lock = new();
    private readonly List<BridgedCall> _calls = [];
    private readonly HashSet<string> _asked = new(StringComparer.Ordinal);
    private readonly Queue<byte[]> _waiting = new();
    private readonly ByteBudget _budget;
    private SessionStream? _stream;
    private bool _ended;
    private long _lastUsed;

    /// <param name="budget">For what waits for the session's stream, and for what the child asks while nobody listens.</param>
    public Session(string id, ChildConnection child, ByteBudget budget, TimeProvider time)
    {
        _budget = budget;
        Id = id;
        Child = child;
        _time = time;
        _lastUsed = time.GetTimestamp();
    }

    public string Id { get; }

    public ChildConnection Child { get; }

    /// <summary>How long nothing has been in flight; zero while anything is.</summary>
    public TimeSpan Idle
    {
        get
        {
            lock (_lock)
            {
                return _calls.Count > 0 || _stream is not null ? TimeSpan.Zero : _time.GetElapsedTime(_lastUsed);
            }
        }
    }

    public void Touch()
    {
        lock (_lock)
        {
            _lastUsed = _time.GetTimestamp();
        }
    }

    /// <summary>Null when a call with the same id is still in flight.</summary>
    public BridgedCall? Call(in MessageParts parts, ReadOnlySpan<byte> message)
    {
        lock (_lock)
        {
            var id = message[parts.Id];
            foreach (var other in _calls)
            {
                if (RpcIds.AreEqual(id, other.ClientId))
                {
                    return null;
                }
            }

            // The answer may be there before this returns; then the call has left the list that it is about to enter.
            var call = Child.Call(parts, message, Leave);
            _calls.Add(call);
            if (call.IsFinished)
            {
                _calls.Remove(call);
            }

            while (_waiting.TryPeek(out var waiting) && call.Offer(waiting))
            {
                LeaveQueue();
            }

            return call;
        }
    }

    public void Cancel(in MessageParts parts, ReadOnlySpan<byte> message)
    {
        if (!MessageParts.IsSet(parts.RequestId))
        {
            return;
        }

        BridgedCall? target = null;
        lock (_lock)
        {
            foreach (var call in _calls)
            {
                target = RpcIds.AreEqual(message[parts.RequestId], call.ClientId) ? call : target;
            }
        }

        if (target is not null)
        {
            Child.Cancel(target, parts, message);
        }
    }

    /// <summary>
    /// A request of the child: on the stream of the newest call in flight, else on the session's own stream, else when either comes.
    /// False when too many wait.
    /// </summary>
    public bool Ask(in MessageParts parts, byte[] message)
    {
        lock (_lock)
        {
            if (_ended || _asked.Count >= 4 * WaitingRequests || !(OfferToCall(message) || OfferToStream(message) || Wait(message)))
            {
                return false;
            }

            _asked.Add(RpcIds.KeyOf(message.AsSpan()[parts.Id]));
            return true;
        }
    }

    /// <summary>The child takes a request back.</summary>
    public void Withdraw(in MessageParts parts, byte[] message)
    {
        lock (_lock)
        {
            if (_asked.Remove(RpcIds.KeyOf(message.AsSpan()[parts.RequestId])) && !OfferToCall(message))
            {
                OfferToStream(message);
            }
        }
    }

    /// <summary>A response of the client; passed on only if the child asked for it.</summary>
    public void Answer(in MessageParts parts, byte[] message)
    {
        lock (_lock)
        {
            if (!_asked.Remove(RpcIds.KeyOf(message.AsSpan()[parts.Id])))
            {
                return;
            }
        }

        Child.Send(message);
    }

    /// <summary>A notification that belongs to no known call. Nobody there: nobody misses it.</summary>
    /// <param name="toCall">Prefers the newest call in flight to the session's own stream.</param>
    public void Notify(byte[] message, bool toCall)
    {
        lock (_lock)
        {
            if (toCall && OfferToCall(message))
            {
                return;
            }

            if (!OfferToStream(message) && !toCall)
            {
                OfferToCall(message);
            }
        }
    }

    /// <summary>The session's own stream (GET). A newer one ends the older: its client has reconnected.</summary>
    public SessionStream OpenStream()
    {
        var stream = new SessionStream(new MessageQueue(_budget));
        lock (_lock)
        {
            _stream?.Messages.Clear();
            _stream = stream;
            while (_waiting.TryPeek(out var waiting))
            {
                // Its place is free before it is taken again: what waits always fits.
                LeaveQueue();
                stream.Messages.Offer(waiting);
            }

            if (_ended)
            {
                stream.Messages.Complete();
            }
        }

        return stream;
    }

    /// <summary>Its reader is gone.</summary>
    public void CloseStream(SessionStream stream)
    {
        lock (_lock)
        {
            stream.Messages.Clear();
            _stream = _stream == stream ? null : _stream;
            _lastUsed = _time.GetTimestamp();
        }
    }

    /// <summary>Ends its stream, and drops what waits.</summary>
    public void End()
    {
        lock (_lock)
        {
            _ended = true;
            _stream?.Messages.Clear();
            _stream = null;
            _waiting.Clear();
            _budget.Close();
        }
    }

    /// <summary>False without a stream. A stream whose reader is too slow ends, with an error that says so.</summary>
    private bool OfferToStream(byte[] message)
    {
        switch (_stream?.Messages.Offer(message))
        {
            case Offered.Accepted:
                return true;
            case Offered.Full:
                _stream.HasOverflowed = true;
                _stream.Messages.Clear();
                _stream = null;
                return false;
            default:
                return false;
        }
    }

    private bool Wait(byte[] message)
    {
        if (_waiting.Count >= WaitingRequests || !_budget.TryTake(MessageQueue.Cost(message)))
        {
            return false;
        }

        _waiting.Enqueue(message);
        return true;
    }

    private void LeaveQueue() => _budget.Return(MessageQueue.Cost(_waiting.Dequeue()));

    private bool OfferToCall(byte[] message)
    {
        for (var i = _calls.Count - 1; i >= 0; i--)
        {
            if (_calls[i].Offer(message))
            {
                return true;
            }
        }

        return false;
    }

    private void Leave(BridgedCall call)
    {
        lock (_lock)
        {
            _calls.Remove(call);
            _lastUsed = _time.GetTimestamp();
        }
    }
}

/// <summary>A session's own stream (GET).</summary>
internal sealed class SessionStream(MessageQueue messages)
{
    public MessageQueue Messages { get; } = messages;

    /// <summary>It has ended because its reader was too slow.</summary>
    public bool HasOverflowed { get; set; }
}
