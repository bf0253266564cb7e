using System.Text;
using Weir.NodeAgent.Linux;

namespace Weir.NodeAgent.State;

/// <summary>Files that are either the old or the new one, whatever happens while they are written. Readable by the node only.</summary>
internal static class StateFile
{
    public static void WriteText(string path, string text) => Write(path, Encoding.UTF8.GetBytes(text));

    public static void Write(string path, ReadOnlySpan<byte> content)
    {
        var temporary = path + ".tmp";
        var options = new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        };
        using (var file = new FileStream(temporary, options))
        {
            file.Write(content);
            file.Flush(flushToDisk: true);
        }

        File.Move(temporary, path, overwrite: true);
        Libc.SyncDirectory(Path.GetDirectoryName(path)!);
    }
}
