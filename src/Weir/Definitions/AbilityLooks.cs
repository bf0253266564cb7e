using System.Collections.Concurrent;
using Weir.Mcp;
using Weir.Upstream;

namespace Weir.Definitions;

/// <summary>
/// Finds what a server has only for clients that offer something, and what they must offer: a look as a client that offers nothing,
/// one as a client that offers everything, and where the second has more, one for each ability until each item is explained. What was
/// found is remembered, so that most refreshes cost the two looks.
/// </summary>
internal sealed class AbilityLooks(TimeProvider time)
{
    /// <summary>For the looks that explain; what is not explained by then is not listed this time.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    /// <summary>Beyond this many servers all is forgotten: it is found again.</summary>
    private const int MaxKept = 10_000;

    /// <summary>Looks that find a smallest set of several abilities, in one refresh.</summary>
    private const int MaxCombined = 12;

    private readonly ConcurrentDictionary<Guid, Known> _known = new();

    public delegate Task<Announcement> Look(UpstreamTarget target, ClientCapabilities offered, CancellationToken ct);

    /// <summary>All that the server announces, each item with what it needs.</summary>
    /// <exception cref="UpstreamException">The server does not answer a client that offers nothing.</exception>
    public async Task<Announcement> LookAsync(UpstreamTarget target, DefinitionQueries.Instance instance, Look look, CancellationToken ct)
    {
        if (target.IsNode && instance.Share != "session")
        {
            // One child for all, which was initialized long ago as for a client that offers nothing.
            return await look(target, ClientCapabilities.None, ct);
        }

        var plain = await look(target, ClientCapabilities.None, ct);
        var print = plain.Items.Aggregate(0, (print, item) => print ^ KeyOf(item).GetHashCode(StringComparison.Ordinal));
        var isKnown = _known.TryGetValue(instance.Id, out var known) && known.Generation == instance.Generation && known.Plain == print;
        if ((isKnown && instance.Share != "session") || await TryAsync(target, ClientAbilities.All, look, ct) is not { } full)
        {
            // What is listed to nobody is not looked for again and again.
            return plain with { KeepsNeeding = plain.Listed };
        }

        var more = Beyond(plain, full);
        if (more.Any(m => !m.IsLeftOut && known?.Needs.ContainsKey(KeyOf(m)) != true))
        {
            // What came between the two looks needs nothing.
            plain.Room?.Dispose();
            plain = await look(target, ClientCapabilities.None, ct);
            more = Beyond(plain, full);
        }

        var needs = await ExplainAsync(target, known?.Generation == instance.Generation ? known.Needs : [], more, look, ct);
        if (_known.Count >= MaxKept)
        {
            _known.Clear();
        }

        var explained = more.Where(m => m.IsLeftOut || needs.ContainsKey(KeyOf(m))).ToArray();
        // What is not explained yet is looked at again.
        _known[instance.Id] = new Known(instance.Generation, explained.Length == more.Length ? print : ~print, needs);
        return plain with
        {
            Items = [.. plain.Items, .. explained.Select(m => Listed(m, needs.GetValueOrDefault(KeyOf(m)), instance.Share))],
            KeepsNeeding =
            [
                .. plain.Listed.Where(
                    k => !full.Listed.Contains(k, StringComparer.Ordinal) || more.Except(explained).Any(m => m.Kind == k)),
            ],
        };
    }

    private static AnnouncedItem[] Beyond(Announcement plain, Announcement full)
    {
        var there = plain.Items.Select(i => (i.Kind, i.Name)).ToHashSet();
        return [.. full.Items.Where(i => plain.Listed.Contains(i.Kind, StringComparer.Ordinal) && !there.Contains((i.Kind, i.Name)))];
    }

    /// <summary>Where callers share sessions nobody could tell whom the server asks, so it is listed to nobody.</summary>
    private static AnnouncedItem Listed(AnnouncedItem item, IReadOnlyList<string>? needs, string share)
    {
        if (needs is null)
        {
            return item;
        }

        return share == "session"
            ? item with { Needs = needs }
            : item with
            {
                Needs = needs,
                Shape = new ItemShape([], new ItemFault(
                    ItemFault.Unsupported, Path: null,
                    $"The server has it only for clients that offer {string.Join(" and ", needs)}. "
                    + $"Callers share this server's sessions (share is {share}), "
                    + "so nobody could answer: set share to session to list it.")),
            };
    }

    private async Task<Dictionary<string, IReadOnlyList<string>>> ExplainAsync(
        UpstreamTarget target, Dictionary<string, IReadOnlyList<string>> known, AnnouncedItem[] more, Look look, CancellationToken ct)
    {
        var open = more.Where(m => !m.IsLeftOut && !known.ContainsKey(KeyOf(m))).Select(KeyOf).ToHashSet(StringComparer.Ordinal);
        var needs = more.Select(KeyOf).Where(known.ContainsKey).Distinct(StringComparer.Ordinal)
            .ToDictionary(k => k, k => known[k], StringComparer.Ordinal);
        if (open.Count > 0)
        {
            await ExplainAsync(open, needs, abilities => TryKeysAsync(target, abilities, look, ct), time.GetTimestamp());
        }

        return needs;
    }

    /// <param name="ask">What a client that offers these is shown; null: the server did not say.</param>
    private async Task ExplainAsync(
        HashSet<string> open, Dictionary<string, IReadOnlyList<string>> needs, Func<IReadOnlyList<string>, Task<HashSet<string>?>> ask,
        long started)
    {
        bool IsOver() => open.Count == 0 || time.GetElapsedTime(started) > Limit;
        foreach (var ability in ClientAbilities.All.TakeWhile(_ => !IsOver()))
        {
            Settle([ability], await ask([ability]));
        }

        // What takes several: each ability without which it is still there is not needed, the special ones before those that they imply.
        for (var looks = 0; !IsOver() && looks < MaxCombined;)
        {
            var item = open.First();
            IReadOnlyList<string> enough = ClientAbilities.All;
            HashSet<string>? shown = null;
            foreach (var ability in ClientAbilities.All.Reverse())
            {
                var fewer = enough.Where(a => a != ability).ToArray();
                looks++;
                if (await ask(fewer) is { } less && less.Contains(item))
                {
                    (enough, shown) = (fewer, less);
                }
            }

            Settle(enough, shown ?? [item]);
            open.Remove(item);
        }

        void Settle(IReadOnlyList<string> abilities, HashSet<string>? shown)
        {
            foreach (var item in open.Where(i => shown?.Contains(i) == true).ToArray())
            {
                needs[item] = abilities;
                open.Remove(item);
            }
        }
    }

    private static async Task<HashSet<string>?> TryKeysAsync(
        UpstreamTarget target, IReadOnlyList<string> abilities, Look look, CancellationToken ct)
    {
        var shown = await TryAsync(target, abilities, look, ct);
        using var room = shown?.Room;
        return shown?.Items.Select(KeyOf).ToHashSet(StringComparer.Ordinal);
    }

    private static async Task<Announcement?> TryAsync(
        UpstreamTarget target, IReadOnlyList<string> abilities, Look look, CancellationToken ct)
    {
        try
        {
            return await look(target, ClientAbilities.Capabilities(abilities), ct);
        }
        catch (UpstreamException)
        {
            return null;
        }
    }

    private static string KeyOf(AnnouncedItem item) => $"{item.Kind} {Convert.ToHexString(item.Hash)} {item.Name}";

    /// <param name="Plain">What the server had for a client that offers nothing, as one number.</param>
    private sealed record Known(long Generation, int Plain, Dictionary<string, IReadOnlyList<string>> Needs);
}
