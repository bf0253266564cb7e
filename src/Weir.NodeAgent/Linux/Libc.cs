using System.Runtime.InteropServices;

namespace Weir.NodeAgent.Linux;

/// <summary>The few calls that .NET has no method for.</summary>
internal static partial class Libc
{
    public const int SigKill = 9;
    public const int SigTerm = 15;

    /// <summary>Two flags of <c>open</c> have other values on ARM.</summary>
    private static readonly bool IsArm = RuntimeInformation.ProcessArchitecture is Architecture.Arm64 or Architecture.Arm;
    private static readonly int ReadOnlyDirectory = (IsArm ? 0x4000 : 0x10000) | 0x80000; // O_RDONLY | O_DIRECTORY | O_CLOEXEC

    public static bool IsRoot => geteuid() == 0;

    /// <summary><c>O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK</c></summary>
    public static int OpenDirectoryFlags { get; } = ReadOnlyDirectory | (IsArm ? 0x8000 : 0x20000) | 0x800;

    /// <summary><c>O_PATH | O_NOFOLLOW | O_CLOEXEC</c></summary>
    public static int OpenPathFlags { get; } = 0x200000 | (IsArm ? 0x8000 : 0x20000) | 0x80000;

    /// <summary>True while any process of the group is left, a zombie too.</summary>
    public static bool GroupExists(int group) => kill(-group, 0) == 0;

    public static void SignalGroup(int group, int signal) => _ = kill(-group, signal);

    public static void Signal(int process, int signal) => _ = kill(process, signal);

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
    private static partial int open(string path, int flags);

    [LibraryImport("libc")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int fsync(int descriptor);

    [LibraryImport("libc")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int close(int descriptor);
}
