using Weir.Configuration;

namespace Weir.Rest;

/// <summary>
/// How much of the pool one caller has at once on this replica: so many statements run, some more wait for one of their own to end, and the
/// rest is refused. Whoever floods waits for themselves, and for nobody else.
/// </summary>
internal sealed class FairShare(RestConfig config, TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Share> _shares = new(StringComparer.Ordinal);

    /// <returns>The caller's turn; disposing of it ends it.</returns>
    /// <exception cref="RestException">WR008: too many wait already, or this one has waited for as long as a statement may take.</exception>
    public async ValueTask<IDisposable> EnterAsync(string caller, CancellationToken ct)
    {
        LinkedListNode<TaskCompletionSource> place;
        lock (_lock)
        {
            if (!_shares.TryGetValue(caller, out var share))
            {
                _shares.Add(caller, share = new Share());
            }

            if (share.Running < config.MaxConcurrent)
            {
                share.Running++;
                return new Turn(this, caller);
            }

            if (share.Waiting.Count >= RestLimits.Waiting)
            {
                throw RestErrors.TooManyAtOnce(config.MaxConcurrent);
            }

            place = share.Waiting.AddLast(new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        }

        try
        {
            await place.Value.Task.WaitAsync(TimeSpan.FromSeconds(config.TimeoutSeconds), time, ct);
            return new Turn(this, caller);
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            GiveUp(caller, place);
            throw e is TimeoutException ? RestErrors.TooManyAtOnce(config.MaxConcurrent) : e;
        }
    }

    private void GiveUp(string caller, LinkedListNode<TaskCompletionSource> place)
    {
        lock (_lock)
        {
            if (place.List is { } waiting)
            {
                waiting.Remove(place);
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
