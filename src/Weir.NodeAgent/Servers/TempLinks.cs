using System.Security.Cryptography;
using Weir.NodeAgent.Processes;

namespace Weir.NodeAgent.Servers;

/// <summary>
/// A short path to each instance's directory, for its <c>TMPDIR</c>. The path of a Unix socket has 107 characters at most, and a program
/// that makes one in <c>TMPDIR</c>, as browsers do, could not make it below a data directory whose own path is long. What is written there
/// is in the instance's directory.
/// </summary>
/// <param name="root">The node's alone to write and to list; other users pass through it.</param>
/// <param name="newName">Names that no tenant guesses: a link leads to a path that has the instance's id.</param>
internal sealed class TempLinks(string root, Func<string> newName) : IDisposable
{
    /// <summary>As root, where nothing cleans up what is old. It takes no room there: links only.</summary>
    public const string HostDirectory = "/run/weir-node";

    private const UnixFileMode Passable =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    private readonly Lock _lock = new();
    private readonly Dictionary<Guid, string> _links = [];

    /// <summary>Eight letters, because the whole path must stay short.</summary>
    public static string NewName() => RandomNumberGenerator.GetString("abcdefghijklmnopqrstuvwxyz", 8);

    /// <param name="firstUid">The first of the node's user ids; null where the node is not root.</param>
    public static TempLinks Make(uint? firstUid, string hostDirectory, Func<string> newName)
    {
        if (firstUid is null)
        {
            return new TempLinks(Directory.CreateTempSubdirectory("weir-").FullName, newName);
        }

        // This range belongs to this node, so existing links are left over from a killed run.
        var root = Path.Combine(hostDirectory, $"t{firstUid}");
        if (Directory.Exists(root))
        {
            Directory.Delete(root, recursive: true);
        }

        MakePassable(hostDirectory);
        MakePassable(root);
        return new TempLinks(root, newName);
    }

    /// <summary>Set explicitly: with a umask of 0077 no server could pass through it.</summary>
    private static void MakePassable(string directory)
    {
        Directory.CreateDirectory(directory);
        File.SetUnixFileMode(directory, Passable);
    }

    /// <summary>The short path, made if need be.</summary>
    /// <exception cref="IOException">It cannot be made.</exception>
    public string To(Guid instance, string directory)
    {
        lock (_lock)
        {
            if (!_links.TryGetValue(instance, out var link))
            {
                do
                {
                    link = Path.Combine(root, newName());
                }
                while (_links.ContainsValue(link));

                _links[instance] = link;
            }

            if (new FileInfo(link).LinkTarget != directory)
            {
                if (!Directory.Exists(root))
                {
                    MakePassable(root);
                }

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
