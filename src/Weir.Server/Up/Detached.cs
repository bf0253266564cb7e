using System.Diagnostics;
using System.Text.Json;
using Weir.Configuration;
using Weir.Errors;
using Weir.Server.Commands;

namespace Weir.Server.Up;

/// <summary>
/// <c>up --detach</c>: the same command once more, in a session of its own, with its log in a file. This process only waits for
/// the line that says that it is ready.
/// </summary>
internal static class Detached
{
    public static async Task<int> StartAsync(string dataDirectory, bool json, string[] commandLine, CancellationToken stop)
    {
        DataDirectory.Create(dataDirectory);
        var log = Path.Combine(dataDirectory, "weir.log");
        using (new FileStream(log, new FileStreamOptions { Mode = FileMode.Append, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite }))
        {
            // Made here, because only its owner may read it.
        }

        string[] again = [Dotnet.Path, commandLine[0], .. commandLine.Skip(1).Where(a => a != "--detach"), .. json ? Array.Empty<string>() : ["--json"]];
        // What the file had before is not what this start says.
        var before = new FileInfo(log).Length;
        using var child = Process.Start(new ProcessStartInfo("setsid", ["sh", "-c", "log=$1; shift; exec \"$@\" </dev/null 2>>\"$log\"", "sh", log, .. again])
        {
            RedirectStandardOutput = true,
            UseShellExecute = false,
        })!;
        if (await child.StandardOutput.ReadLineAsync(stop) is not { } line)
        {
            await child.WaitForExitAsync(stop);
            await Console.Error.WriteLineAsync(LastLine(log, before) ?? $"weir: it ended with code {child.ExitCode}; see {log}");
            return child.ExitCode == ExitCode.Done ? ExitCode.Failed : child.ExitCode;
        }

        var report = JsonSerializer.Deserialize<UpReport>(line, JsonSerializerOptions.Web)
            ?? throw new WeirException(ErrorCode.Internal, "The detached Weir printed no report.");
        await Console.Out.WriteLineAsync(json ? line : report.ToText().Replace("Ctrl-C stops", "./weir down stops", StringComparison.Ordinal));
        return ExitCode.Done;
    }

    private static string? LastLine(string log, long from)
    {
        using var file = File.OpenRead(log);
        file.Position = Math.Min(from, file.Length);
        using var reader = new StreamReader(file);
        return reader.ReadToEnd().Split('\n').LastOrDefault(l => l.StartsWith("weir: ", StringComparison.Ordinal));
    }
}
