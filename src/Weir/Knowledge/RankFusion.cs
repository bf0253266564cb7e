using Weir.Knowledge.Store;

namespace Weir.Knowledge;

/// <summary>
/// Reciprocal rank fusion: a place in a list counts 1 / (60 + place), whatever that list's scores mean. The sum is divided by that of a
/// chunk that is first in all lists, so it is 0 to 1. Equal sums are ordered by id: the same lists give the same order.
/// </summary>
internal static class RankFusion
{
    private const double Constant = 60;

    /// <param name="lists">Each best first and without repetition.</param>
    public static IReadOnlyList<Hit> Fuse(params IReadOnlyList<IReadOnlyList<Guid>> lists)
    {
        var sums = new Dictionary<Guid, double>();
        foreach (var list in lists)
        {
            for (var i = 0; i < list.Count; i++)
            {
                sums[list[i]] = sums.GetValueOrDefault(list[i]) + (1 / (Constant + i + 1));
            }
        }

        var best = lists.Count / (Constant + 1);
        return [.. sums.Select(s => new Hit(s.Key, s.Value / best)).OrderByDescending(h => h.Score).ThenBy(h => h.ChunkId)];
    }
}
