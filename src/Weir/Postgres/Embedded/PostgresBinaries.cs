using System.Globalization;
using System.Text.RegularExpressions;

namespace Weir.Postgres.Embedded;

/// <summary>Where PostgreSQL's programs are, and what they need to find their libraries.</summary>
internal sealed partial record PostgresBinaries(string Directory, int Major, string? LibraryPath = null)
{
    public const int OldestMajor = 15;

    public string Postgres => Path.Combine(Directory, "postgres");

    public string InitDb => Path.Combine(Directory, "initdb");

    /// <summary>Those of <c>PATH</c>, then the newest of Debian's; of one major version if it is given. Null: none.</summary>
    public static async Task<PostgresBinaries?> FindAsync(int? major, CancellationToken cancellationToken)
    {
        IEnumerable<string> onPath = Tool.Find("postgres") is { } found ? [Path.GetDirectoryName(ResolveLink(found))!] : [];
        foreach (var directory in onPath.Concat(DebianDirectories("/usr/lib/postgresql")))
        {
            if (await ProbeAsync(directory, null, major, cancellationToken) is { } binaries)
            {
                return binaries;
            }
        }

        return null;
    }

    /// <summary>Newest version first.</summary>
    public static IEnumerable<string> DebianDirectories(string root) => !System.IO.Directory.Exists(root)
        ? []
        : System.IO.Directory.GetDirectories(root)
            .OrderByDescending(
            d => int.TryParse(Path.GetFileName(d), NumberStyles.None, CultureInfo.InvariantCulture, out var version) ? version : 0)
            .Select(d => Path.Combine(d, "bin"));

    /// <summary>The programs of a directory, if they are there, run, and are of a version that will do.</summary>
    public static async Task<PostgresBinaries?> ProbeAsync(
        string directory, string? libraryPath, int? major, CancellationToken cancellationToken)
    {
        var binaries = new PostgresBinaries(directory, 0, libraryPath);
        if (!File.Exists(binaries.Postgres) || !File.Exists(binaries.InitDb))
        {
            return null;
        }

        var start = new System.Diagnostics.ProcessStartInfo(binaries.Postgres, ["--version"]);
        binaries.AddTo(start);
        var result = await Tool.RunAsync(start, cancellationToken);
        if (Version().Match(result.Output) is not { Success: true } match)
        {
            return null;
        }

        var found = int.Parse(match.Groups["major"].ValueSpan, CultureInfo.InvariantCulture);
        return found >= OldestMajor && (major ?? found) == found ? binaries with { Major = found } : null;
    }

    public void AddTo(System.Diagnostics.ProcessStartInfo start)
    {
        if (LibraryPath is not null)
        {
            start.Environment["LD_LIBRARY_PATH"] = LibraryPath;
        }
    }

    private static string ResolveLink(string file) => new FileInfo(file).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? file;

    [GeneratedRegex(
        @"\(PostgreSQL\) (?<major>\d+)", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Version();
}
