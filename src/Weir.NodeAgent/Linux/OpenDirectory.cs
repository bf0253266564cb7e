using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Weir.NodeAgent.Linux;

/// <summary>A call to the kernel that failed.</summary>
internal sealed class ErrnoException(string call, int errno) : IOException($"{call} failed: {Marshal.GetPInvokeErrorMessage(errno)}.")
{
    public const int NotFound = 2;
    public const int AccessDenied = 13;
    public const int Busy = 16;
    public const int Exists = 17;
    public const int NotADirectory = 20;
    public const int IsADirectory = 21;
    public const int NotEmpty = 39;
    public const int TooManyLinks = 40;

    public int Errno { get; } = errno;
}

/// <summary>What an open file is.</summary>
internal readonly record struct FileStatus(uint Uid, uint Links, bool IsDirectory);

/// <summary>
/// An open directory, or with <see cref="TryOpenPath"/> any open file. Entries are named relative to the descriptor, one name at a time,
/// and no symbolic link is followed: whoever may change the tree cannot lead a call elsewhere. Names are bytes that end with a zero byte,
/// because a file's name need not be UTF-8.
/// </summary>
internal sealed partial class OpenDirectory : IDisposable
{
    private const int EmptyPath = 0x1000; // AT_EMPTY_PATH
    private const int NoFollow = 0x100; // AT_SYMLINK_NOFOLLOW
    private const int RemoveDirectoryFlag = 0x200; // AT_REMOVEDIR
    private const int CurrentDirectory = -100; // AT_FDCWD
    private const int BasicStatus = 0x7ff; // STATX_BASIC_STATS
    private const uint OwnerOnly = 0x1c0; // 0700
    private const int EntriesSize = 32 * 1024;
    private const int NameOffset = 19; // of d_name in struct linux_dirent64
    private static readonly byte[] Empty = [0];

    private readonly SafeFileHandle _handle;

    private OpenDirectory(int descriptor) => _handle = new SafeFileHandle(descriptor, ownsHandle: true);

    /// <param name="path">A directory whose parents belong to the node.</param>
    public static OpenDirectory Open(string path)
    {
        var descriptor = openat(CurrentDirectory, ref Name(path)[0], Libc.OpenDirectoryFlags, 0);
        return descriptor >= 0 ? new(descriptor) : throw Error($"Opening {path}");
    }

    public static byte[] Name(string text) => [.. Encoding.UTF8.GetBytes(text), 0];

    /// <summary>Null when there is no directory of that name.</summary>
    public OpenDirectory? TryOpen(byte[] name) => TryOpen(name, Libc.OpenDirectoryFlags, "Opening a directory");

    /// <summary>Any file, a symbolic link too, to be looked at and not to be read. Null when it is gone.</summary>
    public OpenDirectory? TryOpenPath(byte[] name) => TryOpen(name, Libc.OpenPathFlags, "Opening a file");

    public FileStatus Status()
    {
        var buffer = new byte[256];
        Check(statx(_handle, ref Empty[0], EmptyPath | NoFollow, BasicStatus, ref buffer[0]), "Reading the status of a file");
        var type = BitConverter.ToUInt16(buffer, 28) & 0xf000;
        return new(BitConverter.ToUInt32(buffer, 20), BitConverter.ToUInt32(buffer, 16), type == 0x4000);
    }

    /// <summary>The next names of the directory, but for <c>.</c> and <c>..</c>; none at its end.</summary>
    public List<byte[]> NextNames()
    {
        var names = new List<byte[]>();
        var entries = ArrayPool<byte>.Shared.Rent(EntriesSize);
        try
        {
            int length;
            do
            {
                length = (int)getdents64(_handle, ref entries[0], EntriesSize);
                Check(length, "Reading a directory");
                AddNames(entries.AsSpan(0, length), names);
            }
            while (length > 0 && names.Count == 0);
            return names;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(entries);
        }
    }

    /// <summary>Lets <see cref="NextNames"/> begin again.</summary>
    public void Rewind() => Check(lseek(_handle, 0, 0) < 0 ? -1 : 0, "Reading a directory again");

    /// <summary>False when it is a directory.</summary>
    public bool TryUnlink(byte[] name)
    {
        var result = unlinkat(_handle, ref name[0], 0);
        if (result == 0 || Marshal.GetLastPInvokeError() == ErrnoException.NotFound)
        {
            return true;
        }

        return Marshal.GetLastPInvokeError() == ErrnoException.IsADirectory ? false : throw Error("Removing a file");
    }

