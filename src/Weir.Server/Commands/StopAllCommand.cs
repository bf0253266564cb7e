using System.CommandLine;
using Weir.Configuration;
using Weir.Postgres;
using Weir.Server.Hosting;

namespace Weir.Server.Commands;

/// <summary><c>weir stop-all</c> and <c>weir start-all</c>: the switch of the whole installation, at all replicas.</summary>
internal static class StopAllCommand
{
    public static Command CreateStop() => Create("stop-all", active: false, """
        Stop the calls of all organizations, at all replicas: no call is admitted, and what is open ends within two seconds.
        Weir, the servers, sign-ins, reads and changes go on. Needs WEIR_OWNER_DATABASE_URL. Repeating it has no effect.
        """);

    public static Command CreateStart() => Create("start-all", active: true, """
        Admit calls again after `weir stop-all`. Needs WEIR_OWNER_DATABASE_URL. Repeating it has no effect.
        """);

    private static Command Create(string name, bool active, string description)
    {
        var command = new Command(name, description) { CommandRun.Config };
        command.Run(async (parsed, stop) =>
        {
            var owner = WeirConfig.Load(parsed.GetValue(CommandRun.Config)).Database.RequireOwnerUrl();
            var isChanged = await new PlatformQueries(owner).SwitchAsync(active, stop);
            await Console.Out.WriteLineAsync((active, isChanged) switch
            {
                (true, true) => "Calls are admitted again.",
                (true, false) => "Calls were admitted already.",
                (false, true) => "All calls are stopped. Start them again with weir start-all.",
                (false, false) => "All calls were stopped already.",
            });
            return ExitCode.Done;
        });
        return command;
    }
}
