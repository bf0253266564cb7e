using System.Collections.Concurrent;

namespace Weir.Knowledge.Vectors;

/// <summary>
/// Vectors that this replica searches itself, by datastore and model, up to a bound of memory; whoever was asked for least lately goes first.
/// They are ids and numbers and hold no permission: which datastores are searched, and which of the chunks found are seen, the database decides
/// in each search. Its version tells what is missing here: what was added is read, and after a removal all is read anew.
/// </summary>
internal sealed class VectorCache(KnowledgeQueries queries, long maxBytes, TimeProvider time)
{
    private const int MostSegments = 16;

    private readonly ConcurrentDictionary<(Guid DatastoreId, string Model), Entry> _entries = new();

    /// <summary>For tests: how much is kept.</summary>
    internal long Bytes => _entries.Values.Sum(e => e.Kept.Bytes);

    public async Task<IReadOnlyList<VectorSegment>> SegmentsAsync(Guid userId, Guid agentId, string model, KnowledgeSource source, CancellationToken ct)
    {
        var entry = _entries.GetOrAdd((source.DatastoreId, model), _ => new Entry());
        entry.UsedAt = time.GetTimestamp();
        if (entry.Kept is var kept && kept.Version >= source.Version)
        {
            return kept.Segments;
        }

        // One reads, the others wait for it.
        await entry.Reading.WaitAsync(ct);
        try
        {
            kept = entry.Kept;
            if (kept.Version >= source.Version)
            {
                return kept.Segments;
            }

            kept = await ReadAsync(kept, userId, agentId, model, source, ct);
            entry.Kept = kept.Bytes <= maxBytes ? kept : Snapshot.Empty;
        }
        finally
        {
            entry.Reading.Release();
        }

        Shrink();
        return kept.Segments;
    }

    private async Task<Snapshot> ReadAsync(Snapshot kept, Guid userId, Guid agentId, string model, KnowledgeSource source, CancellationToken ct)
    {
        var old = source.RemovalVersion > kept.Version ? Snapshot.Empty : kept;
        var builder = new VectorSegment.Builder();
        await queries.ReadVectorsAsync(userId, agentId, source.DatastoreId, model, old.Version, source.Version, (id, vector) => builder.Add(id, vector), ct);
        IReadOnlyList<VectorSegment> segments = [.. old.Segments, .. builder.Build()];
        return new Snapshot(source.Version, segments.Count > MostSegments ? VectorSegment.Merge(segments) : segments);
    }

    private void Shrink()
    {
        var oldestFirst = new Queue<KeyValuePair<(Guid, string), Entry>>(_entries.OrderBy(e => e.Value.UsedAt));
        var bytes = oldestFirst.Sum(e => e.Value.Kept.Bytes);
        while (bytes > maxBytes && oldestFirst.TryDequeue(out var oldest))
        {
            bytes -= oldest.Value.Kept.Bytes;
            _entries.TryRemove(oldest.Key, out _);
        }
    }

    private sealed record Snapshot(long Version, IReadOnlyList<VectorSegment> Segments)
    {
        public static readonly Snapshot Empty = new(0, []);

        public long Bytes { get; } = Segments.Sum(s => s.Bytes);
    }

    private sealed class Entry
    {
        private long _usedAt;
        private Snapshot _kept = Snapshot.Empty;

        public SemaphoreSlim Reading { get; } = new(1);

        public Snapshot Kept
        {
            get => Volatile.Read(ref _kept);
            set => Volatile.Write(ref _kept, value);
        }

        public long UsedAt
        {
            get => Volatile.Read(ref _usedAt);
            set => Volatile.Write(ref _usedAt, value);
        }
    }
}

/// <summary>In this process: each vector is compared, so the answer is exact.</summary>
internal sealed class ExactVectors(VectorCache cache) : IVectorSearch
{
    public async Task<IReadOnlyList<Hit>> SearchAsync(VectorQuery query, CancellationToken ct)
    {
        var best = new NearestHits(query.Limit);
        foreach (var source in query.Sources)
        {
            foreach (var segment in await cache.SegmentsAsync(query.UserId, query.AgentId, query.Model, source, ct))
            {
                ct.ThrowIfCancellationRequested();
                segment.Search(query.Vector, best);
            }
        }

        return best.BestFirst();
    }
}
