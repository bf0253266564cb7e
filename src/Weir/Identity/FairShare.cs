namespace Weir.Identity;

/// <summary>
/// How much of a pool one caller has at once on this replica: some requests run, some more wait for one of the same caller's to end, and the
/// rest is refused. A caller that floods waits only for its own requests.
/// </summary>
/// <param name="running">Requests of one caller that run at once.</param>
/// <param name="waiting">Requests of one caller that wait for those.</param>
/// <param name="maxWait">How long one waits at most.</param>
internal sealed class FairShare(int running, int waiting, TimeSpan maxWait, TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Share> _shares = new(StringComparer.Ordinal);

    /// <returns>The caller's turn; disposing of it ends it. Null: too many wait already, or this one has waited for too long.</returns>
    public async ValueTask<IDisposable?> EnterAsync(string caller, CancellationToken ct)
    {
        LinkedListNode<TaskCompletionSource> place;
        lock (_lock)
        {
            if (!_shares.TryGetValue(caller, out var share))
            {
                _shares.Add(caller, share = new Share());
            }

            if (share.Running < running)
            {
                share.Running++;
                return new Turn(this, caller);
            }

            if (share.Waiting.Count >= waiting)
            {
                return null;
            }

            place = share.Waiting.AddLast(new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        }

        try
        {
            await place.Value.Task.WaitAsync(maxWait, time, ct);
            return new Turn(this, caller);
        }
        catch (TimeoutException)
        {
            GiveUp(caller, place);
            return null;
        }
        catch (OperationCanceledException)
        {
            GiveUp(caller, place);
            throw;
        }
    }

    private void GiveUp(string caller, LinkedListNode<TaskCompletionSource> place)
    {
        lock (_lock)
        {
            if (place.List is { } line)
            {
                line.Remove(place);
                return;
            }
        }

        // The turn came in the same moment: it is passed on.
        Leave(caller);
    }

    private void Leave(string caller)
    {
        lock (_lock)
        {
            var share = _shares[caller];
            if (share.Waiting.First is { } next)
            {
                // The turn is handed over, so as many run as before.
                share.Waiting.RemoveFirst();
                next.Value.SetResult();
            }
            else if (--share.Running == 0)
            {
                _shares.Remove(caller);
            }
        }
    }

    private sealed class Share
    {
        public int Running { get; set; }

        public LinkedList<TaskCompletionSource> Waiting { get; } = [];
    }

    private sealed class Turn(FairShare share, string caller) : IDisposable
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
