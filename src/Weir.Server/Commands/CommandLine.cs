using System.CommandLine;
using Weir.Server.Hosting;

namespace Weir.Server.Commands;

/// <summary>The command line: one file per command. Exit codes are 0, 1 (it failed; one line says what to do) and 2 (usage).</summary>
internal static class CommandLine
{
    public static RootCommand Root() => new("Weir lets an organization's AI agents use many MCP servers, safely.")
    {
        UpCommand.Create(),
        DownCommand.Create(),
        ServeCommand.Create(),
        MigrateCommand.Create(),
        DoctorCommand.Create(),
        BackupCommand.Create(),
        RestoreCommand.Create(),
        ChatCommand.Create(),
        ChatToolsCommand.Create(),
        NodeCommand.Create(),
        TokenCommand.Create(),
        AgentCommand.Create(),
        UserCommand.Create(),
        PlatformAdminCommand.Create(),
        StopAllCommand.CreateStop(),
        StopAllCommand.CreateStart(),
        IsolationCommand.Create(),
    };

    public static async Task<int> RunAsync(string[] args)
    {
        var parsed = Root().Parse(args);
        if (parsed.Errors.Count > 0 && parsed.Action is not System.CommandLine.Help.HelpAction)
        {
            foreach (var error in parsed.Errors)
            {
                await Console.Error.WriteLineAsync($"weir: {error.Message}");
            }

            await Console.Error.WriteLineAsync("Say --help after a command to see what it takes.");
            return ExitCode.Usage;
        }

        // Signals are each command's own: a stop may take longer than the two seconds that the library would give it.
        return await parsed.InvokeAsync(
            new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
    }
}
