using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Weir.Errors;
using Weir.Gateway.Calls;

namespace Weir.Gateway.Admission;

/// <summary>
/// Outcomes on their way into the audit log. The answer does not wait for them; but when too many wait, no call is admitted, so
/// that a call without an outcome stays what it should be: the sign of a crash. Stopping drains the queue.
/// </summary>
internal sealed class CompletionQueue : IAsyncDisposable
{
    private const int MaxBatch = 256;

    /// <summary>Nobody waits for an outcome, so the first of a batch waits for company: many share one commit.</summary>
    private static readonly TimeSpan Linger = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan DrainLimit = TimeSpan.FromSeconds(10);

    private readonly Channel<Completion> _waiting =
        Channel.CreateUnbounded<Completion>(new UnboundedChannelOptions { SingleReader = true });
    private readonly Func<IReadOnlyList<Completion>, CancellationToken, Task> _record;
    private readonly CancellationTokenSource _draining = new();
    private readonly CancellationTokenSource _giveUp = new();
    private readonly int _maxWaiting;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Task _worker;
    private int _count;

    public CompletionQueue(
        Func<IReadOnlyList<Completion>, CancellationToken, Task> record, int maxWaiting, TimeProvider time, ILogger<CompletionQueue> logger)
    {
        _record = record;
        _maxWaiting = maxWaiting;
        _time = time;
        _logger = logger;
        _worker = Task.Run(WorkAsync);
    }

    public int Count => Volatile.Read(ref _count);

    /// <summary>While this is true, no call may be admitted.</summary>
    public bool IsFull => Count >= _maxWaiting;

    public void Add(Completion completion)
    {
        Interlocked.Increment(ref _count);
        if (!_waiting.Writer.TryWrite(completion))
        {
            Interlocked.Decrement(ref _count);
            _logger.LogWarning("The outcome of call {CallId} came after the drain and is not in the audit log.", completion.Key.Id);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _waiting.Writer.TryComplete();
        await _draining.CancelAsync();
        _giveUp.CancelAfter(DrainLimit);
        await _worker;
        _giveUp.Dispose();
        _draining.Dispose();
    }

    private async Task WorkAsync()
    {
        var batch = new List<Completion>(MaxBatch);
        while (await _waiting.Reader.WaitToReadAsync())
        {
            if (Count < MaxBatch)
            {
                await Task.Delay(Linger, _time, _draining.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }

            while (batch.Count < MaxBatch && _waiting.Reader.TryRead(out var completion))
            {
                batch.Add(completion);
            }

            if (!await TryRecordAsync(batch))
            {
                return;
            }

            Interlocked.Add(ref _count, -batch.Count);
            batch.Clear();
        }
    }

    /// <summary>
    /// Keeps trying while the database is away: recording twice is harmless, losing is not. False when the drain gave up.
    /// </summary>
    private async Task<bool> TryRecordAsync(List<Completion> batch)
    {
        while (true)
        {
            try
            {
                await _record(batch, _giveUp.Token);
                return true;
            }
            catch (WeirException e) when (e.Code == ErrorCode.Unavailable && !_giveUp.IsCancellationRequested)
            {
                await WaitAsync();
            }
            catch (Exception e)
            {
                if (_giveUp.IsCancellationRequested)
                {
                    _logger.LogError(e, "Gave up on {Count} outcomes: the database did not take them before the drain's end.", Count);
                    return false;
                }

                _logger.LogError(e, "The record refused {Count} outcomes; these calls will show without one.", batch.Count);
                return true;
            }
        }
    }

    private async Task WaitAsync()
    {
        try
        {
            await Task.Delay(RetryAfter, _time, _giveUp.Token);
        }
        catch (OperationCanceledException)
        {
            // The drain ends: one last try follows, and says what was lost.
        }
    }
}
