namespace Weir.Chat;

/// <summary>
/// How many turns are at the database for the same purpose at once. The others wait here, each in its place, and not for a connection: a
/// crowd would use up the pool, and who waits long for it is told that the database does not answer.
/// </summary>
internal sealed class TurnDoor(int poolSize, TimeProvider time)
{
    private readonly SemaphoreSlim _places = new(Math.Max(1, poolSize / 2));

    /// <returns>Disposing of it lets the next one in; null where the patience is over.</returns>
    public async Task<IDisposable?> EnterAsync(TimeSpan patience, CancellationToken ct)
    {
        using var over = new CancellationTokenSource(patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, over.Token);
        try
        {
            await _places.WaitAsync(either.Token);
            return new Place(_places);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return null;
        }
    }

    /// <summary>Given back once, however often it is disposed of.</summary>
    private sealed class Place(SemaphoreSlim places) : IDisposable
    {
        private SemaphoreSlim? _places = places;

        public void Dispose() => Interlocked.Exchange(ref _places, null)?.Release();
    }
}
