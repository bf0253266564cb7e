using Microsoft.AspNetCore.Connections;
using Weir.Configuration;
using Weir.Errors;
using Weir.Nodes;
using Weir.Postgres;
using Weir.Postgres.Embedded;
using Weir.Postgres.Migrations;
using Weir.Server.Hosting;
using Weir.Telemetry;

namespace Weir.Server.Up;

/// <summary>
/// Starts everything in order, says so, waits for the signal, and stops everything in the reverse order:
/// <list type="number">
/// <item>the data directory is ours alone;</item>
/// <item>a database: the configured one, or one of our own;</item>
/// <item>its schema is this release's;</item>
/// <item>the keyring, and the web host;</item>
/// <item>a node;</item>
/// <item>the demo, and its servers running or failed;</item>
/// <item>the report.</item>
/// </list>
/// </summary>
internal static class UpRun
{
    public static async Task<int> RunAsync(UpOptions options, CancellationToken stop)
    {
        using var loggers = LoggerFactory.Create(logging => logging.ToStandardError());
        var logger = loggers.CreateLogger("Weir.Up");
        var (config, time) = (options.Config, TimeProvider.System);

        using var data = DataDirectory.Open(config.DataDirectory); // 1
        _ = Detached.BoundLogAsync(data.Path, time, stop);
        RefuseHalfOfTheUrls(config.Database);
        // Only so that a port that cannot be had is said before anything is started.
        Ports.Choose(config.Http, options.Port);
        var shared = await SharedPlace.FindAsync(data, stop);
        if (shared != data.Path)
        {
            options.Say($"Other accounts cannot enter {data.Path}: the database, the node and the demo folder are in {shared}.");
        }

        await using var postgres = await StartDatabaseAsync(options, data, shared, logger, time, stop); // 2
        config = postgres is null
            ? config
            : config with
            {
                Database = config.Database with { Url = postgres.GatewayUrl, EngineUrl = postgres.EngineUrl, OwnerUrl = postgres.OwnerUrl },
            };

        var owner = config.Database.OwnerUrl!;
        await RefuseHalfASupabaseAsync(options, owner, stop);
        options.Say("Migrating the database …");
        await new Migrator(owner, MigrationScript.Embedded()).MigrateAsync(config.Database.Url, config.Database.EngineUrl, stop); // 3

        await using var host = await StartHostAsync(options, config, time, stop); // 4
        config = host.Services.GetRequiredService<WeirConfig>();
        // Only now is the port known that begins every link.
        await new PlatformQueries(owner).NotifyAsync(config, stop);

        await host.WhileItRunsAsync(
            ending => ServeAsync(new DemoContext(options, config, host.Services, shared, time), host, logger, ending), stop);
        return ExitCode.Done;
    }

    private static async Task ServeAsync(DemoContext context, WebApplication host, ILogger logger, CancellationToken ending)
    {
        var (options, config) = (context.Options, context.Config);
        options.Say("Starting the node …");
        var node = await NodeProcess.StartAsync(
            Path.Combine(context.Shared, "node"), config.Http.Listen, host.Services.GetRequiredService<NodeRegistry>(),
            host.Services.GetRequiredService<NodeDirectory>(), context.Time, logger, ending); // 5
        try
        {
            options.Say("Preparing the demo; the first time this installs its servers …");
            var demo = await Demo.EnsureAsync(context, ending); // 6
            var report = Report(config, demo); // 7
            UpConnection.Of(report).Save(config.DataDirectory);
            await options.Output.WriteLineAsync(options.Json ? report.ToJsonLine() : report.ToText());
            await options.Output.FlushAsync(ending);
            await CommandRun.Until(ending);
            options.Say("Stopping …");
        }
        finally
        {
            UpConnection.Remove(config.DataDirectory);
            // No new call comes in while its server is being ended.
            await host.StopAsync(CancellationToken.None);
            await node.DisposeAsync();
        }
    }

