using Weir.Dtma.Processes;

namespace Weir.Dtma.Servers;

/// <summary>
/// A short path to each instance's directory, for its <c>TMPDIR</c>. The path of a Unix socket has 107 characters at most, and a program that makes one
/// in <c>TMPDIR</c>, as browsers do, could not make it below a data directory whose own path is long. What is written there is in the instance's directory.
/// </summary>
/// <param name="root">The node's alone to write; other users pass through it.</param>
internal sealed class TempLinks(string root) : IDisposable
{
    /// <summary>As root, where nothing cleans up what is old. It takes no room there: links only.</summary>
    private const string HostDirectory = "/run/weir-dtma";
    private const UnixFileMode Passable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    private readonly Lock _lock = new();
    private readonly Dictionary<Guid, string> _links = [];
    private int _last;

    /// <param name="uids">Null where the node is not root.</param>
    public static TempLinks Make(UidRange? uids)
    {
        if (uids is null)
        {
            return new TempLinks(Directory.CreateTempSubdirectory("weir-").FullName);
        }

        // No other node of the host has this range, so what is there is left of a node that was killed.
        var root = Path.Combine(HostDirectory, $"t{uids.First}");
        if (Directory.Exists(root))
        {
            Directory.Delete(root, recursive: true);
        }

        Directory.CreateDirectory(root, Passable);
        File.SetUnixFileMode(root, Passable);
        return new TempLinks(root);
    }

    /// <summary>The short path, made if need be.</summary>
    /// <exception cref="IOException">It cannot be made.</exception>
    public string To(Guid instance, string directory)
    {
        lock (_lock)
        {
            if (!_links.TryGetValue(instance, out var link))
            {
                link = Path.Combine(root, $"{++_last}");
                _links[instance] = link;
            }

            if (new FileInfo(link).LinkTarget != directory)
            {
                Directory.CreateDirectory(root, Passable);
                File.Delete(link);
                File.CreateSymbolicLink(link, directory);
            }

            return link;
        }
    }

    public void Remove(Guid instance)
    {
        lock (_lock)
        {
            if (_links.Remove(instance, out var link))
            {
                File.Delete(link);
            }
        }
    }

    public void Dispose()
    {
        if (Directory.Exists(root))
        {
            Directory.Delete(root, recursive: true);
        }
    }
}
