using System.Collections.Concurrent;
using System.Globalization;
using Weir.Errors;
using Weir.Knowledge.Store;
using Weir.Limits;

namespace Weir.Knowledge.Vectors;

/// <summary>
/// Vectors that this replica searches itself, by datastore and model, up to a bound of memory; whoever was asked for least lately goes
/// first. They are ids and numbers and hold no permission: which datastores are searched, and which of the chunks found are seen, the
/// database decides in each search. Its version tells what is missing here: what was added is read, and after a removal all is read anew. A
/// datastore that alone is beyond the bound is not searched here: its vectors are counted while they are read, and the reading ends at the
/// bound.
/// </summary>
internal sealed class VectorCache(KnowledgeQueries queries, long maxBytes, TimeProvider time) : IDisposable
{
    private const int MostSmallSegments = 16;

    /// <summary>
    /// Readings at once: each may hold as much as the bound, and has a connection of the engine's for as long as it takes.
    /// </summary>
    private const int MostReadings = 2;

    /// <summary>Readings of an organization at once, and how long one waits for that.</summary>
    private const int MostReadingsOfOrganization = 1;
    private const int MostWaiting = 50;
    private static readonly TimeSpan MaxWait = TimeSpan.FromMinutes(1);

    /// <summary>A datastore that was too large is not read again before that, whatever changes in it.</summary>
    private static readonly TimeSpan TooLargePause = TimeSpan.FromMinutes(1);

    private readonly PerCallerQueue _organizations = new(MostReadingsOfOrganization, MostWaiting, MaxWait, time);
    private readonly SemaphoreSlim _readings = new(MostReadings);

    private readonly ConcurrentDictionary<(Guid DatastoreId, string Model), Entry> _entries = new();

    /// <summary>For tests: how much is kept.</summary>
    internal long Bytes => _entries.Values.Sum(e => e.Kept.Bytes);

    /// <summary>For tests: how often vectors were read, and the most that one reading took.</summary>
    internal (int Readings, int Most) Read { get; private set; }

    /// <summary>
    /// A reading goes on when its caller has gone: of many vectors it takes seconds, and the next caller would begin anew.
    /// </summary>
    /// <param name="dimensions">Of the question's vector, and so of those that it is compared with.</param>
    /// <exception cref="WeirException">WR010: it has more vectors than this replica keeps. WR008: too many of its organization
    /// wait.</exception>
    public async Task<IReadOnlyList<VectorSegment>> SegmentsAsync(
        Guid userId, Guid agentId, string model, int dimensions, KnowledgeSource source, CancellationToken ct)
    {
        var entry = _entries.GetOrAdd((source.DatastoreId, model), _ => new Entry());
        entry.UsedAt = time.GetTimestamp();
        while (true)
        {
            if (entry.TooLargeAt is { } at && time.GetElapsedTime(at) < TooLargePause)
            {
                throw TooLarge();
            }

            var (reading, isOwn) = entry.Begin(source.Version, kept => InTurnAsync(
                source.OrganizationId, () => ReadAsync(entry, kept, userId, agentId, model, dimensions, source)));
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

    public void Dispose() => _readings.Dispose();

    private async Task<Snapshot> InTurnAsync(Guid organization, Func<Task<Snapshot>> read)
    {
        using var own = await _organizations.EnterAsync(organization.ToString(), CancellationToken.None)
            ?? throw new WeirException(ErrorCode.RateLimited, "Too many vectors of the organization are being read.", "Retry in a moment.");
        await _readings.WaitAsync();
        try
        {
            return await read();
        }
        finally
        {
            _readings.Release();
        }
    }

    private async Task<Snapshot> ReadAsync(
        Entry entry, Snapshot kept, Guid userId, Guid agentId, string model, int dimensions, KnowledgeSource source)
    {
        var old = source.RemovalVersion > kept.Version ? Snapshot.Empty : kept;
        var builder = new VectorSegment.Builder();
        var (room, count) = (maxBytes - old.Bytes, 0);
        try
        {
            // One more than there is room for tells that there are more.
            await queries.ReadVectorsAsync(
                userId, agentId, source.DatastoreId, model, old.Version, source.Version, (room / VectorSegment.BytesOf(dimensions)) + 1,
                (id, vector) =>
                {
                    count++;
                    builder.Add(id, vector);
                    if (builder.Bytes > room)
                    {
                        throw TooLarge();
                    }
                },
                CancellationToken.None);
        }
        catch (WeirException e) when (e.Code == ErrorCode.NotSupported)
        {
            entry.Keep(Snapshot.Empty);
            entry.TooLargeAt = time.GetTimestamp();
            throw;
        }
        finally
        {
            Read = (Read.Readings + 1, Math.Max(Read.Most, count));
        }

        IReadOnlyList<VectorSegment> segments = [.. old.Segments, .. builder.Build()];
        var read = new Snapshot(
            source.Version,
            segments.Count(s => s.Bytes < VectorSegment.Builder.Block) > MostSmallSegments ? VectorSegment.Merge(segments) : segments);
        entry.Keep(read);
        Shrink();
        return read;
    }

    private WeirException TooLarge() => new(
        ErrorCode.NotSupported,
        string.Create(
            CultureInfo.InvariantCulture,
            $"A datastore has more vectors than this replica searches itself ({maxBytes / (1024 * 1024)} MiB, "
                + $"knowledge.vectorCacheMegabytes)."),
        "Search with pgvector, or spread the documents over datastores.");

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
        private long _tooLargeAt = -1;
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

        /// <summary>When a reading ended at the bound; null: none did.</summary>
        public long? TooLargeAt
        {
            get => Volatile.Read(ref _tooLargeAt) is >= 0 and var at ? at : null;
            set => Volatile.Write(ref _tooLargeAt, value ?? -1);
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
            foreach (var segment in await cache.SegmentsAsync(query.UserId, query.AgentId, query.Model, query.Vector.Length, source, ct))
            {
                ct.ThrowIfCancellationRequested();
                segment.Search(query.Vector, best);
            }
        }

        return best.BestFirst();
    }
}
