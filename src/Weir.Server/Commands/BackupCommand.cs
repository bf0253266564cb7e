using System.CommandLine;
using System.Text.Json;
using Weir.Configuration;
using Weir.Postgres.Backups;
using Weir.Postgres.Embedded;
using Weir.Server.Hosting;

namespace Weir.Server.Commands;

/// <summary><c>weir backup</c>: all rows of the database in one file.</summary>
internal static class BackupCommand
{
    public static Command Create()
    {
        var file = new Argument<string>("FILE") { Description = "The file to make. It must not exist yet." };
        var json = new Option<bool>("--json") { Description = "Print one JSON line." };
        var command = new Command("backup", """
            Write all of Weir's rows into one file, as they were at one moment, while everybody works on: the database of
            WEIR_OWNER_DATABASE_URL, by its owner's login; where that is not set, the one that weir up runs on the data directory. It is whole, read once more and compared, or there is no file and exit code 1.
            The keyring is not in it: keep that elsewhere, as long as the backup. Progress is on standard error.
            """)
        {
            file, json, UpCommand.Data, CommandRun.Config,
        };
        command.Run(async (parsed, stop) =>
        {
            var config = WeirConfig.Load(parsed.GetValue(CommandRun.Config));
            var embedded = ClusterState.FindOwnerUrl(parsed.GetValue(UpCommand.Data) ?? config.DataDirectory);
            var owner = config.Database.OwnerUrl ?? embedded ?? config.Database.RequireOwnerUrl();
            var path = parsed.GetValue(file)!;
            var manifest =
                await new DatabaseBackup(owner, path, text => Console.Error.WriteLine($"weir: {text}"), TimeProvider.System).RunAsync(stop);
            await Console.Out.WriteLineAsync(parsed.GetValue(json) ? AsJson(path, manifest) : AsText(path, manifest));
            return ExitCode.Done;
        });
        return command;
    }

    private static string AsJson(string path, BackupManifest manifest) => JsonSerializer.Serialize(new
    {
        file = path, bytes = new FileInfo(path).Length, at = manifest.Facts.At, rows = manifest.Rows, logRows = manifest.Facts.Log.Rows,
        tables = manifest.Tables.Length, epoch = manifest.Facts.Epoch, schema = manifest.Migrations[^1].Name,
        keyring = manifest.Facts.Keyring,
    }, PlainJson.Line);

    private static string AsText(string path, BackupManifest manifest) => string.Join(
        Environment.NewLine,
        $"{path}: {manifest.Rows} rows of {manifest.Tables.Length} tables as of {manifest.Facts.At:u}, {manifest.Facts.Log.Rows} of them "
            + $"the audit log's; {new FileInfo(path).Length} bytes.",
        manifest.Facts.Keyring is { } keyring
            ? $"The keyring is not in it (fingerprint {keyring[..16]}…): keep it elsewhere, as long as the backup."
            : "No replica has brought a keyring to this database yet.");
}
