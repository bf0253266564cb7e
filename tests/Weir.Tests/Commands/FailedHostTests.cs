using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Weir.Postgres;
using Weir.Postgres.Embedded;
using Weir.Tests.Infrastructure;
using Weir.Tests.Journeys;

namespace Weir.Tests.Commands;

/// <summary>
/// Issue 2: a background service that fails stops the web host. A process that lived on would look well and serve nobody, and
/// whoever supervises it would not start it again.
/// </summary>
public sealed class FailedHostTests(TestCluster cluster, UpWithoutRegistry up) : IClassFixture<UpWithoutRegistry>, IAsyncLifetime
{
    /// <summary>What the refresh of catalogs reads comes back with no id, which nothing in it expects.</summary>
    private const string BreakTheRefresh = """
        create or replace function weir.instances_to_refresh(
          p_replica_id uuid, p_limit integer, p_lease interval, p_max_age interval, p_share integer default 8,
          p_running_organizations uuid[] default '{}', p_running_nodes uuid[] default '{}')
        returns table (organization_id uuid, instance_id uuid, instance_name text, endpoint_url text, node_id uuid, share text, generation bigint)
        language sql set search_path = '' as $$ select null::uuid, null::uuid, 'x', null, null::uuid, 'instance', 1::bigint $$
        """;

    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    private readonly TestDatabase _database = new(cluster);
    private readonly string _directory = Directory.CreateTempSubdirectory("weir-failed-").FullName;

    public ValueTask InitializeAsync() => _database.InitializeAsync();

    public async ValueTask DisposeAsync()
    {
        await _database.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task Serve_ends_with_its_host_and_says_what_failed()
    {
        using var serve = await StartServeAsync();
        await _database.Superuser.ExecuteAsync(BreakTheRefresh, [], CancellationToken.None);
        var (code, errors) = await EndAsync(serve);
        code.ShouldBe(1, errors);
        ShouldSayWhatFailedInOneLine(errors);
    }

    [Fact]
    public async Task Serve_ends_well_when_it_is_asked_to()
    {
        using var serve = await StartServeAsync();
        await Tool.SignalAsync(serve.Id, "TERM", CancellationToken.None);
        var (code, errors) = await EndAsync(serve);
        code.ShouldBe(0, errors);
        PlainLines(errors).ShouldBeEmpty();
    }

    [Fact]
    public async Task Up_ends_with_its_host_whether_it_was_ready_or_not()
    {
        await up.LookAsync<int>(BreakTheRefresh, _ => 0);
        var (code, errors) = await up.EndAsync();
        code.ShouldBe(1, errors);
        ShouldSayWhatFailedInOneLine(errors);

        // Once more: now it fails while the demo is being prepared.
        var again = await RunningUp.RunAsync(RunningUp.WithoutRegistry, "up", "--json", "--data", up.Directory);
        (again.ExitCode, again.Output).ShouldBe((1, ""), again.Errors);
        ShouldSayWhatFailedInOneLine(again.Errors);
    }

    private static void ShouldSayWhatFailedInOneLine(string errors)
    {
        var line = PlainLines(errors).ShouldHaveSingleItem();
        line.ShouldStartWith("weir: DefinitionRefresh failed, and Weir ended with it: ");
        line.ShouldEndWith(" The log above has more. Start it again.");
    }

    /// <summary>Without the log, whose lines are JSON.</summary>
    private static string[] PlainLines(string errors) => [
        .. errors.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(line => line[0] != '{'),
    ];

    /// <summary>A replica that listens.</summary>
    private async Task<Process> StartServeAsync()
    {
        var port = FreePort();
        var serve = Process.Start(RunningUp.Command(
            new Dictionary<string, string>
            {
                ["WEIR_DATABASE_URL"] = _database.GatewayUrl,
                ["WEIR_ENGINE_DATABASE_URL"] = _database.EngineUrl,
                ["WEIR_DATA_DIRECTORY"] = _directory,
                ["WEIR_HTTP_LISTEN"] = $"http://127.0.0.1:{port}",
            },
            "serve"))!;
        await Until.AsyncTrue(async () => serve.HasExited || await ListensAsync(port), "the replica listens", Timeout);
        return serve;
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static async Task<bool> ListensAsync(int port)
    {
        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync(IPAddress.Loopback, port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static async Task<(int Code, string Errors)> EndAsync(Process process)
    {
        using var timeout = new CancellationTokenSource(Timeout);
        try
        {
            var errors = await process.StandardError.ReadToEndAsync(timeout.Token);
            await process.WaitForExitAsync(timeout.Token);
            return (process.ExitCode, errors);
        }
        finally
        {
            process.Kill();
        }
    }
}
