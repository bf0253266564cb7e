using System.CommandLine.Parsing;
using System.Diagnostics;
using System.Text.Json;
using Weir.Configuration;
using Weir.Errors;
using Weir.Postgres.Embedded;
using Weir.Server.Hosting;
using Weir.Telemetry;

namespace Weir.Server.Up;

/// <summary>
/// <c>up --detach</c>: the same command once more, in a session of its own, with its log in a file. This process only waits for
/// the line that says that it is ready.
/// </summary>
internal static class Detached
{
    private const string LogName = "weir.log";

    public static async Task<int> StartAsync(string dataDirectory, bool json, IReadOnlyList<Token> commandLine, CancellationToken stop)
    {
        DataDirectory.Create(dataDirectory);
        var log = Path.Combine(dataDirectory, LogName);
        using (new FileStream(log, new FileStreamOptions
        {
            Mode = FileMode.Append, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }))
        {
            // Made here, because only its owner may read it.
        }

        string[] again = [Dotnet.Path, Path.Combine(AppContext.BaseDirectory, "weir.dll"), .. Again(commandLine)];
        // What the file had before is not what this start says.
        var before = new FileInfo(log).Length;
        using var child = Process.Start(
            new ProcessStartInfo("setsid", ["sh", "-c", "log=$1; shift; exec \"$@\" </dev/null 2>>\"$log\"", "sh", log, .. again])
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
        await Console.Out.WriteLineAsync(
            json ? line : report.ToText().Replace("Ctrl-C stops", "./weir down stops", StringComparison.Ordinal));
        return ExitCode.Done;
    }

    /// <summary>The command line without <c>--detach</c>, with which it would start itself without end, and with <c>--json</c>.</summary>
    public static IEnumerable<string> Again(IReadOnlyList<Token> commandLine)
    {
        var again = new List<string>();
        for (var i = 0; i < commandLine.Count; i++)
        {
            var value = i + 1 < commandLine.Count && commandLine[i] is { Type: TokenType.Option }
                && commandLine[i + 1] is { Type: TokenType.Argument } next
                    ? next.Value : null;
            if (commandLine[i].Value is not ("--detach" or "--json") || commandLine[i].Type != TokenType.Option)
            {
                // An option and its value in one, so that no value is taken for an option.
                again.Add(value is null ? commandLine[i].Value : $"{commandLine[i].Value}={value}");
            }

            i += value is null ? 0 : 1;
        }

        again.Add("--json");
        return again;
    }

    /// <summary>
    /// Bounds the log of a Weir that was started detached, until it is told to stop. Anybody else's standard error is left alone.
    /// </summary>
    public static Task BoundLogAsync(string dataDirectory, TimeProvider time, CancellationToken stop)
    {
        var log = Path.Combine(dataDirectory, LogName);
        return !IsStandardError(log) ? Task.CompletedTask
            : LogRotation.RunAsync(log, ct => Tool.RunAsync("sh", ["-c", LogRotation.Script, "sh", log], ct), time, stop);
    }

    /// <summary>Compared as the system has them open, since the path may lead through links.</summary>
    private static bool IsStandardError(string log)
    {
        if (!File.Exists(log))
        {
            return false;
        }

        using var file = File.OpenHandle(log);
        return File.ResolveLinkTarget("/proc/self/fd/2", returnFinalTarget: false)?.FullName
            == File.ResolveLinkTarget($"/proc/self/fd/{file.DangerousGetHandle()}", returnFinalTarget: false)?.FullName;
    }

    private static string? LastLine(string log, long from)
    {
        using var file = File.OpenRead(log);
        file.Position = Math.Min(from, file.Length);
        using var reader = new StreamReader(file);
        return reader.ReadToEnd().Split('\n').LastOrDefault(l => l.StartsWith("weir: ", StringComparison.Ordinal));
    }
}