    /// <summary>False when it is not empty.</summary>
    public bool TryRemoveDirectory(byte[] name)
    {
        var result = unlinkat(_handle, ref name[0], RemoveDirectoryFlag);
        if (result == 0 || Marshal.GetLastPInvokeError() == ErrnoException.NotFound)
        {
            return true;
        }

        return Marshal.GetLastPInvokeError() is ErrnoException.NotEmpty or ErrnoException.Exists
            ? false : throw Error("Removing a directory");
    }

    /// <summary>False when the name is taken.</summary>
    public bool TryMakeDirectory(byte[] name)
    {
        if (mkdirat(_handle, ref name[0], OwnerOnly) == 0)
        {
            return true;
        }

        return Marshal.GetLastPInvokeError() == ErrnoException.Exists ? false : throw Error("Making a directory");
    }

    public void Move(byte[] name, OpenDirectory target, byte[] newName) =>
        Check(renameat(_handle, ref name[0], target._handle, ref newName[0]), "Moving a directory");

    /// <summary>Of this very file, whatever name it has by now.</summary>
    public void ChangeOwner(uint uid) => Check(fchownat(_handle, ref Empty[0], uid, uid, EmptyPath | NoFollow), "Changing an owner");

    /// <summary>Only its owner may list and change it.</summary>
    public void MakePrivate() => Check(fchmod(_handle, OwnerOnly), "Changing the mode of a directory");

    /// <summary>The same for an entry that cannot be opened: a directory of mode 000 of one's own.</summary>
    public void MakePrivate(byte[] name)
    {
        using var entry = TryOpenPath(name);
        if (entry?.Status().IsDirectory == true)
        {
            // fchmod takes no descriptor of a path; this link of the kernel's leads to the very file that is open.
            File.SetUnixFileMode($"/proc/self/fd/{entry._handle.DangerousGetHandle()}", (UnixFileMode)OwnerOnly);
        }
    }

    /// <summary>The same directory, to be read, from an entry that was opened as a path.</summary>
    public OpenDirectory? TryReopen() => TryOpen(Name("."));

    public void Dispose() => _handle.Dispose();

    private static void AddNames(ReadOnlySpan<byte> entries, List<byte[]> names)
    {
        while (entries.Length > 0)
        {
            var size = BinaryPrimitives.ReadUInt16LittleEndian(entries[16..]);
            var name = entries[NameOffset..size];
            name = name[..(name.IndexOf((byte)0) + 1)];
            if (!name.SequenceEqual(".\0"u8) && !name.SequenceEqual("..\0"u8))
            {
                names.Add(name.ToArray());
            }

            entries = entries[size..];
        }
    }

    private OpenDirectory? TryOpen(byte[] name, int flags, string call)
    {
        var descriptor = openat(_handle, ref name[0], flags, 0);
        if (descriptor >= 0)
        {
            return new(descriptor);
        }

        return Marshal.GetLastPInvokeError() is ErrnoException.NotFound or ErrnoException.NotADirectory or ErrnoException.TooManyLinks
            ? null : throw Error(call);
    }

    private static void Check(int result, string call)
    {
        if (result < 0)
        {
            throw Error(call);
        }
    }

    private static ErrnoException Error(string call) => new(call, Marshal.GetLastPInvokeError());

    [LibraryImport("libc", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int openat(SafeFileHandle directory, ref byte name, int flags, uint mode);

    [LibraryImport("libc", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int openat(int directory, ref byte name, int flags, uint mode);

    [LibraryImport("libc", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int statx(SafeFileHandle directory, ref byte name, int flags, uint mask, ref byte status);

    [LibraryImport("libc", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint getdents64(SafeFileHandle directory, ref byte entries, nuint size);

    [LibraryImport("libc", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial long lseek(SafeFileHandle file, long offset, int whence);

    [LibraryImport("libc", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int unlinkat(SafeFileHandle directory, ref byte name, int flags);

    [LibraryImport("libc", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int mkdirat(SafeFileHandle directory, ref byte name, uint mode);

    [LibraryImport("libc", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int renameat(SafeFileHandle from, ref byte name, SafeFileHandle to, ref byte newName);

    [LibraryImport("libc", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int fchownat(SafeFileHandle directory, ref byte name, uint owner, uint group, int flags);

    [LibraryImport("libc", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int fchmod(SafeFileHandle file, uint mode);
}
