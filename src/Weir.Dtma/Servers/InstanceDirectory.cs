using System.Diagnostics;
using Weir.Dtma.Processes;

namespace Weir.Dtma.Servers;

/// <summary>The one place where an instance's children may write: theirs alone, and their working directory and home.</summary>
internal static class InstanceDirectory
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    public static string PathOf(string dataDirectory, Guid id) => Path.Combine(dataDirectory, "instances", id.ToString());

    public static string Prepare(string dataDirectory, Guid id, uint? uid)
    {
        var path = PathOf(dataDirectory, id);
        Directory.CreateDirectory(path, OwnerOnly);
        if (uid is { } owner)
        {
            // All of it: the organization's user may have changed, when another node of this host took the range meanwhile. Links are not followed.
            using var chown = Process.Start("chown", ["-R", "-h", "-P", $"{owner}:{owner}", path]);
            chown.WaitForExit();
        }

        return path;
    }

    public static void Delete(string dataDirectory, Guid id)
    {
        var path = PathOf(dataDirectory, id);
        if (Directory.Exists(path))
        {
            Directory.Delete(path, recursive: true);
        }
    }
}
