using System.CommandLine;
using System.Text.Json;
using Weir.Configuration;
using Weir.Keys;
using Weir.Postgres;
using Weir.Postgres.Backups;
using Weir.Postgres.Migrations;

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
            Description = "Go on although the keyring at hand is not the one that the rows were written with: each node must be registered again.",
        };
        var newer = new Option<string?>("--newer")
        {
            Description = "The owner's URL of the database as it was last, if that can be read: lists what was revoked since.", HelpName = "URL",
        };
        var revokeAgain = new Option<bool>("--revoke-again") { Description = "Take away again what --newer lists, in the same transaction." };
        var json = new Option<bool>("--json") { Description = "Print one JSON line." };
        var command = new Command("restore", """
            Load a backup into the database of WEIR_OWNER_DATABASE_URL, which must be empty or only migrated: whole, or nothing of it and exit
            code 1. A new epoch of the record begins, all sign-ins end, and what was revoked after the backup is alive again: --newer lists it.
            Stop all replicas first. docs/operations.md says what comes after.
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
            else if (result.GetValue(revokeAgain) && result.GetValue(newer) is null)
            {
                result.AddError("--revoke-again wants --newer: without the newer database nobody knows what was revoked.");
            }
        });
        command.Run(async (parsed, stop) =>
        {
            var config = WeirConfig.Load(parsed.GetValue(CommandRun.Config));
            config = parsed.GetValue(UpCommand.Data) is { } data ? config with { DataDirectory = data } : config;
            var owner = config.Database.RequireOwnerUrl();
            var fingerprint = File.Exists(config.KeyringPath) ? Keyring.LoadOrCreate(config.KeyringPath).Fingerprint : null;
            var options = new RestoreOptions(
                config.KeyringPath, fingerprint, parsed.GetValue(withoutKeyring), Checked(parsed.GetValue(newer)), parsed.GetValue(revokeAgain));
            var restore = new DatabaseRestore(config.Database, MigrationScript.Embedded(), options, text => Console.Error.WriteLine($"weir: {text}"), TimeProvider.System);
            var report = parsed.GetValue(file) is { } path ? await restore.RunAsync(path, stop) : await restore.AlreadyRestoredAsync(stop);
            await new PlatformQueries(owner).TellAsync(config, stop);
            await Console.Out.WriteLineAsync(parsed.GetValue(json) ? AsJson(report) : AsText(report));
            return ExitCode.Done;
        });
        return command;
    }

    private static string? Checked(string? url)
    {
        try
        {
            _ = url is null ? null : DatabaseUrl.Parse(url);
            return url;
        }
        catch (FormatException e)
        {
            throw new ConfigException([$"--newer: {e.Message}"]);
        }
    }

    private static string AsJson(RestoreReport report) => JsonSerializer.Serialize(new
    {
        at = report.At, epoch = report.Epoch, rows = report.Rows, active = report.Authorities, keyringIsLost = report.KeyringIsLost, applied = report.Applied,
        broughtBack = report.BroughtBack?.Select(b => new { kind = b.Authority.Kind, id = b.Authority.Id, organizationId = b.Authority.OrganizationId, text = b.AsText(), problem = b.Problem }),
    });

    private static string AsText(RestoreReport report) => string.Join(Environment.NewLine, Lines(report));

    private static IEnumerable<string> Lines(RestoreReport report)
    {
        yield return report.At is { } at
            ? $"Restored: {report.Rows} rows as of {at:u}. The record goes on in epoch {report.Epoch}."
            : $"The record goes on in epoch {report.Epoch}.";
        if (report.Applied.Count > 0)
        {
            yield return $"{report.Applied.Count} migrations were applied that the backup did not have.";
        }

        yield return "All sign-ins have ended; replicas, leases and unused node tokens are gone. Calls without an outcome stay so.";
        if (report.KeyringIsLost)
        {
            yield return "The keyring is another one: each node must be registered again (weir node register NAME, then start weir-dtma with the token).";
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
            yield return $"DANGER: what was revoked after {(report.At is { } at ? at.ToString("u") : "that time")} is alive again: grants, keys, members, passwords. Active now: {active}.";
            yield return "Compare with what you know, or say weir restore --already-restored --newer URL --revoke-again where the newer database can be read.";
            yield break;
        }

        yield return back.Count == 0 ? "Nothing was revoked since." : $"{back.Count} that the newer database does not give:";
        foreach (var one in back)
        {
            yield return $"  {one.AsText()}";
        }

        yield return $"Active now: {active}.";
    }
}
