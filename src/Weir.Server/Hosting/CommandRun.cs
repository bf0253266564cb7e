using System.CommandLine;
using System.Runtime.InteropServices;
using Weir.Configuration;
using Weir.Errors;
using Weir.Postgres.Migrations;

namespace Weir.Server.Hosting;

/// <summary>What every command shares: the stop signals, and how a failure becomes one line and an exit code.</summary>
internal static class CommandRun
{
    public static Option<string?> Config { get; } = new("--config")
    {
        Description = "The configuration file. [default: weir.json, where there is one]",
        HelpName = "FILE",
    };

    public static void Run(this Command command, Func<ParseResult, CancellationToken, Task<int>> action)
    {
        command.SetAction(async (parsed, _) =>
        {
            using var stop = new CancellationTokenSource();
            using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
            using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
            using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, Stop);
            return await GuardAsync(() => action(parsed, stop.Token), stop.Token);

            void Stop(PosixSignalContext context)
            {
                // The first signal asks for an orderly end, the second has its usual effect.
                context.Cancel = !stop.IsCancellationRequested;
                stop.Cancel();
            }
        });
    }

    /// <summary>Completes when the token is cancelled.</summary>
    public static Task Until(CancellationToken stop) => Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, stop).ContinueWith(
        static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);

    /// <summary>The first line of standard input: what is on a command line, others can read.</summary>
    /// <exception cref="ConfigException">There is none.</exception>
    public static async Task<string> PasswordAsync(CancellationToken ct) =>
        await Console.In.ReadLineAsync(ct) is { Length: > 0 } line
            ? line
            : throw new ConfigException(["The password must be the first line of standard input."]);

    private static async Task<int> GuardAsync(Func<Task<int>> action, CancellationToken stop)
    {
        try
        {
            return await action();
        }
        catch (ConfigException e)
        {
            return await FailAsync(string.Join(Environment.NewLine, e.Errors.Select(line => $"weir: {line}")), ExitCode.Usage);
        }
        catch (WeirException e)
        {
            // Here the reader is the operator: what a caller must not see is what he needs.
            var detail = e.Code == ErrorCode.Internal && e.InnerException is { } inner
                ? $"{e.Message} {inner.Message.Split('\n')[0]}" : e.Message;
            return await FailAsync($"weir: {detail} {e.Hint}".TrimEnd(), ExitCode.Failed);
        }
        catch (MigrationException e)
        {
            return await FailAsync($"weir: {e.Message}", ExitCode.Failed);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return await FailAsync("weir: stopped before it was ready.", ExitCode.Failed);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            return await FailAsync($"weir: {e.Message}", ExitCode.Failed);
        }
    }

    private static async Task<int> FailAsync(string text, int code)
    {
        await Console.Error.WriteLineAsync(text);
        return code;
    }
}
