using System.CommandLine;
using Weir.Configuration;
using Weir.Postgres;
using Weir.Server.Hosting;

namespace Weir.Server.Commands;

/// <summary><c>weir chat-tools on|off</c>: whether chat turns may use tools, of all organizations at all replicas.</summary>
internal static class ChatToolsCommand
{
    private static readonly Argument<string> State =
        new Argument<string>("STATE") { Description = "on or off." }.AcceptOnlyFromAmong("on", "off");

    public static Command Create()
    {
        var command = new Command("chat-tools", """
            Switch the use of tools in chat on or off, for all organizations and at all replicas. It holds from the next call on.
            Needs WEIR_OWNER_DATABASE_URL. An organization's own switch (set_chat_tools) stays as it is.
            """)
        {
            State, CommandRun.Config,
        };
        command.Run(async (parsed, stop) =>
        {
            var owner = WeirConfig.Load(parsed.GetValue(CommandRun.Config)).Database.RequireOwnerUrl();
            var state = parsed.GetValue(State);
            await new PlatformQueries(owner).SwitchChatToolsAsync(state == "on", stop);
            await Console.Out.WriteLineAsync($"Chat turns use tools: {state}.");
            return ExitCode.Done;
        });
        return command;
    }
}
