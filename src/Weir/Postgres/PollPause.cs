using System.Threading.Channels;

namespace Weir.Postgres;

/// <summary>
/// The pause of a worker between two looks at the database, which a hint cuts short. A hint that comes while the worker is at work
/// counts for its next pause.
/// </summary>
internal sealed class PollPause(TimeSpan length, TimeProvider time)
{
    // Not a semaphore: one whose wait was given up may still hand the next hint to that wait, and so lose it.
    private readonly Channel<bool> _hint =
        Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    /// <summary>There may be something to see: look now.</summary>
    public void End() => _hint.Writer.TryWrite(true);

    /// <summary>Looks, pauses, and looks again, until the worker is to stop; then it returns.</summary>
    /// <param name="look">An exception of its own ends the loop.</param>
    public async Task RepeatAsync(Func<CancellationToken, Task> look, CancellationToken stopping)
    {
        try
        {
            while (true)
            {
                await look(stopping);
                await WaitAsync(stopping);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Stopping.
        }
    }

    /// <exception cref="OperationCanceledException">The worker is to stop.</exception>
    public async Task WaitAsync(CancellationToken ct)
    {
        using var pause = CancellationTokenSource.CreateLinkedTokenSource(ct);
        await Task.WhenAny(_hint.Reader.WaitToReadAsync(pause.Token).AsTask(), Task.Delay(length, time, pause.Token));
        await pause.CancelAsync();
        ct.ThrowIfCancellationRequested();
        // Whatever ended the pause, the look that follows sees what the hint was about.
        _hint.Reader.TryRead(out _);
    }
}
