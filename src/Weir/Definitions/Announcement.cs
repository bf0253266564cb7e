using System.Text;
using System.Text.Json;
using Weir.Upstream;

namespace Weir.Definitions;

/// <summary>What a server answered when it was asked for all that it has.</summary>
/// <param name="Items">Each name of a kind once, and beside these what is left out.</param>
/// <param name="Listed">The kinds of which this is all; of the others nothing is known.</param>
/// <param name="Ttl">How long the server says that it is good, the shortest of its lists; null: it says nothing.</param>
/// <param name="ServerInfo">The server's description of itself, JSON.</param>
/// <param name="Capabilities">What it declares that it can do, JSON.</param>
/// <param name="Skipped">Why items were left out, one reason each.</param>
/// <param name="Failures">The lists that could not be had.</param>
internal sealed record Announcement(
    IReadOnlyList<AnnouncedItem> Items, IReadOnlyList<string> Listed, TimeSpan? Ttl, string ServerInfo, string Capabilities,
    IReadOnlyList<string> Skipped, IReadOnlyList<UpstreamException> Failures)
{
    /// <summary>
    /// The kinds of which the server could not be asked for what it has only for clients that offer something: that stays as it is.
    /// </summary>
    public IReadOnlyList<string> KeepsNeeding { get; init; } = [];

    /// <summary>What it holds of its organization's bytes. Disposed by whoever needs the items no more.</summary>
    public ListRoom? Room { get; init; }

    public static Announcement Of(
        IReadOnlyList<ListedKind> listed, IEnumerable<(ListedKind Kind, ListedItems? List)> lists,
        UpstreamSession session, IReadOnlyList<UpstreamException> failures)
    {
        var items = new List<AnnouncedItem>();
        var skipped = new List<string>();
        TimeSpan? ttl = null;
        foreach (var (kind, list) in lists)
        {
            ttl = ServerLists.Shorter(ttl, list?.Ttl);
            foreach (var definition in list?.Items ?? [])
            {
                try
                {
                    items.Add(AnnouncedItem.Read(kind, definition));
                }
                catch (JsonException e)
                {
                    items.Add(AnnouncedItem.LeftOut(kind, definition, e));
                }
            }
        }

        skipped.AddRange(items.Where(i => i.IsLeftOut).Select(i => $"{i.Kind}: {i.Shape.Fault?.Reason}"));
        return new Announcement(
            // What is left out may share its name with another, or have none.
            [.. items.DistinctBy(i => (i.Kind, i.Name, i.IsLeftOut ? Convert.ToHexString(i.Hash) : ""))], [.. listed.Select(k => k.Kind)],
            ttl,
            Encoding.UTF8.GetString(session.ServerInfo), Encoding.UTF8.GetString(session.Capabilities), skipped, failures);
    }
}
