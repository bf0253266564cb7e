namespace Weir.Rest;

/// <summary>
/// Keeps the published names. Read when first needed and when a name is not found that may be new, at most every few seconds.
/// </summary>
internal sealed class PublishedApis(RestQueries queries, TimeProvider time)
{
    private static readonly TimeSpan MinimumAge = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private Kept? _kept;
    private Task<PublishedApi>? _reading;

    public Task<PublishedApi> GetAsync(CancellationToken ct) => ReadAsync(notOlderThan: TimeSpan.MaxValue, ct);

    /// <summary>
    /// The names as they are now, or were a few seconds ago: whoever asks for nonsense must not make us read all the time.
    /// </summary>
    public Task<PublishedApi> ReadAgainAsync(CancellationToken ct) => ReadAsync(MinimumAge, ct);

    /// <summary>The database may be another one than it was: after a migration, or a lost connection.</summary>
    public void Drop()
    {
        lock (_lock)
        {
            (_kept, _reading) = (null, null);
        }
    }

    /// <summary>
    /// One reads for all who wait, and goes on when they leave: a statement that is cancelled is lines in PostgreSQL's log.
    /// </summary>
    private Task<PublishedApi> ReadAsync(TimeSpan notOlderThan, CancellationToken ct)
    {
        lock (_lock)
        {
            if (_kept is { } kept && time.GetElapsedTime(kept.ReadAt) < notOlderThan)
            {
                return Task.FromResult(kept.Api);
            }

            if (_reading is null)
            {
                // Begun here and awaited by whoever comes; it forgets itself when it is over.
                var done = new TaskCompletionSource<PublishedApi>(TaskCreationOptions.RunContinuationsAsynchronously);
                _reading = done.Task;
                _ = ReadNowAsync(done);
            }

            return _reading.WaitAsync(ct);
        }
    }

    private async Task ReadNowAsync(TaskCompletionSource<PublishedApi> done)
    {
        await Task.Yield();
        try
        {
            var read = await queries.PublishedAsync(CancellationToken.None);
            Over(done.Task, new Kept(read, time.GetTimestamp()));
            done.SetResult(read);
        }
        catch (Exception e)
        {
            Over(done.Task, read: null);
            done.SetException(e);
        }
    }

    /// <summary>What was dropped meanwhile is not kept.</summary>
    private void Over(Task<PublishedApi> reading, Kept? read)
    {
        lock (_lock)
        {
            if (_reading == reading)
            {
                (_kept, _reading) = (read ?? _kept, null);
            }
        }
    }

    private sealed record Kept(PublishedApi Api, long ReadAt);
}
