using System.Numerics.Tensors;
using Weir.Knowledge.Store;

namespace Weir.Knowledge.Vectors;

/// <summary>Vectors of one length, one behind the other, with the chunks that they are of. Never changed once it is built.</summary>
internal sealed class VectorSegment(Guid[] chunkIds, float[] values, int dimensions)
{
    public long Bytes => (16L * chunkIds.Length) + (sizeof(float) * (long)values.Length);

    public int Count => chunkIds.Length;

    /// <summary>Adds to the best whatever is nearer than the worst of them.</summary>
    public void Search(ReadOnlySpan<float> vector, NearestHits best)
    {
        if (vector.Length != dimensions)
        {
            // Of a model that was told to give another length meanwhile.
            return;
        }

        for (var i = 0; i < chunkIds.Length; i++)
        {
            best.Offer(chunkIds[i], TensorPrimitives.Dot(vector, values.AsSpan(i * dimensions, dimensions)));
        }
    }

    /// <summary>
    /// The small ones as one segment for each length, which is searched faster than many. A large one stays as it is: nothing large is held
    /// twice.
    /// </summary>
    public static IReadOnlyList<VectorSegment> Merge(IReadOnlyList<VectorSegment> segments)
    {
        var builder = new Builder();
        foreach (var segment in segments.Where(s => s.Bytes < Builder.Block))
        {
            segment.AddTo(builder);
        }

        return [.. segments.Where(s => s.Bytes >= Builder.Block), .. builder.Build()];
    }

    /// <summary>What one vector takes.</summary>
    public static long BytesOf(int dimensions) => 16 + (sizeof(float) * (long)dimensions);

    private void AddTo(Builder builder)
    {
        for (var i = 0; i < chunkIds.Length; i++)
        {
            builder.Add(chunkIds[i], values.AsSpan(i * dimensions, dimensions));
        }
    }

    internal sealed class Builder
    {
        /// <summary>A segment is finished when it is so large: only this much is ever copied.</summary>
        public const long Block = 4 * 1024 * 1024;

        private readonly SortedDictionary<int, (List<Guid> Ids, List<float> Values)> _lengths = [];
        private readonly List<VectorSegment> _finished = [];

        /// <summary>What was added takes.</summary>
        public long Bytes { get; private set; }

        public void Add(Guid chunkId, ReadOnlySpan<float> vector)
        {
            if (!_lengths.TryGetValue(vector.Length, out var lists))
            {
                _lengths.Add(vector.Length, lists = ([], []));
            }

            lists.Ids.Add(chunkId);
            lists.Values.AddRange(vector);
            Bytes += BytesOf(vector.Length);
            if (lists.Ids.Count * BytesOf(vector.Length) >= Block)
            {
                _finished.Add(new VectorSegment([.. lists.Ids], [.. lists.Values], vector.Length));
                lists.Ids.Clear();
                lists.Values.Clear();
            }
        }

        public IReadOnlyList<VectorSegment> Build() =>
            [
                .. _finished,
                .. _lengths.Where(l => l.Value.Ids.Count > 0).Select(l => new VectorSegment([.. l.Value.Ids], [.. l.Value.Values], l.Key)),
            ];
    }
}

/// <summary>The best so many of what it is offered.</summary>
internal sealed class NearestHits(int limit)
{
    // The worst is first out: of equal scores the larger id.
    private static readonly Comparer<Hit> WorstFirst =
        Comparer<Hit>.Create((a, b) => a.Score.CompareTo(b.Score) is var c and not 0 ? c : b.ChunkId.CompareTo(a.ChunkId));

    private readonly PriorityQueue<Hit, Hit> _hits = new(limit + 1, WorstFirst);

    public void Offer(Guid chunkId, float score)
    {
        var hit = new Hit(chunkId, score);
        if (_hits.Count < limit)
        {
            _hits.Enqueue(hit, hit);
        }
        else if (score >= _hits.Peek().Score && WorstFirst.Compare(hit, _hits.Peek()) > 0)
        {
            _hits.EnqueueDequeue(hit, hit);
        }
    }

    public IReadOnlyList<Hit> BestFirst() => [.. _hits.UnorderedItems.Select(i => i.Element).OrderByDescending(h => h, WorstFirst)];
}
