using System.Diagnostics;

namespace Weir.Dtma.Processes;

/// <summary>
/// One small process beside the node, in its own session, that outlives it just long enough to kill every group that it left.
/// It is needed because a server may ignore the end of its standard input, and SIGKILL gives the node no last word.
/// </summary>
internal sealed class Reaper : IDisposable
{
    private readonly string _groups;
    private readonly UidRange? _uids;
    private readonly ILogger _log;
    private readonly Lock _lock = new();
    private Process? _process;
    private bool _disposed;

    public Reaper(ProcessGroups groups, UidRange? uids, ILogger log)
    {
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
            foreach (var argument in (string[])["sh", "-c", Scripts.Reaper, "weir-reaper", _groups, $"{_uids?.First}", $"{_uids?.Last}"])
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
            _process?.StandardInput.Dispose();
        }
    }

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
