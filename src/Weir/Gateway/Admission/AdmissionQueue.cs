using Weir.Configuration;
using Weir.Errors;
using Weir.Gateway.Calls;
using Weir.Postgres;

namespace Weir.Gateway.Admission;

/// <summary>
/// Calls wait here for the admission connection. No timer makes batches: a batch is whatever waits when the connection frees.
/// A second connection works while a full batch waits, the oldest call has waited too long, or one organization holds the first. However
/// many stand before it, and whatever their statements wait for, a call waits no longer than one statement may take.
/// </summary>
internal sealed class AdmissionQueue : IAsyncDisposable
{
    /// <summary>
    /// One statement, one commit: the decisions in the order of the calls. WR009 where the reply did not come, any other code
    /// where the statement raised.
    /// </summary>
    /// <param name="alone">Calls of one organization that has made a batch fail: on a connection of their own, with more time.</param>
    public delegate Task<Decision[]> Admit(AdmissionRequest[] calls, bool alone);

    /// <summary>Records a call that cannot be decided.</summary>
    public delegate Task RecordDenial(AdmissionRequest call, string reason);

    /// <summary>
    /// Told of a call that may have been recorded as requested and is not made: its decision came when nobody waited for it any more, or
    /// did not come.
    /// </summary>
    public delegate void NotMade(AdmissionRequest call);

