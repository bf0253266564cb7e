using Weir.Knowledge;
using Weir.Knowledge.Store;
using Weir.Knowledge.Vectors;

namespace Weir.Tests.Knowledge;

public sealed class RankFusionTests
{
    private static readonly Guid[] Ids = [.. Enumerable.Range(1, 9).Select(n => new Guid(n, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0]))];

    [Fact]
    public void What_is_in_both_lists_comes_before_what_is_first_in_one()
    {
        var fused = RankFusion.Fuse([Ids[0], Ids[1]], [Ids[2], Ids[1]]);

        fused.Select(h => h.ChunkId).ShouldBe([Ids[1], Ids[0], Ids[2]]);
    }

    [Fact]
    public void The_score_is_one_for_what_is_first_in_all_lists_and_falls()
    {
        var fused = RankFusion.Fuse([Ids[0], Ids[1], Ids[2]], [Ids[0], Ids[2]]);

        fused[0].ShouldBe(new Hit(Ids[0], 1));
        fused.Select(h => h.Score).ShouldBeInOrder(SortDirection.Descending);
        fused.ShouldAllBe(h => h.Score > 0 && h.Score <= 1);
    }

    [Fact]
    public void Equal_places_are_ordered_by_id_so_that_the_order_is_always_the_same()
    {
        RankFusion.Fuse([Ids[5]], [Ids[3]]).Select(h => h.ChunkId).ShouldBe([Ids[3], Ids[5]]);
        RankFusion.Fuse([Ids[3]], [Ids[5]]).Select(h => h.ChunkId).ShouldBe([Ids[3], Ids[5]]);
    }

    [Fact]
    public void Nothing_gives_nothing() => RankFusion.Fuse([], []).ShouldBeEmpty();
}

public sealed class VectorSegmentTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(10)]
    [InlineData(5000)]
    public void The_nearest_are_exactly_those_of_a_sorted_list(int limit)
    {
        var random = new Lcg(42);
        var builder = new VectorSegment.Builder();
        var all = new List<(Guid Id, float[] Vector)>();
        for (var i = 0; i < 2000; i++)
        {
            // some are equal
            var vector = i % 10 == 9 ? all[^1].Vector : random.Unit(24);
            all.Add((new Guid(i, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0]), vector));
            builder.Add(all[^1].Id, vector);
        }

        var query = random.Unit(24);
        var best = new NearestHits(limit);
        builder.Build().Single().Search(query, best);

        var expected = all.Select(v => (v.Id, Score: v.Vector.Zip(query).Sum(p => (double)p.First * p.Second)))
            .OrderByDescending(v => Math.Round(v.Score, 5)).ThenBy(v => v.Id).Take(limit).ToArray();
        var found = best.BestFirst();
        found.Count.ShouldBe(expected.Length);
        found.Zip(expected).ShouldAllBe(p => Math.Abs(p.First.Score - p.Second.Score) < 1e-5);
        found.OrderByDescending(h => h.Score).ThenBy(h => h.ChunkId).ShouldBe(found);
    }

    [Fact]
    public void Vectors_of_another_length_are_not_compared_and_segments_can_be_merged()
    {
        var builder = new VectorSegment.Builder();
        builder.Add(new Guid(1, 0, 0, new byte[8]), [1f, 0f]);
        builder.Add(new Guid(2, 0, 0, new byte[8]), [1f, 0f, 0f]);
        builder.Add(new Guid(3, 0, 0, new byte[8]), [0f, 1f]);
        var segments = VectorSegment.Merge([.. builder.Build(), .. builder.Build().Take(0)]);

        var best = new NearestHits(10);
        foreach (var segment in segments)
        {
            segment.Search([0f, 1f], best);
        }

        segments.Sum(s => s.Count).ShouldBe(3);
        best.BestFirst().Select(h => h.Score).ShouldBe([1d, 0d]);
    }

    /// <summary>The same numbers in each run.</summary>
    private sealed class Lcg(uint seed)
    {
        private uint _state = seed;

        public float[] Unit(int dimensions)
        {
            var vector = new float[dimensions];
            for (var i = 0; i < dimensions; i++)
            {
                _state = (_state * 1_664_525) + 1_013_904_223;
                vector[i] = ((_state >> 8) / (float)(1 << 24)) - 0.5f;
            }

            var length = MathF.Sqrt(vector.Sum(v => v * v));
            return [.. vector.Select(v => v / length)];
        }
    }
}
