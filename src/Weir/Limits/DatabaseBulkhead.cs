namespace Weir.Limits;

/// <summary>
/// How many requests use the database for one purpose at once: half as many as the pool has connections. The others wait here and not for
/// a connection. A crowd would use up the pool, and a request that waits long for a connection is told that the database does not answer.
/// </summary>
internal sealed class DatabaseBulkhead(int poolSize, TimeProvider time)
{
    private readonly SemaphoreSlim _permits = new(Math.Max(1, poolSize / 2));

    /// <returns>The permit; disposing of it lets the next request in. Null: the timeout has passed.</returns>
    public async Task<IDisposable?> EnterAsync(TimeSpan timeout, CancellationToken ct)
    {
        using var over = new CancellationTokenSource(timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, over.Token);
        try
        {
            await _permits.WaitAsync(either.Token);
            return new Permit(_permits);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return null;
        }
    }

    /// <summary>Released once, however often it is disposed of.</summary>
    private sealed class Permit(SemaphoreSlim permits) : IDisposable
    {
        private SemaphoreSlim? _permits = permits;

        public void Dispose() => Interlocked.Exchange(ref _permits, null)?.Release();
    }
}
