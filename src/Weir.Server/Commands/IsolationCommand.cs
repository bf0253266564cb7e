using System.CommandLine;
using Weir.Configuration;
using Weir.Isolation;
using Weir.Isolation.Attack;
using Weir.Postgres;
using Weir.Server.Hosting;

namespace Weir.Server.Commands;

/// <summary><c>weir isolation check</c>: is this database's isolation what Weir promises?</summary>
internal static class IsolationCommand
{
    public static Command Create() => new("isolation", "The isolation of organizations, as it is in a live database.") { Check() };

    private static Command Check()
    {
        var database =
            new Option<string?>("--database") { Description = "The owner's URL. [default: WEIR_OWNER_DATABASE_URL]", HelpName = "URL" };
        var attack = new Option<bool>("--attack")
        {
            Description = "Also make two organizations and try every way from one into the other, in a transaction that is rolled back.",
        };
        var json = new Option<bool>("--json") { Description = "Print one JSON document." };
        var command = new Command("check", """
            Look at every table, view, function, policy, grant and role of Weir's in a live database, and print what is not as
            promised, each with its fix. Changes nothing, with --attack neither. Exit code 0: nothing found; 1: findings, or it could not look.
            """)
        {
            database, attack, json, CommandRun.Config,
        };
        command.Run(async (parsed, stop) =>
        {
            await using var rehearsal =
                await Rehearsal.BeginAsync(Resolve(parsed.GetValue(database), parsed.GetValue(CommandRun.Config)), stop);
            var report = await IsolationInspection.RunAsync(rehearsal, stop);
            if (parsed.GetValue(attack))
            {
                var found = await IsolationAttack.RunAsync(rehearsal, stop);
                report = report.With(found.Attempts, found.Findings, found.Notes);
            }

            await Console.Out.WriteLineAsync(parsed.GetValue(json) ? report.AsJson() : report.AsText());
            return report.Findings.Count == 0 ? ExitCode.Done : ExitCode.Failed;
        });
        return command;
    }

    private static string Resolve(string? given, string? configFile)
    {
        if (given is null)
        {
            return WeirConfig.Load(configFile).Database.OwnerUrl
                ?? throw new ConfigException(["--database: it must be given, or database.ownerUrl (WEIR_OWNER_DATABASE_URL) be set."]);
        }

        try
        {
            _ = DatabaseUrl.Parse(given);
            return given;
        }
        catch (FormatException e)
        {
            throw new ConfigException([$"--database: {e.Message}"]);
        }
    }
}
