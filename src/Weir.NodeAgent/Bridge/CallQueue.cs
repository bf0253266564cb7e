namespace Weir.NodeAgent.Bridge;

/// <summary>What became of a call that takes turns.</summary>
internal enum CallQueueResult
{
    /// <summary>It was sent to the child.</summary>
    Sent,

    /// <summary>It waits, or was over already.</summary>
    Waits,

    /// <summary>Neither the child nor the queue takes it.</summary>
    Refused,
}

/// <summary>
/// The calls of a server that takes only so many at once, over all of its children: the others wait here, in the order in which they came.
/// What waits is bounded in bytes. A call has its turn until it is answered, or cancelled: a server need not answer what was cancelled.
/// Whether a call is sent or leaves is decided under one lock, so that none is sent after it was cancelled.
/// </summary>
/// <param name="most">How many calls have their turn at one time.</param>
internal sealed class CallQueue(int most, ByteBudget budget)
{
    private readonly Lock _lock = new();
    private readonly HashSet<BridgedCall> _running = [];
    private readonly LinkedList<Waiting> _waiting = new();

    /// <summary>The requests that take turns: what a server does for an agent. Lists, pings and handshakes go past.</summary>
    public static bool Takes(string? method) => method is "tools/call" or "resources/read" or "prompts/get" or "completion/complete";

    /// <param name="send">Puts the message into the child's queue; false where that takes no more. Takes no lock of a session: it is called
    /// under this one.</param>
    /// <param name="refused">Told later, without a lock, that the child did not take the call when its turn came.</param>
    public CallQueueResult Enter(BridgedCall call, byte[] message, Func<byte[], bool> send, Action<BridgedCall> refused)
    {
        lock (_lock)
        {
            if (call.IsFinished)
            {
                // Its child closed before it came here, so nobody would make it leave.
                return CallQueueResult.Waits;
            }

            if (_running.Count < most)
            {
                if (!send(message))
                {
                    return CallQueueResult.Refused;
                }

                _running.Add(call);
                return CallQueueResult.Sent;
            }

            if (!budget.TryTake(MessageQueue.Cost(message)))
            {
                return CallQueueResult.Refused;
            }

            _waiting.AddLast(new Waiting(call, message, send, refused));
            return CallQueueResult.Waits;
        }
    }

    /// <summary>The call is over, or cancelled: whoever waits for longest is next. True when it was never sent.</summary>
    public bool Leave(BridgedCall call)
    {
        lock (_lock)
        {
            if (!_running.Remove(call))
            {
                return Withdraw(call);
            }

            while (_running.Count < most && _waiting.First is { } first)
            {
                Begin(first);
            }

            return false;
        }
    }

    /// <summary>True when the call waited: it is never sent.</summary>
    public bool Withdraw(BridgedCall call)
    {
        lock (_lock)
        {
            for (var node = _waiting.First; node is not null; node = node.Next)
            {
                if (node.Value.Call == call)
                {
                    Drop(node);
                    return true;
                }
            }

            return false;
        }
    }

    private void Begin(LinkedListNode<Waiting> node)
    {
        Drop(node);
        var next = node.Value;
        if (next.Call.IsFinished)
        {
            return;
        }

        if (next.Send(next.Message))
        {
            _running.Add(next.Call);
        }
        else
        {
            ThreadPool.UnsafeQueueUserWorkItem(static w => w.Refused(w.Call), next, preferLocal: false);
        }
    }

    private void Drop(LinkedListNode<Waiting> node)
    {
        _waiting.Remove(node);
        budget.Return(MessageQueue.Cost(node.Value.Message));
    }

    private sealed record Waiting(BridgedCall Call, byte[] Message, Func<byte[], bool> Send, Action<BridgedCall> Refused);
}
