using System.Globalization;
using Weir.Errors;

namespace Weir.Postgres.Embedded;

/// <summary>
/// A cluster that did not end well leaves <c>postmaster.pid</c>. PostgreSQL refuses to start where the number in it belongs
/// to any process of its account, e.g. after a container's restart. We hold the data directory's lock, so the file is stale
/// unless the process is truly this cluster's: an earlier one that is still shutting down.
/// </summary>
internal static class StalePid
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(30);

    public static async Task RepairAsync(string cluster, TimeProvider time, CancellationToken cancellationToken)
    {
        var file = Path.Combine(cluster, "postmaster.pid");
        var deadline = time.GetUtcNow() + Timeout;
        var asked = false;
        while (Read(file) is { } pid)
        {
            if (!IsServerOf(cluster, pid))
            {
                File.Delete(file);
                return;
            }

            if (!asked)
            {
                asked = true;
                await Tool.SignalAsync(pid, "INT", cancellationToken);
            }

            if (time.GetUtcNow() > deadline)
            {
                throw new WeirException(
                    ErrorCode.Conflict, $"Another PostgreSQL, process {pid}, still runs on {cluster}.", $"End it: kill -INT {pid}");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(50), time, cancellationToken);
        }
    }

    private static int? Read(string file)
    {
        try
        {
            return int.TryParse(File.ReadLines(file).FirstOrDefault(), NumberStyles.None, CultureInfo.InvariantCulture, out var pid)
                ? pid : 0;
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }

    private static bool IsServerOf(string cluster, int pid)
    {
        try
        {
            var command = File.ReadAllText($"/proc/{pid}/cmdline").Split('\0');
            return Path.GetFileName(command[0]) is "postgres" or "postmaster" && command.Contains(cluster);
        }
        catch (IOException)
        {
            return false;
        }
    }
}
