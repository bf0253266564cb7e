namespace Weir.NodeAgent.Configuration;

/// <summary>
/// The node's directory. Children pass through it to their packages and their own directory, and see nothing else of it:
/// <c>packages</c> readable by all, <c>instances</c> passable, <c>state</c>, <c>logs</c> and <c>groups</c> the node's alone.
/// </summary>
internal static class DataDirectory
{
    private const UnixFileMode Own = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode Passable = Own | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    public static void Prepare(string path)
    {
        Make(path, Passable);
        Make(Path.Combine(path, "instances"), Passable);
        Make(Path.Combine(path, "state"), Own);
        Make(Path.Combine(path, "logs"), Own);
    }

    /// <summary>One node per directory. The kernel frees the lock when the node ends, however it ends.</summary>
    public static FileStream Lock(string path)
    {
        try
        {
            return new FileStream(Path.Combine(path, "state", "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e)
        {
            throw new InvalidOperationException($"Another node runs on {path}.", e);
        }
    }

    private static void Make(string path, UnixFileMode mode)
    {
        Directory.CreateDirectory(path);
        File.SetUnixFileMode(path, mode);
    }
}
