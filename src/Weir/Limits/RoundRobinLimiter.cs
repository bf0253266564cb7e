namespace Weir.Limits;

/// <summary>
/// Limits statements that may wait for a lock of their caller: one for each caller, <paramref name="atOnce"/> for all. Callers that wait
/// get their permits in rotation. A caller that keeps its lock busy holds one connection of a pool, whatever it starts. The caller of this
/// class bounds how many wait.
/// </summary>
internal sealed class RoundRobinLimiter<TCaller>(int atOnce)
    where TCaller : notnull
{
    private readonly Lock _lock = new();
    private readonly HashSet<TCaller> _running = [];
    private readonly Dictionary<TCaller, LinkedList<TaskCompletionSource>> _waiting = [];

    /// <summary>Callers with somebody waiting; the one whose last permit is the oldest is first.</summary>
    private readonly LinkedList<TCaller> _circle = [];

    /// <returns>The caller's permit; disposing of it releases it.</returns>
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

        // The permit was granted in the same moment: it is passed on.
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

    private sealed class Permit(RoundRobinLimiter<TCaller> limiter, TCaller caller) : IDisposable
    {
        private bool _ended;

        public void Dispose()
        {
            if (!_ended)
            {
                _ended = true;
                limiter.Leave(caller);
            }
        }
    }
}
