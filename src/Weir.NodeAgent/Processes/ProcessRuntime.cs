using System.Diagnostics;

namespace Weir.NodeAgent.Processes;

/// <summary>Finds out, before anything is deployed, whether children could run here at all.</summary>
internal static class ProcessRuntime
{
    /// <summary>Null when they can; else one line that says what to do.</summary>
    /// <param name="uid">A user of the node's own range: what runs as one of another node's, that node may kill at any time. Null: the
    /// node's own user.</param>
    public static async Task<string?> FindProblemAsync(string nodeProgram, string npmProgram, string dataDirectory, uint? uid)
    {
        if (!File.Exists(nodeProgram))
        {
            return $"Node.js was not found ({nodeProgram}): install it, or name it with --node.";
        }

        if (!File.Exists(npmProgram))
        {
            return $"npm was not found ({npmProgram}): install it, or name it with --npm.";
        }

        var user = uid is { } u ? new[] { "setpriv", $"--reuid={u}", $"--regid={u}", "--clear-groups" } : ["setpriv"];
        if (!await RunAsync([.. user, "--no-new-privs", "--", "test", "-x", dataDirectory]))
        {
            return $"Children cannot reach {dataDirectory}: choose a --data directory that every user may pass through, or install "
                + "setpriv.";
        }

        return await RunAsync([.. user, "--no-new-privs", "--", nodeProgram, "--version"])
            ? null
            : $"Children cannot run {nodeProgram}: put Node.js where every user may execute it, or name another one with --node.";
    }

    private static async Task<bool> RunAsync(string[] command)
    {
        try
        {
            var info = new ProcessStartInfo(command[0], command[1..])
            {
                RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false, WorkingDirectory = "/",
            };
            using var process = Process.Start(info)!;
            await Task.WhenAll(process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync(), process.WaitForExitAsync());
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false; // setpriv itself is missing.
        }
    }
}
