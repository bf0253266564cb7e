namespace Weir.Limits;

/// <summary>
/// Turns at statements that may wait for a lock of their own caller's: one for each caller at once, so many for all, and callers that wait
/// get theirs in a circle. So one that keeps its lock busy has one connection of a pool, whatever it starts. Who waits is bounded by
/// whoever asks.
/// </summary>
internal sealed class RoundRobinLimiter<TCaller>(int atOnce)
    where TCaller : notnull
{
    private readonly Lock _lock = new();
    private readonly HashSet<TCaller> _running = [];
    private readonly Dictionary<TCaller, LinkedList<TaskCompletionSource>> _waiting = [];

    /// <summary>Callers that have somebody waiting, who had a turn longest ago first.</summary>
    private readonly LinkedList<TCaller> _circle = [];

    /// <returns>The caller's turn, which disposing of it ends.</returns>
    public async ValueTask<IDisposable> EnterAsync(TCaller caller, CancellationToken ct)
    {
        LinkedListNode<TaskCompletionSource> waiter;
        lock (_lock)
        {
            if (!_waiting.TryGetValue(caller, out var line))
            {
                _waiting.Add(caller, line = []);
                _circle.AddLast(caller);
            }

            waiter = line.AddLast(new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
            GiveTurns();
        }

        try
        {
            await waiter.Value.Task.WaitAsync(ct);
            return new Permit(this, caller);
        }
        catch (OperationCanceledException)
        {
            GiveUp(caller, waiter);
            throw;
        }
    }

    private void GiveUp(TCaller caller, LinkedListNode<TaskCompletionSource> waiter)
    {
        lock (_lock)
        {
            if (waiter.List is { } line)
            {
                line.Remove(waiter);
                if (line.Count == 0)
                {
                    _waiting.Remove(caller);
                    _circle.Remove(caller);
                }

                return;
            }
        }

        // The turn came in the same moment: it is passed on.
        Leave(caller);
    }

    private void Leave(TCaller caller)
    {
        lock (_lock)
        {
            _running.Remove(caller);
            GiveTurns();
        }
    }

    private void GiveTurns()
    {
        for (var waiter = _circle.First; waiter is not null && _running.Count < atOnce;)
        {
            var next = waiter.Next;
            if (_running.Add(waiter.Value))
            {
                GiveTurn(waiter);
            }

            waiter = next;
        }
    }

    private void GiveTurn(LinkedListNode<TCaller> waiter)
    {
        var line = _waiting[waiter.Value];
        var first = line.First!;
        line.RemoveFirst();
        _circle.Remove(waiter);
        if (line.Count > 0)
        {
            _circle.AddLast(waiter);
        }
        else
        {
            _waiting.Remove(waiter.Value);
        }

        first.Value.SetResult();
    }

    private sealed class Permit(RoundRobinLimiter<TCaller> turns, TCaller caller) : IDisposable
    {
        private bool _ended;

        public void Dispose()
        {
            if (!_ended)
            {
                _ended = true;
                turns.Leave(caller);
            }
        }
    }
}
