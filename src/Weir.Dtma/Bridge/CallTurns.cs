namespace Weir.Dtma.Bridge;

/// <summary>
/// The calls of a server that takes only so many at once, over all of its children: the others wait here, in the order in which they came.
/// What waits is bounded in bytes. A call has its turn until it is answered, or cancelled: a server need not answer what was cancelled.
/// </summary>
/// <param name="most">How many calls have their turn at one time.</param>
internal sealed class CallTurns(int most, ByteBudget budget)
{
    private readonly Lock _lock = new();
    private readonly HashSet<PendingCall> _running = [];
    private readonly LinkedList<Waiting> _waiting = new();

    /// <summary>The requests that take turns: what a server does for an agent. Lists, pings and handshakes go past.</summary>
    public static bool Takes(string? method) => method is "tools/call" or "resources/read" or "prompts/get" or "completion/complete";

    /// <summary>Sends the call when its turn comes, which may be now. False when too many bytes wait already.</summary>
    public bool TryEnter(PendingCall call, byte[] message, Action<PendingCall, byte[]> send)
    {
        lock (_lock)
        {
            if (_running.Count >= most)
            {
                if (!budget.TryTake(MessageQueue.Cost(message)))
                {
                    return false;
                }

                _waiting.AddLast(new Waiting(call, message, send));
                return true;
            }

            _running.Add(call);
        }

        send(call, message);
        return true;
    }

    /// <summary>The call is over, or cancelled: whoever waits for longest is next. True when it had not had its turn yet.</summary>
    public bool Leave(PendingCall call)
    {
        Waiting next;
        lock (_lock)
        {
            if (!_running.Remove(call))
            {
                return Remove(call);
            }

            if (_waiting.First is not { } first)
            {
                return false;
            }

            next = first.Value;
            Drop(first);
            _running.Add(next.Call);
        }

        // Of another session, whose lock may be wanted: not under the locks that the caller holds.
        ThreadPool.UnsafeQueueUserWorkItem(static w => w.Send(w.Call, w.Message), next, preferLocal: false);
        return false;
    }

    private bool Remove(PendingCall call)
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

    private void Drop(LinkedListNode<Waiting> node)
    {
        _waiting.Remove(node);
        budget.Return(MessageQueue.Cost(node.Value.Message));
    }

    private sealed record Waiting(PendingCall Call, byte[] Message, Action<PendingCall, byte[]> Send);
}
