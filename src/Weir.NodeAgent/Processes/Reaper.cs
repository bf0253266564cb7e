using System.Diagnostics;

namespace Weir.NodeAgent.Processes;

/// <summary>
/// One small process beside the node, in its own session, that outlives it just long enough to kill every group that it left.
/// It is needed because a server may ignore the end of its standard input, and SIGKILL gives the node no last word.
/// </summary>
internal sealed class Reaper : IDisposable
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(50);

    private readonly string _dataDirectory;
    private readonly string _groups;
    private readonly UidRange? _uids;
    private readonly ILogger _log;
    private readonly Lock _lock = new();
    private Process? _process;
    private bool _disposed;

    public Reaper(string dataDirectory, ProcessGroups groups, UidRange? uids, ILogger log)
    {
        _dataDirectory = dataDirectory;
        _groups = groups.DirectoryPath;
        _uids = uids;
        _log = log;
    }

    public void Start()
    {
        lock (_lock)
        {
            if (_disposed)
            {
                return;
            }

            var info = new ProcessStartInfo("setsid") { RedirectStandardInput = true, UseShellExecute = false, WorkingDirectory = "/" };
            foreach (var argument in (string[])[
                "sh", "-c", Scripts.Reaper, "weir-reaper", _groups, $"{_uids?.First}", $"{_uids?.Last}",
                FileOf(_dataDirectory), _uids?.ReaperFile ?? ""])
            {
                info.ArgumentList.Add(argument);
            }

            info.Environment.Clear();
            info.Environment["PATH"] = Launcher.SystemPath;
            _process = Process.Start(info) ?? throw new InvalidOperationException("The reaper did not start.");
            _ = RestartWhenItEndsAsync(_process);
        }
    }

    /// <summary>Closing the lifeline makes it kill what is recorded, which after a clean stop is nothing, and end.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            try
            {
                _process?.StandardInput.WriteLine("clean");
                _process?.StandardInput.Dispose();
            }
            catch (IOException)
            {
                // It was killed in this moment; there is nothing to reap.
            }
        }
    }

    /// <summary>Until the reaper of an earlier node on this directory has ended: it kills what it finds in the same places.</summary>
    public static async Task WaitForEarlierAsync(string dataDirectory, TimeProvider time)
    {
        while (IsHeld(FileOf(dataDirectory)))
        {
            await Task.Delay(Look, time, CancellationToken.None);
        }
    }

    /// <summary>Whether a reaper lives that holds this file.</summary>
    public static bool IsHeld(string file)
    {
        try
        {
            using var free = new FileStream(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            return false;
        }
        catch (IOException)
        {
            return true;
        }
    }

    private static string FileOf(string dataDirectory) => Path.Combine(dataDirectory, "state", "reaper");

    private async Task RestartWhenItEndsAsync(Process process)
    {
        await process.WaitForExitAsync();
        process.Dispose();
        if (!_disposed)
        {
            _log.LogWarning("The reaper ended; a new one takes its place.");
            Start();
        }
    }
}

/// <summary>The shell scripts that are part of this program.</summary>
internal static class Scripts
{
    public static string Reaper { get; } = Read("reaper.sh");

    public static string Launch { get; } = Read("launch.sh");

    public static string Environment { get; } = Read("environment.sh");

    private static string Read(string name)
    {
        using var stream = typeof(Scripts).Assembly.GetManifestResourceStream(name)!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
