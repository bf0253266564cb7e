using Weir.Configuration;
using Weir.Errors;
using Weir.Postgres;

namespace Weir.Gateway.Admission;

/// <summary>
/// Calls wait here for the admission connection. No timer makes batches: a batch is whatever waits when the connection frees.
/// A second connection works while a full batch waits or the oldest call has waited too long. However many stand before it, and
/// whatever their statements wait for, a call waits no longer than one statement may take.
/// </summary>
internal sealed class AdmissionQueue : IAsyncDisposable
{
    /// <summary>
    /// One statement, one commit: the decisions in the order of the calls. WR009 where the reply did not come, any other code
    /// where the statement raised.
    /// </summary>
    public delegate Task<Decision[]> Admit(CallRequest[] calls);

    /// <summary>Records a call that cannot be decided.</summary>
    public delegate Task RecordDenial(CallRequest call, string reason);

    private readonly Lock _lock = new();
    private readonly RoundRobinQueue<Waiting> _waiting = new();
    private readonly SemaphoreSlim _first = new(0);
    private readonly SemaphoreSlim _second = new(0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Admit _admit;
    private readonly RecordDenial _recordDenial;
    private readonly AdmissionConfig _options;
    private readonly TimeSpan _patience;
    private readonly TimeProvider _time;
    private readonly Task[] _workers;
    private long _waitingSince;
    private bool _stopped;

    public AdmissionQueue(Admit admit, RecordDenial recordDenial, AdmissionConfig options, TimeSpan patience, TimeProvider time)
    {
        _admit = admit;
        _recordDenial = recordDenial;
        _options = options;
        _patience = patience;
        _time = time;
        _workers = [Task.Run(() => WorkAsync(_first)), Task.Run(() => WorkAsync(_second))];
    }

    /// <summary>The database's decision.</summary>
    /// <exception cref="WeirException">WR009: the database does not answer, or not in time; nothing may be forwarded.</exception>
    public Task<Decision> DecideAsync(CallRequest call)
    {
        var waiting = new Waiting(call);
        bool second;
        lock (_lock)
        {
            if (_stopped)
            {
                throw new WeirException(ErrorCode.Unavailable, "Weir is shutting down.", "Retry at another replica.");
            }

            var now = _time.GetTimestamp();
            if (_waiting.Count == 0)
            {
                _waitingSince = now;
            }

            _waiting.Enqueue(call.Fairness, waiting);
            second = _waiting.Count >= _options.MaxBatch || _time.GetElapsedTime(_waitingSince, now).TotalMilliseconds >= _options.SecondConnectionMilliseconds;
        }

        Signal(_first);
        if (second)
        {
            Signal(_second);
        }

        return InTimeAsync(waiting);
    }

    public async ValueTask DisposeAsync()
    {
        lock (_lock)
        {
            _stopped = true;
        }

        await _stop.CancelAsync();
        await Task.WhenAll(_workers);
        foreach (var left in Take(int.MaxValue))
        {
            left.Decided.TrySetException(new WeirException(ErrorCode.Unavailable, "Weir is shutting down.", "Retry at another replica."));
        }

        _stop.Dispose();
        _first.Dispose();
        _second.Dispose();
    }

    /// <summary>One release wakes a worker; it takes all that waits, so more would only spin it.</summary>
    private static void Signal(SemaphoreSlim semaphore)
    {
        if (semaphore.CurrentCount == 0)
        {
            semaphore.Release();
        }
    }

    /// <summary>A decision that comes too late is nobody's: its row stays without an outcome, as after a crash.</summary>
    private async Task<Decision> InTimeAsync(Waiting waiting)
    {
        try
        {
            return await waiting.Decided.Task.WaitAsync(_patience, _time);
        }
        catch (TimeoutException e)
        {
            waiting.IsGivenUp = true;
            throw new WeirException(ErrorCode.Unavailable, "The database does not answer.", "Try again in a moment.", e);
        }
    }

    private async Task WorkAsync(SemaphoreSlim signal)
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await signal.WaitAsync(_stop.Token);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            for (var batch = Take(_options.MaxBatch); batch.Count > 0; batch = Take(_options.MaxBatch))
            {
                await DecideBatchAsync(batch);
            }
        }
    }

    private List<Waiting> Take(int most)
    {
        lock (_lock)
        {
            _waitingSince = _time.GetTimestamp();
            while (true)
            {
                var taken = _waiting.Take(most);
                if (taken.Count == 0 || taken.RemoveAll(w => w.IsGivenUp) == 0 || taken.Count > 0)
                {
                    return taken;
                }
            }
        }
    }

    /// <summary>A batch that raises was rolled back as a whole: each of its calls is then decided alone, once.</summary>
    private async Task DecideBatchAsync(List<Waiting> batch)
    {
        try
        {
            var decisions = await _admit([.. batch.Select(w => w.Call)]);
            for (var i = 0; i < batch.Count; i++)
            {
                batch[i].Decided.TrySetResult(decisions[i]);
            }
        }
        catch (WeirException e) when (Raised(e) && batch.Count > 1)
        {
            foreach (var one in batch.Where(w => !w.IsGivenUp))
            {
                await DecideBatchAsync([one]);
            }
        }
        catch (WeirException e) when (Raised(e))
        {
            await DenyPoisonedAsync(batch[0]);
        }
        catch (Exception e)
        {
            foreach (var one in batch)
            {
                one.Decided.TrySetException(e);
            }
        }
    }

    /// <summary>Whether the statement itself failed, by an error or by taking longer than the database lets it; not whether the database is away.</summary>
    private static bool Raised(WeirException e) => e.Code != ErrorCode.Unavailable || DatabaseErrors.SqlstateOf(e) == Npgsql.PostgresErrorCodes.QueryCanceled;

    private async Task DenyPoisonedAsync(Waiting poisoned)
    {
        try
        {
            await _recordDenial(poisoned.Call, "error");
            poisoned.Decided.TrySetResult(new Decision(false, "error", null, null, null, null, null, null, null, null));
        }
        catch (Exception e)
        {
            poisoned.Decided.TrySetException(e);
        }
    }

    private sealed class Waiting(CallRequest call)
    {
        private volatile bool _isGivenUp;

        /// <summary>Nobody waits for it any more, so nothing may be recorded as requested.</summary>
        public bool IsGivenUp
        {
            get => _isGivenUp;
            set => _isGivenUp = value;
        }

        public CallRequest Call { get; } = call;

        public TaskCompletionSource<Decision> Decided { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
