using System.Globalization;

namespace Weir.NodeAgent.Processes;

/// <summary>
/// The users that this node's children run as: one per organization, taken from a range that no other node of the host has.
/// Nothing else runs as these users, so whatever runs as one of them is a child, even when it has left its process group.
/// </summary>
internal sealed class UidRange
{
    /// <summary>Organizations that one node serves at most.</summary>
    public const uint Size = 4096;
    private const string HostDirectory = "/run/weir-node";
    private const int Ranges = 256;

    private readonly string _file;
    private readonly Dictionary<Guid, uint> _byOrganization;
    private readonly Lock _lock = new();

    private UidRange(string file, uint first, Dictionary<Guid, uint> byOrganization)
    {
        _file = file;
        First = first;
        _byOrganization = byOrganization;
    }

    public uint First { get; }

    public uint Last => First + Size - 1;

    /// <summary>Held by whoever kills what runs as these users.</summary>
    public string ReaperFile => ReaperFileOf(ClaimOf(First));

    /// <summary>The range that this data directory had before, or the first from <paramref name="firstUid"/> on that is free.</summary>
    public static async Task<UidRange> TakeAsync(string dataDirectory, uint firstUid, TimeProvider time)
    {
        Directory.CreateDirectory(HostDirectory);
        using var oneAtATime = await LockAsync(time);
        var file = Path.Combine(dataDirectory, "state", "uids");
        var known = File.Exists(file) ? File.ReadAllLines(file) : [];
        var before = known.Length > 0 ? uint.Parse(known[0], CultureInfo.InvariantCulture) : firstUid;
        var first = TakeFree(dataDirectory, before, firstUid);
        var users = known.Skip(1).Select(l => l.Split(' '))
            .ToDictionary(p => Guid.Parse(p[0]), p => uint.Parse(p[1], CultureInfo.InvariantCulture) - before + first);
        var range = new UidRange(file, first, users);
        range.Save();
        return range;
    }

    /// <summary>The user of an organization; the same one for good, on this node.</summary>
    public uint For(Guid organization)
    {
        lock (_lock)
        {
            if (!_byOrganization.TryGetValue(organization, out var uid))
            {
                uid = _byOrganization.Count == 0 ? First : _byOrganization.Values.Max() + 1;
                if (uid > Last)
                {
                    throw new InvalidOperationException($"This node has served {Size} organizations; it has no user left for another.");
                }

                _byOrganization.Add(organization, uid);
                Save();
            }

            return uid;
        }
    }

    private static uint TakeFree(string dataDirectory, uint before, uint firstUid)
    {
        var candidates = Enumerable.Range(0, Ranges).Select(i => firstUid + ((uint)i * Size)).Prepend(before);
        foreach (var first in candidates)
        {
            if (TryClaim(ClaimOf(first), dataDirectory))
            {
                return first;
            }
        }

        throw new InvalidOperationException($"No range of {Size} users is free: see {HostDirectory}.");
    }

    private static string ClaimOf(uint first) => Path.Combine(HostDirectory, first.ToString(CultureInfo.InvariantCulture));

    private static string ReaperFileOf(string claim) => claim + ".reaper";

    /// <summary>
    /// A claim holds the data directory that it is for, and holds for as long as that exists, since files there belong to these users,
    /// or its reaper lives.
    /// </summary>
    private static bool TryClaim(string claim, string dataDirectory)
    {
        var owner = File.Exists(claim) ? File.ReadAllText(claim) : "";
        if ((owner != dataDirectory && Directory.Exists(owner)) || Reaper.IsHeld(ReaperFileOf(claim)))
        {
            return false;
        }

        File.WriteAllText(claim, dataDirectory);
        return true;
    }

    /// <summary>Nodes that start at the same time take their ranges one after the other.</summary>
    private static async Task<FileStream> LockAsync(TimeProvider time)
    {
        while (true)
        {
            try
            {
                return new FileStream(Path.Combine(HostDirectory, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(20), time, CancellationToken.None);
            }
        }
    }

    private void Save() => State.StateFile.WriteText(
        _file, string.Join('\n', _byOrganization.Select(p => $"{p.Key} {p.Value}").Prepend(First.ToString(CultureInfo.InvariantCulture))));
}
