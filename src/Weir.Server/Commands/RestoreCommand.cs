using System.CommandLine;
using System.Text.Json;
using Weir.Configuration;
using Weir.Keys;
using Weir.Postgres;
using Weir.Postgres.Backups;
using Weir.Postgres.Migrations;
using Weir.Server.Hosting;

namespace Weir.Server.Commands;

/// <summary><c>weir restore</c>: a backup into an empty database, and what it means that time goes back.</summary>
internal static class RestoreCommand
{
    public static Command Create()
    {
        var file = new Argument<string?>("FILE") { Description = "What weir backup has made.", Arity = ArgumentArity.ZeroOrOne };
        var alreadyRestored = new Option<bool>("--already-restored")
        {
            Description = "The database itself was put back to an earlier time by other means: load nothing, begin a new epoch.",
        };
        var withoutKeyring = new Option<bool>("--without-keyring")
        {
            Description = "Go on although the keyring at hand is not the one that the rows were written with: each node must be registered "
                + "again.",
        };
        var newer = new Option<string?>("--newer")
        {
            Description = "The owner's URL of the database as it was last, if that can be read: lists what was revoked since. With a "
                + "password: WEIR_NEWER_DATABASE_URL instead.",
            HelpName = "URL",
        };
        var revokeAgain =
            new Option<bool>("--revoke-again") { Description = "Take away again what --newer lists, in the same transaction." };
        var json = new Option<bool>("--json") { Description = "Print one JSON line." };
        var command = new Command("restore", """
            Load a backup into the database of WEIR_OWNER_DATABASE_URL, which must be empty or only migrated: whole, or nothing of it and exit
            code 1. A new epoch of the audit log begins, all sign-ins end, and what was revoked after the backup is alive again: --newer lists it.
            Stop all replicas first. The page "operations" of the documentation says what comes after.
            """)
        {
            file, alreadyRestored, withoutKeyring, newer, revokeAgain, json, UpCommand.Data, CommandRun.Config,
        };
        command.Validators.Add(result =>
        {
            if (result.GetValue(alreadyRestored) == (result.GetValue(file) is not null))
            {
                result.AddError("Name the FILE to load, or say --already-restored: one of both.");
            }
            else if (result.GetValue(revokeAgain) && (result.GetValue(newer) ?? NewerUrl) is null)
            {
                result.AddError(
                    "--revoke-again wants WEIR_NEWER_DATABASE_URL or --newer: without the newer database nobody knows what was revoked.");
            }
        });
        command.Run(async (parsed, stop) =>
        {
            var config = WeirConfig.Load(parsed.GetValue(CommandRun.Config));
            config = parsed.GetValue(UpCommand.Data) is { } data ? config with { DataDirectory = data } : config;
            var owner = config.Database.RequireOwnerUrl();
            var fingerprint = File.Exists(config.KeyringPath) ? Keyring.LoadOrCreate(config.KeyringPath).Fingerprint : null;
            var options = new RestoreOptions(
                config.KeyringPath, fingerprint, parsed.GetValue(withoutKeyring), Newer(parsed.GetValue(newer)),
                parsed.GetValue(revokeAgain));
            var restore = new DatabaseRestore(
                config.Database, MigrationScript.Embedded(), options, text => Console.Error.WriteLine($"weir: {text}"),
                report => Console.Out.WriteLine(parsed.GetValue(json) ? AsJson(report) : AsText(report)), TimeProvider.System);
            var done = parsed.GetValue(file) is { } path ? await restore.RunAsync(path, stop) : await restore.AlreadyRestoredAsync(stop);
            await DatabaseRestore.AfterCommitAsync(
                done, "Telling the database what is configured", () => new PlatformQueries(owner).NotifyAsync(config, stop));
            return done.BroughtBack?.Any(b => b.Problem is not null) == true ? ExitCode.Failed : ExitCode.Done;
        });
        return command;
    }

    private static string? NewerUrl => Environment.GetEnvironmentVariable("WEIR_NEWER_DATABASE_URL");

    /// <summary>The URL of the newer database. A password is not to stand where every user of the machine can read it.</summary>
    private static string? Newer(string? argument)
    {
        try
        {
            return (argument ?? NewerUrl) is not { } url ? null
                : DatabaseUrl.Parse(url).Password is { Length: > 0 } && argument is not null
                    ? throw new ConfigException(
                        [
                            "--newer: a command line is read by everybody on the machine; put a URL with a password into "
                                + "WEIR_NEWER_DATABASE_URL.",
                        ])
                    : url;
        }
        catch (FormatException e)
        {
            throw new ConfigException([$"{(argument is null ? "WEIR_NEWER_DATABASE_URL" : "--newer")}: {e.Message}"]);
        }
    }

    private static string AsJson(RestoreReport report) => JsonSerializer.Serialize(new
    {
        at = report.At, epoch = report.Epoch, rows = report.Rows, active = report.Authorities, keyringIsLost = report.KeyringIsLost,
        migrations = report.Migrations, compared = report.BroughtBack is null ? null : Authorities.Compared,
        broughtBack = report.BroughtBack?.Select(b => new
        {
            kind = b.Authority.Kind, id = b.Authority.Id, organizationId = b.Authority.OrganizationId, text = b.AsText(),
            problem = b.Problem,
        }),
    }, PlainJson.Line);

    private static string AsText(RestoreReport report) => string.Join(Environment.NewLine, Lines(report));

    private static IEnumerable<string> Lines(RestoreReport report)
    {
        yield return report.At is { } at
            ? $"Restored: {report.Rows} rows as of {at:u}. The record goes on in epoch {report.Epoch}."
            : $"The record goes on in epoch {report.Epoch}.";
        if (report.Migrations.Count > 0)
        {
            yield return $"{report.Migrations.Count} migrations follow that the backup did not have.";
        }

        yield return "All sign-ins have ended; replicas, leases and unused node tokens are gone. Calls without an outcome at the time of "
            + "the backup stay without one.";
        if (report.KeyringIsLost)
        {
            yield return "The keyring is another one: each node must be registered again (weir node register NAME, then start weir-node "
                + "with the token).";
        }

        foreach (var line in Danger(report))
        {
            yield return line;
        }
    }

    private static IEnumerable<string> Danger(RestoreReport report)
    {
        var active = string.Join(", ", report.Authorities.Select(a => $"{a.Key} {a.Value}"));
        if (report.BroughtBack is not { } back)
        {
            yield return $"DANGER: what was revoked, stopped or deleted after {(report.At is { } at ? at.ToString("u") : "that time")} is "
                + "alive again: "
                + $"{Authorities.Compared}. Active now: {active}.";
            yield return "Compare with what you know, or, where the newer database can be read, put its URL into WEIR_NEWER_DATABASE_URL "
                + "and say weir restore --already-restored --revoke-again.";
            yield break;
        }

        yield return $"Compared with the newer database, and nothing else: {Authorities.Compared}.";
        yield return back.Count == 0 ? "It gives all of these that are active here." : $"{back.Count} that it does not give:";
        foreach (var one in back)
        {
            yield return $"  {one.AsText()}";
        }

        yield return $"Active now: {active}.";
    }
}
