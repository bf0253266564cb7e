namespace Weir.Limits;

/// <summary>
/// How much of a pool one caller has at once on this replica: some requests run, some more wait for one of the same caller's to end, and
/// the rest is refused. A caller that floods waits only for its own requests.
/// </summary>
/// <param name="running">Requests of one caller that run at once.</param>
/// <param name="waiting">Requests of one caller that wait for those.</param>
/// <param name="maxWait">How long one waits at most.</param>
internal sealed class PerCallerQueue(int running, int waiting, TimeSpan maxWait, TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Queue> _shares = new(StringComparer.Ordinal);

    /// <returns>The caller's permit; disposing of it releases it. Null: too many wait already, or this one has waited for too
    /// long.</returns>
    public async ValueTask<IDisposable?> EnterAsync(string caller, CancellationToken ct)
    {
        LinkedListNode<TaskCompletionSource> waiter;
        lock (_lock)
        {
            if (!_shares.TryGetValue(caller, out var share))
            {
                _shares.Add(caller, share = new Queue());
            }

            if (share.Running < running)
            {
                share.Running++;
                return new Permit(this, caller);
            }

            if (share.Waiting.Count >= waiting)
            {
                return null;
            }

            waiter = share.Waiting.AddLast(new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        }

        try
        {
            await waiter.Value.Task.WaitAsync(maxWait, time, ct);
            return new Permit(this, caller);
        }
        catch (TimeoutException)
        {
            GiveUp(caller, waiter);
            return null;
        }
        catch (OperationCanceledException)
        {
            GiveUp(caller, waiter);
            throw;
        }
    }

    private void GiveUp(string caller, LinkedListNode<TaskCompletionSource> waiter)
    {
        lock (_lock)
        {
            if (waiter.List is { } line)
            {
                line.Remove(waiter);
                return;
            }
        }

        // The permit was granted in the same moment: it is passed on.
        Leave(caller);
    }

    private void Leave(string caller)
    {
        lock (_lock)
        {
            var share = _shares[caller];
            if (share.Waiting.First is { } next)
            {
                // The permit is handed over, so as many run as before.
                share.Waiting.RemoveFirst();
                next.Value.SetResult();
            }
            else if (--share.Running == 0)
            {
                _shares.Remove(caller);
            }
        }
    }

    private sealed class Queue
    {
        public int Running { get; set; }

        public LinkedList<TaskCompletionSource> Waiting { get; } = [];
    }

    private sealed class Permit(PerCallerQueue share, string caller) : IDisposable
    {
        private bool _ended;

        public void Dispose()
        {
            if (!_ended)
            {
                _ended = true;
                share.Leave(caller);
            }
        }
    }
}
