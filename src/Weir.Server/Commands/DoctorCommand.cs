using System.CommandLine;
using System.Text.Json;
using Weir.Configuration;
using Weir.Egress;
using Weir.Keys;
using Weir.Nodes;
using Weir.Postgres;
using Weir.Postgres.Doctor;
using Weir.Server.Hosting;

namespace Weir.Server.Commands;

/// <summary>
/// <c>weir doctor</c>: what is wrong with the database's URLs, logins, migrations and statistics, the keyring, the public URL and the
/// nodes' addresses, and how to fix it.
/// </summary>
internal static class DoctorCommand
{
    public static Command Create()
    {
        var json = new Option<bool>("--json") { Description = "Print one JSON line." };
        var command = new Command("doctor", """
            Look at the database behind each URL that is set (host and port, version, login, a pooler's mode), at its migrations, statistics
            and autovacuum, at the keyring and http.publicUrl, and at each node's address, and print what is not as it should be with its fix. Changes nothing.
            Exit code 0: all is well; 1: something is not.
            """)
        {
            json, UpCommand.Data, CommandRun.Config,
        };
        command.Run(async (parsed, stop) =>
        {
            var config = WeirConfig.Load(parsed.GetValue(CommandRun.Config));
            config = parsed.GetValue(UpCommand.Data) is { } data ? config with { DataDirectory = data } : config;
            if (config.Database is { OwnerUrl: null, Url: null, EngineUrl: null })
            {
                throw new ConfigException(
                    ["There is no URL to look at: set WEIR_OWNER_DATABASE_URL, WEIR_DATABASE_URL or WEIR_ENGINE_DATABASE_URL."]);
            }

            var keyring = File.Exists(config.KeyringPath) ? Keyring.LoadOrCreate(config.KeyringPath) : null;
            using var egress = new EgressHttp(new EgressPolicy(config.Egress.Allow));
            IReadOnlyList<Diagnosis> found =
            [
                .. await DatabaseDoctor.ExamineAsync(config.Database, config.Http.PublicAddress, keyring?.Fingerprint, stop),
                .. await NodeDoctor.ExamineAsync(config.Database, keyring, egress.Operator, stop),
            ];
            await Console.Out.WriteLineAsync(parsed.GetValue(json) ? AsJson(found) : AsText(found));
            return found.All(d => d.Fix is null) ? ExitCode.Done : ExitCode.Failed;
        });
        return command;
    }

    private static string AsJson(IReadOnlyList<Diagnosis> found) =>
        JsonSerializer.Serialize(new
        {
            healthy = found.All(d => d.Fix is null),
            checks = found.Select(d => new { check = d.Check, found = d.Found, fix = d.Fix }),
        }, PlainJson.Line);

    private static string AsText(IReadOnlyList<Diagnosis> found) => string.Join(
        Environment.NewLine, found.Select(d => d.Fix is null
            ? $"ok    {d.Check}: {d.Found}"
            : $"WRONG {d.Check}: {d.Found}{Environment.NewLine}      {d.Fix}"));
}
