using System.CommandLine;
using System.Text.Json;
using Weir.Configuration;
using Weir.Postgres;
using Weir.Postgres.Migrations;
using Weir.Server.Hosting;

namespace Weir.Server.Commands;

/// <summary><c>weir migrate</c>: brings the database to this release.</summary>
internal static class MigrateCommand
{
    public static Command Create()
    {
        var json = new Option<bool>("--json") { Description = "Print one JSON line." };
        var command = new Command("migrate", """
            Bring the database of WEIR_OWNER_DATABASE_URL to this release, as its owner.
            Gives the logins weir_gateway and weir_engine the passwords in WEIR_DATABASE_URL and WEIR_ENGINE_DATABASE_URL, where those are set.
            Safe to run by several at once; refuses a database whose tables of Weir's names are not Weir's.
            """)
        {
            json, CommandRun.Config,
        };
        command.Run(async (parsed, stop) =>
        {
            var all = WeirConfig.Load(parsed.GetValue(CommandRun.Config));
            var config = all.Database;
            var owner = config.RequireOwnerUrl();
            var report = await new Migrator(owner, MigrationScript.Embedded()).MigrateAsync(config.Url, config.EngineUrl, stop);
            await new PlatformQueries(owner).NotifyAsync(all, stop);
            await Console.Out.WriteLineAsync(parsed.GetValue(json) ? AsJson(report) : AsText(report));
            return ExitCode.Done;
        });
        return command;
    }

    private static string AsJson(MigrationReport report) =>
        JsonSerializer.Serialize(new { applied = report.Applied, total = report.Total, logins = report.Logins }, PlainJson.Line);

    private static string AsText(MigrationReport report) => string.Join(Environment.NewLine,
    [
        .. report.Applied.Select(name => $"applied {name}"),
        report.Applied.Count == 0
            ? $"The database is up to date ({report.Total} migrations)."
            : $"{report.Applied.Count} of {report.Total} migrations applied.",
        report.Logins.Count == 0
            ? "No login was touched: neither WEIR_DATABASE_URL nor WEIR_ENGINE_DATABASE_URL is set."
            : $"Logins ready: {string.Join(", ", report.Logins)}.",
    ]);
}
