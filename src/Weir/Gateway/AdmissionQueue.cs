using Weir.Errors;

namespace Weir.Gateway;

/// <summary>Limits of admission.</summary>
/// <param name="MaxBatch">Calls in one statement.</param>
/// <param name="SecondConnectionAfter">How long the oldest call may wait before a second connection helps.</param>
internal sealed record AdmissionOptions(int MaxBatch, TimeSpan SecondConnectionAfter)
{
    public static AdmissionOptions Default { get; } = new(64, TimeSpan.FromMilliseconds(5));
}

/// <summary>
/// Calls wait here for the admission connection. No timer makes batches: a batch is whatever waits when the connection frees.
/// A second connection works while a full batch waits or the oldest call has waited too long.
/// </summary>
internal sealed class AdmissionQueue : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private readonly RoundRobinQueue<Waiting> _waiting = new();
    private readonly SemaphoreSlim _first = new(0);
    private readonly SemaphoreSlim _second = new(0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Func<IAdmissionConnection> _connect;
    private readonly AdmissionOptions _options;
    private readonly TimeProvider _time;
    private readonly Task[] _workers;
    private long _waitingSince;
    private bool _stopped;

    public AdmissionQueue(Func<IAdmissionConnection> connect, AdmissionOptions options, TimeProvider time)
    {
        _connect = connect;
        _options = options;
        _time = time;
        _workers = [Task.Run(() => WorkAsync(_first)), Task.Run(() => WorkAsync(_second))];
    }

    /// <summary>The database's decision.</summary>
    /// <exception cref="WeirException">WR009: the database does not answer; nothing may be forwarded.</exception>
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
            second = _waiting.Count >= _options.MaxBatch || _time.GetElapsedTime(_waitingSince, now) >= _options.SecondConnectionAfter;
        }

        Signal(_first);
        if (second)
        {
            Signal(_second);
        }

        return waiting.Decided.Task;
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

    private async Task WorkAsync(SemaphoreSlim signal)
    {
        await using var connection = _connect();
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
                await DecideBatchAsync(connection, batch);
            }
        }
    }

    private List<Waiting> Take(int most)
    {
        lock (_lock)
        {
            _waitingSince = _time.GetTimestamp();
            return _waiting.Take(most);
        }
    }

    /// <summary>A batch that raises was rolled back as a whole: each of its calls is then decided alone, once.</summary>
    private static async Task DecideBatchAsync(IAdmissionConnection connection, List<Waiting> batch)
    {
        try
        {
            var decisions = await connection.AdmitAsync([.. batch.Select(w => w.Call)]);
            for (var i = 0; i < batch.Count; i++)
            {
                batch[i].Decided.TrySetResult(decisions[i]);
            }
        }
        catch (WeirException e) when (e.Code != ErrorCode.Unavailable && batch.Count > 1)
        {
            foreach (var one in batch)
            {
                await DecideBatchAsync(connection, [one]);
            }
        }
        catch (WeirException e) when (e.Code != ErrorCode.Unavailable)
        {
            await DenyPoisonedAsync(connection, batch[0]);
        }
        catch (Exception e)
        {
            foreach (var one in batch)
            {
                one.Decided.TrySetException(e);
            }
        }
    }

    private static async Task DenyPoisonedAsync(IAdmissionConnection connection, Waiting poisoned)
    {
        try
        {
            await connection.RecordDenialAsync(poisoned.Call, "error");
            poisoned.Decided.TrySetResult(new Decision(false, "error", null, null, null, null, null, null, null, null));
        }
        catch (Exception e)
        {
            poisoned.Decided.TrySetException(e);
        }
    }

    private sealed class Waiting(CallRequest call)
    {
        public CallRequest Call { get; } = call;

        public TaskCompletionSource<Decision> Decided { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}

/// <summary>One connection that admits batches. Two implementations: the database's, and the tests' that fails on purpose.</summary>
internal interface IAdmissionConnection : IAsyncDisposable
{
    /// <summary>One statement, one commit: the decisions in the order of the calls.</summary>
    /// <exception cref="WeirException">WR009 where the reply did not come; any other code where the statement raised.</exception>
    Task<Decision[]> AdmitAsync(CallRequest[] calls);

    /// <summary>Records a call that cannot be decided.</summary>
    Task RecordDenialAsync(CallRequest call, string reason);
}
