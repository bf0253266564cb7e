using System.Globalization;
using Weir.Errors;

namespace Weir.Configuration;

/// <summary>
/// The directory that one running Weir holds alone. The lock is the kernel's and ends with the process, however it ends,
/// so it is never stale; the process id beside it is for people.
/// </summary>
internal sealed class DataDirectory : IDisposable
{
    private readonly FileStream _lock;

    private DataDirectory(string path, FileStream @lock) => (Path, _lock) = (path, @lock);

    /// <summary>Absolute.</summary>
    public string Path { get; }

    /// <exception cref="WeirException">Conflict: another process holds the directory.</exception>
    public static DataDirectory Open(string path)
    {
        path = System.IO.Path.GetFullPath(path);
        Create(path);
        try
        {
            var file = Lock(path);
            WritePrivate(System.IO.Path.Combine(path, "pid"), Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
            return new DataDirectory(path, file);
        }
        catch (IOException e) when (IsLocked(e))
        {
            throw new WeirException(ErrorCode.Conflict,
                $"Weir already runs on {path}, as process {HolderOf(path)?.ToString(CultureInfo.InvariantCulture) ?? "?"}.",
                $"Stop it with ./weir down --data {path}, or choose another directory with --data.", e);
        }
    }

    /// <summary>
    /// Makes the directory where there is none. As root, others may pass through it but not look: PostgreSQL's account and the
    /// servers' must reach what is theirs inside.
    /// </summary>
    public static void Create(string path)
    {
        if (!Directory.Exists(path))
        {
            Directory.CreateDirectory(path);
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
                | (Environment.IsPrivilegedProcess ? UnixFileMode.GroupExecute | UnixFileMode.OtherExecute : UnixFileMode.None));
        }
    }

    /// <summary>Whether a running process holds the directory.</summary>
    public static bool IsHeld(string path)
    {
        try
        {
            if (File.Exists(System.IO.Path.Combine(path, "lock")))
            {
                Lock(System.IO.Path.GetFullPath(path)).Dispose();
            }

            return false;
        }
        catch (IOException e) when (IsLocked(e))
        {
            return true;
        }
    }

    /// <summary>The process that last opened the directory, or null. It may have ended since.</summary>
    public static int? HolderOf(string path)
    {
        try
        {
            var text = File.ReadAllText(System.IO.Path.Combine(System.IO.Path.GetFullPath(path), "pid"));
            return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var pid) ? pid : null;
        }
        catch (IOException)
        {
            return null;
        }
    }

    public string Combine(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>Replaces a file that only its owner may read, so that a reader sees the old text or the new, never a half.</summary>
    public static void WritePrivate(string file, string text)
    {
        var options = new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        };
        using (var writer = new StreamWriter(file + ".new", options))
        {
            writer.Write(text);
            writer.Flush();
            ((FileStream)writer.BaseStream).Flush(flushToDisk: true);
        }

        File.Move(file + ".new", file, overwrite: true);
    }

    public void Dispose() => _lock.Dispose();

    private static FileStream Lock(string path) => new(System.IO.Path.Combine(path, "lock"), new FileStreamOptions
    {
        Mode = FileMode.OpenOrCreate,
        Access = FileAccess.ReadWrite,
        Share = FileShare.None,
        UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
    });

    // EWOULDBLOCK of flock(2), as the runtime reports it.
    private static bool IsLocked(IOException e) => e.HResult == 11;
}
