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
        // Others may pass through but not look: PostgreSQL's own user must reach the cluster inside when Weir is root.
        Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
            | (Environment.IsPrivilegedProcess ? UnixFileMode.GroupExecute | UnixFileMode.OtherExecute : UnixFileMode.None));
        try
        {
            var options = new FileStreamOptions
            {
                Mode = FileMode.OpenOrCreate,
                Access = FileAccess.ReadWrite,
                Share = FileShare.None,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            };
            var file = new FileStream(System.IO.Path.Combine(path, "lock"), options);
            WritePrivate(System.IO.Path.Combine(path, "pid"), Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
            return new DataDirectory(path, file);
        }
        catch (IOException e) when (IsLocked(e))
        {
            throw new WeirException(ErrorCode.Conflict, $"Weir already runs on {path}, as process {HolderOf(path)?.ToString(CultureInfo.InvariantCulture) ?? "?"}.",
                $"Stop it with ./weir down --data {path}, or choose another directory with --data.", e);
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

    // EWOULDBLOCK of flock(2), as the runtime reports it.
    private static bool IsLocked(IOException e) => e.HResult == 11;
}
