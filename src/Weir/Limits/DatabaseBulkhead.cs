namespace Weir.Limits;

/// <summary>
/// How many turns are at the database for the same purpose at once. The others wait here, each in its place, and not for a connection: a
/// crowd would use up the pool, and who waits long for it is told that the database does not answer.
/// </summary>
internal sealed class DatabaseBulkhead(int poolSize, TimeProvider time)
{
    private readonly SemaphoreSlim _permits = new(Math.Max(1, poolSize / 2));

    /// <returns>Disposing of it lets the next one in; null where the timeout has passed.</returns>
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

    /// <summary>Given back once, however often it is disposed of.</summary>
    private sealed class Permit(SemaphoreSlim places) : IDisposable
    {
        private SemaphoreSlim? _permits = places;

        public void Dispose() => Interlocked.Exchange(ref _permits, null)?.Release();
    }
}
