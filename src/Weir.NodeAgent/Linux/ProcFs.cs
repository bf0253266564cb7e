using System.Globalization;

namespace Weir.NodeAgent.Linux;

/// <summary>What <c>/proc</c> says of a process.</summary>
internal static class ProcFs
{
    /// <summary>Clock ticks since boot; with the process id it names one process for good.</summary>
    public static long? StartTime(int process)
    {
        return Stat(process) is { } fields ? StartTime(fields) : null;
    }

    /// <summary>The same, of a recorded stat line.</summary>
    public static long? StartTime(string stat) => StartTime(Fields(stat));

    private static long? StartTime(string[] fields) =>
        fields.Length > 19 && long.TryParse(fields[19], CultureInfo.InvariantCulture, out var ticks) ? ticks : null;

    private static string[]? Stat(int process)
    {
        try
        {
            return Fields(File.ReadAllText($"/proc/{process}/stat"));
        }
        catch (IOException)
        {
            return null;
        }
        catch (UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>State, parent, group, session, … : all that follows the name, which may itself hold spaces and parentheses.</summary>
    private static string[] Fields(string stat) => stat[(stat.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>The processes whose real user is in the range.</summary>
    public static List<int> ProcessesOf(uint firstUid, uint lastUid)
    {
        var found = new List<int>();
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(directory), CultureInfo.InvariantCulture, out var process)
                && Uid(process) is { } uid && uid >= firstUid && uid <= lastUid)
            {
                found.Add(process);
            }
        }

        return found;
    }

    /// <summary>The groups that have a member that is not a zombie: an orphan that nobody has reaped yet does nothing any more.</summary>
    public static IReadOnlySet<int> LiveGroups()
    {
        var groups = new HashSet<int>();
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(directory), CultureInfo.InvariantCulture, out var process)
                && Stat(process) is [not "Z", _, var text, ..] && int.TryParse(text, CultureInfo.InvariantCulture, out var group))
            {
                groups.Add(group);
            }
        }

        return groups;
    }

    private static uint? Uid(int process)
    {
        try
        {
            var line = File.ReadLines($"/proc/{process}/status").FirstOrDefault(l => l.StartsWith("Uid:", StringComparison.Ordinal));
            return line?.Split('\t') is [_, var real, ..] ? uint.Parse(real, CultureInfo.InvariantCulture) : null;
        }
        catch (IOException)
        {
            return null; // It ended meanwhile.
        }
        catch (UnauthorizedAccessException)
        {
            return null;
        }
    }
}
