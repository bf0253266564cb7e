namespace Weir.Chat.Aggregation;

/// <summary>Shares tokens out: a floor for each, the rest by weight, and what one does not need goes to the others.</summary>
internal static class TokenShares
{
    /// <param name="wants">What each could use, and its weight (1 or more). The better one first: it gets the tokens that do not
    /// divide.</param>
    /// <returns>Never more than is wanted, and together never more than <paramref name="total"/>.</returns>
    public static int[] Of(int total, IReadOnlyList<(int Demand, long Weight)> wants, int floor)
    {
        var shares = new int[wants.Count];
        var left = Math.Max(0, total);
        var each = wants.Count == 0 ? 0 : Math.Min(floor, left / wants.Count);
        for (var i = 0; i < shares.Length; i++)
        {
            shares[i] = Math.Min(wants[i].Demand, each);
            left -= shares[i];
        }

        while (left > 0)
        {
            var open = Enumerable.Range(0, shares.Length).Where(i => shares[i] < wants[i].Demand).ToArray();
            if (open.Length == 0)
            {
                break;
            }

            left -= Round(left, open, wants, shares);
        }

        return shares;
    }

    private static int Round(int left, int[] open, IReadOnlyList<(int Demand, long Weight)> wants, int[] shares)
    {
        var weight = open.Sum(i => wants[i].Weight);
        var given = 0;
        foreach (var i in open)
        {
            var part = (int)Math.Min(left * wants[i].Weight / weight, wants[i].Demand - shares[i]);
            shares[i] += part;
            given += part;
        }

        if (given > 0)
        {
            return given;
        }

        // Fewer than there are of them: one for each of the first.
        foreach (var i in open.Take(left))
        {
            shares[i]++;
            given++;
        }

        return given;
    }
}
