using System.Globalization;
using Weir.NodeAgent.Linux;

namespace Weir.NodeAgent.Processes;

/// <summary>
/// One file for each process group that the node has started, written by the group's own launcher before it becomes the server,
/// so that no group ever runs unrecorded. The reaper reads the same files.
/// </summary>
internal sealed class ProcessGroups
{
    private readonly string _directory;
    private readonly TimeProvider _time;

    public ProcessGroups(string dataDirectory, TimeProvider time)
    {
        _directory = Path.Combine(dataDirectory, "groups");
        _time = time;
        Directory.CreateDirectory(_directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    public string DirectoryPath => _directory;

    public string NewFile() => Path.Combine(_directory, Guid.CreateVersion7(_time.GetUtcNow()).ToString("N"));

    /// <summary>Kills what an earlier node left, after checking that a recorded number is still the same process.</summary>
    public int KillLeftovers()
    {
        var killed = 0;
        foreach (var file in Directory.EnumerateFiles(_directory))
        {
            var recorded = File.ReadAllText(file);
            if (int.TryParse(recorded.Split(' ')[0], CultureInfo.InvariantCulture, out var group) && group > 1)
            {
                var started = ProcFs.StartTime(group);
                // A leader that is gone leaves its number to its group for as long as the group has members.
                if ((started is null || started == ProcFs.StartTime(recorded)) && Libc.GroupExists(group))
                {
                    Libc.SignalGroup(group, Libc.SigKill);
                    killed++;
                }
            }

            File.Delete(file);
        }

        return killed;
    }
}
