using System.Collections.Concurrent;
using Weir.Errors;

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

    /// <summary>A reading goes on when its caller has gone: of many vectors it takes seconds, and the next caller would begin anew.</summary>
    public async Task<IReadOnlyList<VectorSegment>> SegmentsAsync(Guid userId, Guid agentId, string model, KnowledgeSource source, CancellationToken ct)
    {
        var entry = _entries.GetOrAdd((source.DatastoreId, model), _ => new Entry());
        entry.UsedAt = time.GetTimestamp();
        while (true)
        {
            var (reading, isOwn) = entry.Begin(source.Version, kept => ReadAsync(entry, kept, userId, agentId, model, source));
            try
            {
                if (await reading.WaitAsync(ct) is { } read && read.Version >= source.Version)
                {
                    return read.Segments;
                }
            }
            catch (WeirException) when (!isOwn)
            {
                // Whose reading that was may not see it; this one asks for itself.
            }
        }
    }

    private async Task<Snapshot> ReadAsync(Entry entry, Snapshot kept, Guid userId, Guid agentId, string model, KnowledgeSource source)
    {
        var old = source.RemovalVersion > kept.Version ? Snapshot.Empty : kept;
        var builder = new VectorSegment.Builder();
        await queries.ReadVectorsAsync(
            userId, agentId, source.DatastoreId, model, old.Version, source.Version, (id, vector) => builder.Add(id, vector), CancellationToken.None);
        IReadOnlyList<VectorSegment> segments = [.. old.Segments, .. builder.Build()];
        var read = new Snapshot(source.Version, segments.Count > MostSegments ? VectorSegment.Merge(segments) : segments);
        entry.Keep(read.Bytes <= maxBytes ? read : Snapshot.Empty);
        Shrink();
        return read;
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
        private readonly Lock _lock = new();
        private Task<Snapshot>? _reading;
        private long _usedAt;
        private Snapshot _kept = Snapshot.Empty;

        public Snapshot Kept => Volatile.Read(ref _kept);

        public void Keep(Snapshot snapshot) => Volatile.Write(ref _kept, snapshot);

        /// <summary>What is kept, where that is enough; else the reading that is under way, or a new one.</summary>
        public (Task<Snapshot> Reading, bool IsOwn) Begin(long version, Func<Snapshot, Task<Snapshot>> read)
        {
            lock (_lock)
            {
                return Kept.Version >= version ? (Task.FromResult(Kept), false)
                    : _reading is { IsCompleted: false } ? (_reading, false)
                    : (_reading = Task.Run(() => read(Kept)), true);
            }
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
