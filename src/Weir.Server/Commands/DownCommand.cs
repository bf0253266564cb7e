using System.CommandLine;
using Weir.Configuration;
using Weir.Errors;
using Weir.Postgres.Embedded;
using Weir.Server.Hosting;

namespace Weir.Server.Commands;

/// <summary><c>weir down</c>: stops what <c>up</c> started.</summary>
internal static class DownCommand
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(90);

    public static Command Create()
    {
        var command = new Command("down", "Stop the Weir that runs on a data directory, and everything that it started. Data stays.")
        {
            UpCommand.Data, CommandRun.Config,
        };
        command.Run(async (parsed, stop) =>
        {
            var path = parsed.GetValue(UpCommand.Data) ?? WeirConfig.Load(parsed.GetValue(CommandRun.Config)).DataDirectory;
            if (!DataDirectory.IsHeld(path))
            {
                await Console.Out.WriteLineAsync($"Nothing runs on {path}.");
                return ExitCode.Done;
            }

            // The directory is held at this moment, so the number beside the lock is its holder's.
            var pid = DataDirectory.HolderOf(path)
                ?? throw new WeirException(ErrorCode.Conflict, $"{path} is in use, but by whom is not known.");
            await Tool.SignalAsync(pid, "TERM", stop);
            var deadline = TimeProvider.System.GetUtcNow() + Timeout;
            while (DataDirectory.IsHeld(path))
            {
                if (TimeProvider.System.GetUtcNow() > deadline)
                {
                    throw new WeirException(ErrorCode.Unavailable, $"Process {pid} did not stop within {Timeout.TotalSeconds} seconds.",
                        $"End it: kill -9 {pid}; its children end with it.");
                }

                await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, stop);
            }

            await Console.Out.WriteLineAsync("Stopped.");
            return ExitCode.Done;
        });
        return command;
    }
}
