using System.CommandLine;
using Weir.Configuration;
using Weir.Postgres;
using Weir.Server.Hosting;

namespace Weir.Server.Commands;

/// <summary><c>weir platform-admin add</c>: who runs Weir. Only the owner's URL can say so, never a request.</summary>
internal static class PlatformAdminCommand
{
    public static Command Create() => new("platform-admin", "Who runs Weir: publishes the catalog, registers nodes.") { Add() };

    private static Command Add()
    {
        var user = new Argument<Guid>("USER") { Description = "The user's id." };
        var command = new Command("add", """
            Make a user a platform admin. Needs WEIR_OWNER_DATABASE_URL. Again is harmless.
            """)
        {
            user, CommandRun.Config,
        };
        command.Run(async (parsed, stop) =>
        {
            var owner = WeirConfig.Load(parsed.GetValue(CommandRun.Config)).Database.RequireOwnerUrl();
            var id = parsed.GetValue(user);
            await new PlatformQueries(owner).AddAdminAsync(id, stop);
            await Console.Out.WriteLineAsync($"{id} is a platform admin.");
            return ExitCode.Done;
        });
        return command;
    }
}
