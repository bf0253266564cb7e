using System.Net.Http.Headers;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Weir.Configuration;
using Weir.Keys;
using Weir.Nodes;
using Weir.Postgres;
using Weir.Postgres.Backups;
using Weir.Postgres.Migrations;
using Weir.Server.Hosting;
using Weir.Tests.Fixtures;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys;

/// <summary>
/// A backup under load, older than two deployments of what a real node runs; the database lost; restored to another one. Then an agent
/// calls, and an admin stops and deploys, as before.
/// </summary>
public sealed class RestoreTests(TestCluster cluster) : IAsyncLifetime
{
    // Each test has a keyring of its own, and so a _database.
    private readonly TestDatabase _database = new(cluster);
    private readonly string _data = Directory.CreateTempSubdirectory("weir-restore-").FullName;
    private readonly string _otherData = Directory.CreateTempSubdirectory("weir-restore-").FullName;
    private readonly List<string> _made = [];
    private WebApplication _weir = null!;
    private Uri _url = new("http://127.0.0.1:0");
    private World _world = null!;
    private NodeHost _node = null!;
    private string _name = "";
    private Databases _pools = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await _database.InitializeAsync();
        (_name, _pools) = (_database.Name, _database.Pools);
        await StartWeirAsync(_database.Config, _data);
        _world = await World.CreateAsync(_database);
        await _database.Owner.ExecuteAsync("select weir.publish_catalog_server($1)", [Sql.Jsonb("""
            {"slug":"fixture","display_name":"Fixture","transport":"stdio","runtime":"process","package":"weir-fixture","version":"1.0.0","bin":"weir-fixture",
             "args":["${config.vice}"],"env":{"VICE":"${config.vice}"},"configuration_schema":{"type":"object","properties":{"vice":{"type":"string"}}}}
            """)], Token);
        _node =
            await NodeHost.StartAsync(["--weir-url", _url.ToString()], environment: new() { ["WEIR_NODE_TOKEN"] = await NodeTokenAsync() });
        _node.NodeId.ShouldNotBeNull(_node.Errors);
    }

    public async ValueTask DisposeAsync()
    {
        await _weir.DisposeAsync();
        await _node.DisposeAsync();
        if (_pools != _database.Pools)
        {
            await _pools.DisposeAsync();
        }

        foreach (var name in _made)
        {
            await _database.Cluster.DropDatabaseAsync(name);
        }

        await _database.DisposeAsync();

        Directory.Delete(_data, recursive: true);
        Directory.Delete(_otherData, recursive: true);
    }

    [Fact]
    public async Task With_its_keyring_everything_is_adopted_and_a_client_that_knows_nothing_of_it_calls_on()
    {
        var (kept, halted, gone) = (await DeployAsync("kept"), await DeployAsync("halted"), await DeployAsync("gone"));
        await _world.GrantAsync(kept, """{"tools": {"environment": {}}}""");
        await CallsAsync();
        var file = await BackUpUnderLoadAsync();

        // After the backup: two deployments of one, a stop, a deletion, and a server that the backup does not know.
        await ManageAsync("update", kept, """{"configuration":{"vice":"later"}}""");
        await StatusAsync(kept, "running");
        await ManageAsync("update", kept, """{"configuration":{"vice":"latest"}}""");
        await StatusAsync(kept, "running");
        await ManageAsync("stop", halted);
        await StatusAsync(halted, "stopped");
        await ManageAsync("delete", gone);
        await StatusAsync(gone, "deleted");
        var unknown = await DeployAsync("unknown");
        var (known, before) = ((await _node.StatusAsync(kept)).Generation, await GenerationAsync(kept));
        known.ShouldBe(before);

        await RestoreAsync(file, Keyring.LoadOrCreate(Path.Combine(_data, "keyring.json")).Fingerprint, _data);

        (await GenerationAsync(kept)).ShouldBeLessThan(known);
        await Until.AsyncTrue(async () => await GenerationAsync(kept) > known, "the database says what it wants above what the node knows");
        await StatusAsync(kept, "running");
        await StatusAsync(halted, "running");
        await StatusAsync(gone, "running");
        await _node.StateAsync(unknown, "stopped");
        _node.Errors.ShouldContain($"Weir does not place instance {unknown} on this node");
        Directory.Exists(Path.Combine(_node.Data, "instances", unknown.ToString())).ShouldBeTrue();
        await CallsAsync();
        (await RawAsync().CallAsync("kept__environment")).Body.ShouldContain("\\\"VICE\\\":\\\"none\\\"");
        (await LookAsync(
            "select string_agg(distinct epoch::text, ' ' order by epoch::text) from public.mcp_interaction_logs where kind = "
                + "'tool_execution'")).ShouldBe("1 2");
        await StopsAndDeploysAsync(kept);
    }

    [Fact]
    public async Task Without_its_keyring_the_node_is_registered_again_under_its_name_and_keeps_what_it_has()
    {
        var kept = await DeployAsync("kept");
        await _world.GrantAsync(kept, """{"tools": {"environment": {}}}""");
        await CallsAsync();
        var file = await BackUpUnderLoadAsync();
        await ManageAsync("update", kept, """{"configuration":{"vice":"later"}}""");
        await StatusAsync(kept, "running");
        var (id, known) = (_node.NodeId, await GenerationAsync(kept));

        await RestoreAsync(file, fingerprint: null, _otherData);

        // It was started with a token, which it tries when its key is refused.
        await Until.True(
            () => _node.Errors.Contains("the registration token is unknown, used or expired; issue another one.", StringComparison.Ordinal),
            "the node says that it is not known");
        await _node.KillAsync();
        var data = _node.Data;
        _node =
            await NodeHost.StartAsync(
                ["--weir-url", _url.ToString()], data: data, environment: new() { ["WEIR_NODE_TOKEN"] = await NodeTokenAsync() });

        _node.NodeId.ShouldBe(id, _node.Errors);
        await Until.AsyncTrue(async () => await GenerationAsync(kept) > known, "it is adopted");
        await StatusAsync(kept, "running");
        await CallsAsync();
        await StopsAndDeploysAsync(kept);
    }

    private async Task StopsAndDeploysAsync(Guid instance)
    {
        await ManageAsync("stop", instance);
        await StatusAsync(instance, "stopped");
        (await _node.StatusAsync(instance)).State.ShouldBe("stopped");
        await ManageAsync("deploy", instance);
        await StatusAsync(instance, "running");
        await CallsAsync();
    }

    /// <summary>Calls go on while it is made; afterwards each that succeeded before is in it.</summary>
    private async Task<string> BackUpUnderLoadAsync()
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var succeeded = 0;
        var load = Enumerable.Range(0, 4).Select(async _ =>
        {
            var raw = RawAsync();
            while (!stop.IsCancellationRequested)
            {
                (await raw.CallAsync("kept__environment")).Body.ShouldContain("VICE");
                Interlocked.Increment(ref succeeded);
            }
        }).ToArray();
        await Until.True(() => Volatile.Read(ref succeeded) > 50, "calls under way");
        var before = Volatile.Read(ref succeeded);
        var file = Path.Combine(_data, "backup");
        var manifest = await new DatabaseBackup(_database.OwnerUrl, file, _ => { }, TimeProvider.System).RunAsync(Token);
        await stop.CancelAsync();
        await Task.WhenAll(load);
        manifest.Facts.Log.Rows.ShouldBeGreaterThanOrEqualTo(before);
        return file;
    }

    private async Task RestoreAsync(string file, byte[]? fingerprint, string data)
    {
        await _weir.StopAsync(Token);
        await _weir.DisposeAsync();
        _name = await _database.Cluster.CreateDatabaseAsync(migrated: false);
        _made.Add(_name);
        var config = _database.Config with
        {
            OwnerUrl = _database.Cluster.OwnerUrl(_name), Url = TestCluster.InDatabase(_database.GatewayUrl, _name),
            EngineUrl = TestCluster.InDatabase(_database.EngineUrl, _name),
        };
        var options = new RestoreOptions(
            Path.Combine(data, "keyring.json"), fingerprint, WithoutKeyring: fingerprint is null, Newer: null, RevokeAgain: false);
        await new DatabaseRestore(config, MigrationScript.Embedded(), options, _ => { }, _ => { }, TimeProvider.System).RunAsync(
            file, Token);
        _pools = Databases.Open(config);
        await StartWeirAsync(config, data);
    }

    private async Task StartWeirAsync(DatabaseConfig config, string data)
    {
        _weir = WeirHost.Build(new WeirConfig
        {
            DataDirectory = data, Database = config, Http = new HttpConfig { Listen = _url },
            Egress = new EgressConfig { Allow = ["127.0.0.1"] },
        });
        await _weir.StartAsync(Token);
        _url = new Uri(_weir.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());
    }

    private Task<string> NodeTokenAsync() =>
        new NodeTokens(new NodesQueries(_pools), TimeProvider.System).IssueAsync("the-node", null, TimeSpan.FromMinutes(5), Token);

    private RawClient RawAsync()
    {
#pragma warning disable RS0030 // The test speaks to Weir from outside.
        var client = new HttpClient { BaseAddress = _url };
#pragma warning restore RS0030
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", _world.AgentKey);
        return new RawClient(client);
    }

    private async Task CallsAsync() =>
        await Until.AsyncTrue(async () => (await RawAsync().CallAsync("kept__environment")).Body.Contains("VICE", StringComparison.Ordinal),
            "a call that succeeds");

    private async Task<Guid> DeployAsync(string name)
    {
        var made = await PersonAsync("select public.manage_mcp_servers('create', $1, $2)", Sql.Uuid(_world.OrganizationId),
            Sql.Jsonb($$"""{"instance_name":"{{name}}","catalog":"fixture","configuration":{"vice":"none"} }"""));
        var id = made.GetProperty("id").GetGuid();
        await ManageAsync("deploy", id);
        await StatusAsync(id, "running");
        return id;
    }

    private Task<JsonElement> ManageAsync(string action, Guid instance, string? config = null) => PersonAsync(
        "select public.manage_mcp_servers($1, $2, $3, $4)", Sql.Text(action), Sql.Uuid(_world.OrganizationId), Sql.Jsonb(config),
        Sql.Uuid(instance));

    private async Task<JsonElement> PersonAsync(string sql, params Npgsql.NpgsqlParameter[] parameters)
    {
        var answer = await new UserSession(_pools.Gateway).CallAsync(_world.OwnerId, sql, parameters, Token);
        answer.TryGetProperty("error", out _).ShouldBeFalse(answer.ToString());
        return answer;
    }

    private async Task StatusAsync(Guid instance, string status)
    {
        var now = "";
        await Until.AsyncTrue(
            async () =>
                (now = await LookAsync(
                    $"select concat_ws(' ', status, last_error_code, last_error) from public.mcp_server_instances where id = '{instance}'"))
                    == status,
            () => $"{instance} should be {status}, was {now}. {_node.Errors}");
    }

    private async Task<long> GenerationAsync(Guid instance) => long.Parse(
        await LookAsync($"select generation from public.mcp_server_instances where id = '{instance}'"),
        System.Globalization.CultureInfo.InvariantCulture);

    private async Task<string> LookAsync(string sql)
    {
        await using var superuser = _database.Cluster.Superuser(_name);
        return (await superuser.QueryAsync(sql, [], r => r.GetValue(0).ToString()!, Token))[0];
    }
}
