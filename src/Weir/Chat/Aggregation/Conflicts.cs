namespace Weir.Chat.Aggregation;

/// <summary>Of several items with one key, the better one.</summary>
internal static class Conflicts
{
    /// <returns>What is left, in order. One source that says the same thing twice loses nothing to itself: that is no conflict.</returns>
    public static (IReadOnlyList<ContextItem> Items, IReadOnlyList<LostConflict> Lost) Resolve(IEnumerable<ContextItem> items)
    {
        var winners = new Dictionary<string, ContextItem>(StringComparer.Ordinal);
        List<LostConflict> lost = [];
        foreach (var item in ContextItem.InOrder(items))
        {
            if (winners.TryAdd(item.Key, item))
            {
                continue;
            }

            var winner = winners[item.Key];
            if (winner.Source != item.Source)
            {
                lost.Add(new LostConflict(winner, item));
            }
        }

        return ([.. ContextItem.InOrder(winners.Values)], lost);
    }
}
