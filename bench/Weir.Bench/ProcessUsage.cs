using System.Globalization;

namespace Weir.Bench;

/// <summary>Processor time and memory of some processes, from <c>/proc</c>.</summary>
internal sealed class ProcessUsage(string name, Func<IReadOnlyList<int>> processes)
{
    /// <summary>Linux's unit of process times on every architecture that .NET runs on.</summary>
    private const double TicksPerSecond = 100;

    public string Name { get; } = name;

    /// <summary>The postmaster whose command line names the directory, and its children.</summary>
    public static ProcessUsage OfPostgres(string directory)
    {
        var master = All()
            .First(
            p =>
                Read(p, "cmdline").Contains("postgres\0-D\0" + directory, StringComparison.Ordinal)
                    && Read(p, "comm").StartsWith("postgres", StringComparison.Ordinal));
        return OfTree("postgres", master);
    }

    /// <summary>A process and those that come from it. What has ended no longer counts.</summary>
    public static ProcessUsage OfTree(string name, int root) => new(name, () =>
    {
        var parents = All()
            .ToDictionary(p => p, p => Stat(p) is { Length: > 1 } stat ? int.Parse(stat[1], CultureInfo.InvariantCulture) : 0);
        var tree = new List<int> { root };
        for (var i = 0; i < tree.Count; i++)
        {
            tree.AddRange(parents.Where(p => p.Value == tree[i]).Select(p => p.Key));
        }

        return tree;
    });

    /// <summary>User and system time until now, seconds.</summary>
    public double CpuSeconds() => processes().Sum(p => Stat(p) is { Length: > 12 } stat
        ? (double.Parse(stat[11], CultureInfo.InvariantCulture) + double.Parse(stat[12], CultureInfo.InvariantCulture)) / TicksPerSecond
        : 0);

    /// <summary>Resident memory now, MB.</summary>
    public double ResidentMegabytes() => processes().Sum(p =>
        Read(p, "status").Split('\n').FirstOrDefault(l => l.StartsWith("VmRSS:", StringComparison.Ordinal)) is { } line
            ? double.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture) / 1024
            : 0);

    private static int[] All() =>
        [
            .. Directory.GetDirectories("/proc").Select(Path.GetFileName).Where(n => n!.All(char.IsAsciiDigit))
                .Select(n => int.Parse(n!, CultureInfo.InvariantCulture)),
        ];

    /// <summary>The fields behind the command name: state, parent, …</summary>
    private static string[] Stat(int process)
    {
        var text = Read(process, "stat");
        return text.LastIndexOf(')') is var end and > 0 ? text[(end + 2)..].Split(' ') : [];
    }

    private static string Read(int process, string file)
    {
        try
        {
            return File.ReadAllText($"/proc/{process}/{file}");
        }
        catch (IOException)
        {
            return "";
        }
        catch (UnauthorizedAccessException)
        {
            return "";
        }
    }
}
