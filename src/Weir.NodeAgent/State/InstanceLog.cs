using System.Text.Json;
using Weir.Nodes;

namespace Weir.NodeAgent.State;

/// <summary>
/// What one instance's children say, line by line, in a place that they cannot reach. Two files of a bounded size: a child that
/// floods its log loses its own old lines and nothing else. Equal lines after each other are written once and counted.
/// </summary>
internal sealed class InstanceLog : IDisposable
{
    public const int LineLimit = 8 * 1024;
    private const long FileLimit = 1 << 20;

    /// <summary>How long equal lines are only counted.</summary>
    private static readonly TimeSpan CountFor = TimeSpan.FromMinutes(1);

    private readonly string _path;
    private readonly TimeProvider _time;
    private readonly Lock _lock = new();
    private FileStream? _file;
    private LogLine? _last;
    private int _repeats;

    public InstanceLog(string dataDirectory, Guid id, TimeProvider time)
    {
        _path = Path.Combine(dataDirectory, "logs", $"{id}.jsonl");
        _time = time;
        Directory.CreateDirectory(Path.GetDirectoryName(_path)!, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    public void Write(string source, string text)
    {
        var line = new LogLine(_time.GetUtcNow(), source, text.Length > LineLimit ? text[..LineLimit] + "…" : text);
        lock (_lock)
        {
            if (_last is { } last && last.Source == line.Source && last.Text == line.Text && line.At - last.At < CountFor)
            {
                _repeats++;
                return;
            }

            WriteRepeats();
            _last = line;
            Append(line);
        }
    }

    private void WriteRepeats()
    {
        if (_last is { } last && _repeats > 0)
        {
            Append(new LogLine(_time.GetUtcNow(), last.Source, $"The last line was repeated {_repeats} times."));
            _repeats = 0;
        }
    }

    private void Append(LogLine line)
    {
        var bytes = JsonSerializer.SerializeToUtf8Bytes(line, NodeJson.Default.LogLine);
        try
        {
            _file ??= new FileStream(_path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
            _file.Write(bytes);
            _file.WriteByte((byte)'\n');
            _file.Flush();
            if (_file.Length > FileLimit)
            {
                _file.Dispose();
                _file = null;
                File.Move(_path, _path + ".1", overwrite: true);
            }
        }
        catch (IOException)
        {
            _file = null; // A full disk must not stop the child that only wanted to say something.
        }
    }

    /// <summary>The last lines, oldest first.</summary>
    public LogLine[] Read(int tail, DateTimeOffset? since)
    {
        lock (_lock)
        {
            WriteRepeats();
            return new[] { _path + ".1", _path }.Where(File.Exists).SelectMany(File.ReadLines).Select(Parse).OfType<LogLine>()
                .Where(l => since is null || l.At > since).TakeLast(tail).ToArray();
        }
    }

    public void Delete()
    {
        Dispose();
        File.Delete(_path);
        File.Delete(_path + ".1");
    }

    public void Dispose()
    {
        lock (_lock)
        {
            WriteRepeats();
            _file?.Dispose();
            _file = null;
        }
    }

    private static LogLine? Parse(string line)
    {
        try
        {
            return JsonSerializer.Deserialize(line, NodeJson.Default.LogLine);
        }
        catch (JsonException)
        {
            return null; // Half a line, from when the node was killed.
        }
    }
}
