namespace Weir.Rest;

/// <summary>Keeps the published names. Read when first needed and when a name is not found that may be new, at most every few seconds.</summary>
internal sealed class PublishedApis(RestQueries queries, TimeProvider time)
{
    private static readonly TimeSpan MinimumAge = TimeSpan.FromSeconds(5);

    private readonly SemaphoreSlim _reading = new(1);
    private volatile Kept? _kept;

    public async ValueTask<PublishedApi> GetAsync(CancellationToken ct) => _kept?.Api ?? await ReadAsync(notOlderThan: TimeSpan.MaxValue, ct);

    /// <summary>The names as they are now, or were a few seconds ago: whoever asks for nonsense must not make us read all the time.</summary>
    public Task<PublishedApi> ReadAgainAsync(CancellationToken ct) => ReadAsync(MinimumAge, ct);

    /// <summary>The database may be another one than it was: after a migration, or a lost connection.</summary>
    public void Drop() => _kept = null;

    private async Task<PublishedApi> ReadAsync(TimeSpan notOlderThan, CancellationToken ct)
    {
        await _reading.WaitAsync(ct);
        try
        {
            if (_kept is { } kept && time.GetElapsedTime(kept.ReadAt) < notOlderThan)
            {
                return kept.Api;
            }

            var read = new Kept(await queries.PublishedAsync(ct), time.GetTimestamp());
            _kept = read;
            return read.Api;
        }
        finally
        {
            _reading.Release();
        }
    }

    private sealed record Kept(PublishedApi Api, long ReadAt);
}