    private readonly Lock _lock = new();
    private readonly AdmissionLanes _waiting;
    private readonly SemaphoreSlim _first = new(0);
    private readonly SemaphoreSlim _second = new(0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Admit _admit;
    private readonly RecordDenial _recordDenial;
    private readonly NotMade? _notMade;
    private readonly AdmissionConfig _options;
    private readonly TimeSpan _timeout;
    private readonly TimeProvider _time;
    private readonly Task[] _workers;
    private long _waitingSince;
    private bool _stopped;

    public AdmissionQueue(
        Admit admit, RecordDenial recordDenial, AdmissionConfig options, TimeSpan deadline, TimeProvider time, NotMade? notMade = null)
    {
        _notMade = notMade;
        _admit = admit;
        _recordDenial = recordDenial;
        _waiting = new AdmissionLanes(options.MaxBatch, time);
        _options = options;
        _timeout = deadline;
        _time = time;
        _workers = [Task.Run(() => WorkAsync(_first)), Task.Run(() => WorkAsync(_second))];
    }

    /// <summary>The database's decision.</summary>
    /// <exception cref="WeirException">WR009: the database does not answer, or not in time; nothing may be forwarded.</exception>
    public Task<Decision> DecideAsync(AdmissionRequest call)
    {
        var waiting = new WaitingCall(call);
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

            _waiting.Enqueue(waiting);
            second = _waiting.Count >= _options.MaxBatch || _waiting.IsOneHeld
                || _time.GetElapsedTime(_waitingSince, now).TotalMilliseconds >= _options.SecondConnectionMilliseconds;
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
        foreach (var left in _waiting.Clear())
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

    /// <summary>A decision after the timeout is discarded: the call is not made, and its row says so.</summary>
    private async Task<Decision> InTimeAsync(WaitingCall waiting)
    {
        try
        {
            return await waiting.Decided.Task.WaitAsync(_timeout, _time);
        }
        catch (TimeoutException e)
        {
            waiting.IsGivenUp = true;
            _ = NotifyDecisionAsync(waiting);
            throw new WeirException(ErrorCode.Unavailable, "The database does not answer.", "Try again in a moment.", e);
        }
    }

    private async Task NotifyDecisionAsync(WaitingCall waiting)
    {
        await ((Task)waiting.Decided.Task).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (waiting.Decided.Task is { IsCompletedSuccessfully: true, Result.Admitted: true })
        {
            _notMade?.Invoke(waiting.Call);
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

            for (var batch = Take(); batch.Calls.Count > 0; batch = Take())
            {
                await DecideAsync(batch.Calls, batch.IsAlone);
                End(batch);
            }
        }
    }

    private AdmissionBatch Take()
    {
        AdmissionBatch batch;
        bool others;
        lock (_lock)
        {
            _waitingSince = _time.GetTimestamp();
            batch = _waiting.Take();
            others = batch.IsHeld && _waiting.Count > 0;
        }

        if (others)
        {
            // Those that were passed over for one organization's batch need not wait for its end.
            Signal(_first);
            Signal(_second);
        }

        return batch;
    }

    private void End(AdmissionBatch batch)
    {
        lock (_lock)
        {
            _waiting.End(batch);
        }
    }

    private async Task DecideAsync(List<WaitingCall> calls, bool alone)
    {
        try
        {
            var decisions = await _admit([.. calls.Select(w => w.Call)], alone);
            for (var i = 0; i < calls.Count; i++)
            {
                calls[i].Decided.TrySetResult(decisions[i]);
            }
        }
        catch (WeirException e) when (Raised(e))
        {
            await DecideAgainAsync(calls, e);
        }
        catch (Exception e)
        {
            foreach (var call in calls)
            {
                // The reply was lost; whether the statement was committed is not known.
                _notMade?.Invoke(call.Call);
                call.Decided.TrySetException(e);
            }
        }
    }

    /// <summary>
    /// A batch that raised was rolled back as a whole. The organization that most likely made it fail waits for a turn of its own, where
    /// each of its calls is decided by itself, once; the others are decided again at once.
    /// </summary>
    private async Task DecideAgainAsync(List<WaitingCall> calls, WeirException failure)
    {
        calls.RemoveAll(c => c.IsGivenUp);
        var organizations = calls.GroupBy(c => c.Call.Fairness).ToArray();
        if (organizations is [_])
        {
            await SuspectAsync(calls, failure);
        }
        else if (organizations.Length > 1)
        {
            var suspect = organizations.OrderByDescending(o => FailuresOf(o.Key)).ThenByDescending(o => o.Sum(c => c.Call.RequestBytes))
                .First();
            WaitAlone([.. suspect], failed: false);
            await DecideAsync([.. calls.Where(c => c.Call.Fairness != suspect.Key)], alone: false);
        }
    }

    private async Task SuspectAsync(List<WaitingCall> calls, WeirException failure)
    {
        if (calls is not [{ IsSuspect: true } poisoned])
        {
            WaitAlone(calls, failed: true);
            return;
        }

        lock (_lock)
        {
            _waiting.Failed(poisoned.Call.Fairness);
        }

        await DenyPoisonedAsync(poisoned, failure);
    }

    private void WaitAlone(List<WaitingCall> calls, bool failed)
    {
        lock (_lock)
        {
            foreach (var call in calls)
            {
                call.IsSuspect = true;
                _waiting.Enqueue(call);
            }

            if (failed)
            {
                _waiting.Failed(calls[0].Call.Fairness);
            }
        }
    }

    private int FailuresOf(string fairness)
    {
        lock (_lock)
        {
            return _waiting.FailuresOf(fairness);
        }
    }

    /// <summary>
    /// Whether the statement itself failed, by an error or by taking longer than the database lets it; not whether the database is away.
    /// </summary>
    private static bool Raised(WeirException e) =>
        e.Code != ErrorCode.Unavailable || DatabaseErrors.SqlstateOf(e) == Npgsql.PostgresErrorCodes.QueryCanceled;

    /// <summary>A statement that ran out of time says nothing of the call: a table may be locked. The next attempt may succeed.</summary>
    private async Task DenyPoisonedAsync(WaitingCall poisoned, WeirException failure)
    {
        try
        {
            var reason = failure.Code == ErrorCode.Unavailable ? "undecided" : "error";
            await _recordDenial(poisoned.Call, reason);
            poisoned.Decided.TrySetResult(new Decision(false, reason, null, null, null, null, null, null, null, null));
        }
        catch (Exception e)
        {
            poisoned.Decided.TrySetException(e);
        }
    }
}
