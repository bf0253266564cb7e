using System.CommandLine;
using Weir.Configuration;
using Weir.Postgres;
using Weir.Postgres.Doctor;
using Weir.Replicas;
using Weir.Server.Hosting;

namespace Weir.Server.Commands;

/// <summary><c>weir serve</c>: one replica on a database that somebody else runs and has migrated.</summary>
internal static class ServeCommand
{
    public static Command Create()
    {
        var port = new Option<int?>("--port") { Description = "The port to listen on, instead of http.listen's.", HelpName = "PORT" };
        var command = new Command("serve", """
            Serve, until SIGTERM, on the database of WEIR_DATABASE_URL and WEIR_ENGINE_DATABASE_URL, which weir migrate has prepared.
            Any number of replicas may serve one database; all need the same keyring.
            """)
        {
            port, CommandRun.Config,
        };
        command.Run(async (parsed, stop) =>
        {
            var config = WeirConfig.Load(parsed.GetValue(CommandRun.Config));
            if (parsed.GetValue(port) is { } number)
            {
                config = config with { Http = config.Http.OnPort(number) };
            }

            if (Path.GetDirectoryName(Path.GetFullPath(config.KeyringPath)) is { } directory)
            {
                DataDirectory.Create(directory);
            }

            await using var host = WeirHost.Build(config);
            var logger = host.Services.GetRequiredService<ILoggerFactory>().CreateLogger("Weir.Serve");
            var databases = host.Services.GetRequiredService<Databases>();
            await new DatabaseWait(config, logger, TimeProvider.System).UntilAsync(ct => StartChecks.RunAsync(databases, config, ct), stop);
            await WarnOfOtherUrlAsync(databases, config, logger, stop);
            await host.WhileItRunsAsync(
                async ending =>
                {
                    await host.StartAsync(ending);
                    logger.LogInformation("Weir {Version} serves at {Url}.", Replica.Version, string.Join(", ", host.Urls));
                    await CommandRun.Until(ending);
                    logger.LogInformation("Weir stops.");
                    await host.StopAsync(CancellationToken.None);
                },
                stop);
            return ExitCode.Done;
        });
        return command;
    }

    /// <summary>Only a warning: calls are decided as before, and a replica that restarts between two changes must come up.</summary>
    private static async Task WarnOfOtherUrlAsync(Databases databases, WeirConfig config, ILogger logger, CancellationToken stop)
    {
        if (await PublicUrlProbe.ExamineAsync(databases.Engine, config.Http.PublicAddress, stop) is { Fix: { } fix } difference)
        {
            logger.LogWarning("{Check}: {Found}. {Fix}", difference.Check, difference.Found, fix);
        }
    }
}