    private static async Task<EmbeddedPostgres?> StartDatabaseAsync(
        UpOptions options, DataDirectory data, string shared, ILogger logger, TimeProvider time, CancellationToken stop)
    {
        if (options.Config.Database.Url is not null)
        {
            return null;
        }

        options.Say("Starting PostgreSQL …");
        return await EmbeddedPostgres.StartAsync(data, new EmbeddedPostgresOptions { Place = shared }, logger, time, stop);
    }

    /// <summary>On the port that is free now: another <c>up</c> may have taken the one that was free before.</summary>
    private static async Task<WebApplication> StartHostAsync(
        UpOptions options, WeirConfig config, TimeProvider time, CancellationToken stop)
    {
        while (true)
        {
            var host = WeirHost.Build(config with { Http = Ports.Choose(config.Http, options.Port).WithUrl() }, time);
            try
            {
                await StartChecks.RunAsync(host.Services.GetRequiredService<Databases>(), config, stop);
                await host.WhileItRunsAsync(host.StartAsync, stop);
                return host;
            }
            catch (IOException e) when (e.InnerException is AddressInUseException)
            {
                // Somebody was faster; the next look finds another port, or refuses.
                await host.DisposeAsync();
            }
            catch
            {
                await host.DisposeAsync();
                throw;
            }
        }
    }

    private static void RefuseHalfOfTheUrls(DatabaseConfig database)
    {
        string[] missing =
        [
            .. database.Url is null ? ["database.url (WEIR_DATABASE_URL)"] : Array.Empty<string>(),
            .. database.EngineUrl is null ? ["database.engineUrl (WEIR_ENGINE_DATABASE_URL)"] : Array.Empty<string>(),
            .. database.OwnerUrl is null ? ["database.ownerUrl (WEIR_OWNER_DATABASE_URL)"] : Array.Empty<string>(),
        ];
        if (missing.Length is 1 or 2)
        {
            throw new ConfigException(missing.Select(key =>
                $"{key}: it must be set where another database URL is; without all three, up starts a PostgreSQL of its own.").ToArray());
        }
    }

    private static async Task RefuseHalfASupabaseAsync(UpOptions options, string ownerUrl, CancellationToken stop)
    {
        if (!await DatabaseKind.HasForeignUsersAsync(ownerUrl, stop))
        {
            return;
        }

        string[] missing =
        [
            .. options.OwnerUser is null
                ? ["--owner-user: the database has Supabase's users; name the one who owns the demo organization."]
                : Array.Empty<string>(),
            .. options.Config.Auth is { JwtSecret: null, JwksUrl: null }
                ? ["--jwt-secret or --jwks: the database has Supabase's users; "
                    + "their tokens are verified with the project's secret or keys."]
                : Array.Empty<string>(),
        ];
        if (missing.Length > 0)
        {
            throw new ConfigException(missing);
        }

        if (options.OwnerUser is { } user && !await DatabaseKind.HasUserAsync(ownerUrl, user, stop))
        {
            throw new WeirException(
                ErrorCode.NotFound, $"The database has no user {user}.", "Name one of the project's with --owner-user.");
        }
    }

    private static UpReport Report(WeirConfig config, DemoReport demo)
    {
        var url = (config.Http.PublicUrl ?? config.Http.Listen).ToString().TrimEnd('/');
        return new UpReport
        {
            Url = url,
            Mcp = $"{url}/mcp",
            Chat = $"{url}/functions/v1/chat",
            AgentId = demo.AgentId,
            AgentKey = demo.AgentKey,
            OrganizationId = demo.OrganizationId,
            WorkspaceId = demo.WorkspaceId,
            ChannelId = demo.ChannelId,
            AnonKey = demo.AnonKey,
            UserToken = demo.UserToken,
            Email = demo.Email,
            Password = demo.Password,
            DatabaseUrl = config.Database.Url!,
            OwnerDatabaseUrl = config.Database.OwnerUrl!,
        };
    }
}
