using System.Runtime.InteropServices;

namespace Weir.Dtma.Linux;

/// <summary>The few calls that .NET has no method for.</summary>
internal static partial class Libc
{
    public const int SigKill = 9;
    public const int SigTerm = 15;
    private const int ReadOnlyDirectory = 0x10000; // O_RDONLY | O_DIRECTORY

    public static bool IsRoot => geteuid() == 0;

    /// <summary>True while any process of the group is left, a zombie too.</summary>
    public static bool GroupExists(int group) => kill(-group, 0) == 0;

    public static void SignalGroup(int group, int signal) => _ = kill(-group, signal);

    public static void Signal(int process, int signal) => _ = kill(process, signal);

    public static void ChangeOwner(string path, uint uid)
    {
        if (lchown(path, uid, uid) != 0)
        {
            throw new IOException($"The owner of {path} cannot be changed to {uid}: error {Marshal.GetLastPInvokeError()}.");
        }
    }

    /// <summary>A rename is durable when its directory is synced.</summary>
    public static void SyncDirectory(string path)
    {
        var descriptor = open(path, ReadOnlyDirectory);
        if (descriptor < 0)
        {
            return;
        }

        _ = fsync(descriptor);
        _ = close(descriptor);
    }

    [LibraryImport("libc")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial uint geteuid();

    [LibraryImport("libc", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int kill(int process, int signal);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int lchown(string path, uint owner, uint group);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int open(string path, int flags);

    [LibraryImport("libc")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int fsync(int descriptor);

    [LibraryImport("libc")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int close(int descriptor);
}
