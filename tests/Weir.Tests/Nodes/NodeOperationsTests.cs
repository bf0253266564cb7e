using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Weir.Egress;
using Weir.Errors;
using Weir.Identity;
using Weir.Keys;
using Weir.Limits;
using Weir.Nodes;
using Weir.Postgres;
using Weir.Server.Http;
using Weir.Server.Nodes;
using Weir.Tests.Fixtures;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Nodes;

/// <summary>The whole way of a deployment: published function, outbox, worker, real node, heartbeat, and back to the row.</summary>
public sealed class NodeOperationsTests(TestDatabase database) : IClassFixture<TestDatabase>, IAsyncLifetime
{
    private static readonly Guid Replica = Guid.NewGuidForTests();
    private readonly Keyring _keyring = Keyring.Parse([Convert.ToBase64String(new byte[32])]);
    private readonly EgressHttp _egress = new(new EgressPolicy([]));
    private readonly List<RemoteServer> _shaken = [];
    private Exception? _remoteFailure;
    private NodesQueries _queries = null!;
    private NodeDirectory _directory = null!;
    private NodeRegistry _registry = null!;
    private NodeClient _client = null!;
    private OperationsWorker _worker = null!;
    private WebApplication _weir = null!;
    private Guid _user;
    private Guid _organization;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _queries = new NodesQueries(database.Pools);
        _directory = new NodeDirectory(_queries, _keyring, TimeProvider.System, NullLogger<NodeDirectory>.Instance);
        _registry = new NodeRegistry(
            _queries, _keyring, _directory, new SeenKeys(TimeProvider.System), new UnverifiedCallers(TimeProvider.System),
            TimeProvider.System);
        _client = new NodeClient(_egress.Operator, TimeProvider.System);
        _worker = new OperationsWorker(
            _queries, _client, _keyring, HandshakeAsync, Replica, () => 0, TimeProvider.System, NullLogger<OperationsWorker>.Instance);
        await StartWeirAsync(0);

        _user =
            await database.Owner.ScalarAsync<Guid>(
                "select weir.create_user($1, 'none')", [Sql.Text($"{Guid.NewGuidForTests()}@example.org")], Token);
        _organization =
            (await PersonAsync("select to_jsonb(public.create_organization($1))", Sql.Text("Nodes"))).GetProperty("id").GetGuid();
        await database.Owner.ExecuteAsync("select weir.publish_catalog_server($1)", [Sql.Jsonb("""
            {"slug":"fixture","display_name":"Fixture","transport":"stdio","runtime":"process","package":"weir-fixture","version":"1.0.0","bin":"weir-fixture",
             "args":["${config.vice}"],"env":{"FOLDER":"${instanceDir}","VICE":"${config.vice}"},"configuration_schema":{"type":"object","properties":{"vice":{"type":"string"}}}}
            """)], Token);
    }

    public async ValueTask DisposeAsync()
    {
        await _weir.DisposeAsync();
        _egress.Dispose();
        _directory.Dispose();
        _worker.Dispose();
    }

    [Fact]
    public async Task M7_a_deployment_goes_through_the_outbox_to_the_node_and_its_state_comes_back()
    {
        await using var node = await JoinAsync("m7");
        var instance = await CreateAsync("m7", """{"vice":"none"}""");
        await DeployAsync(instance);
        await _worker.RunOnceAsync(Token);
        await StatusAsync(instance, "running");

        await _directory.RefreshAsync(Token);
        var connection = _directory.Nodes[node.NodeId!.Value];
        _directory.KeyOf(connection.Id).ShouldBe(connection.ApiKey);
        (await _client.GetAsync(connection, instance, Token)).State.ShouldBe("running");
        (await _client.ListAsync(connection, Token)).Servers.Length.ShouldBe(1);
        (await _client.StatusAsync(connection, Token)).Isolation.ShouldBe(Environment.IsPrivilegedProcess ? "user" : "none");
        (await _client.LogsAsync(connection, instance, 10, null, Token)).Lines.ShouldNotBeNull();

        await ManageAsync("stop", instance);
        await _worker.RunOnceAsync(Token);
        await StatusAsync(instance, "stopped");
        (await node.NodeStatusAsync()).Children.ShouldBe(0);
        await _client.DeleteAsync(connection, instance, Token);
        (await Should.ThrowAsync<NodeCallException>(_client.GetAsync(connection, instance, Token))).Code.ShouldBe(NodeErrors.NotFound);
    }

    [Fact]
    public async Task M8_a_node_that_is_stopped_says_that_its_instances_do_not_run()
    {
        await using var node = await JoinAsync("leaving");
        var instance = await CreateAsync("leaving", """{"vice":"none"}""");
        await DeployAsync(instance);
        await _worker.RunOnceAsync(Token);
        await StatusAsync(instance, "running");
        (await node.StopAsync()).ShouldBe(0);
        (await StatusOfAsync(instance)).ShouldBe(("degraded", NodeErrors.NodeStopped));

        // It comes back with a token that is used up, and with the identity that it has kept.
        await using var again = await NodeHost.StartAsync(
            ["--weir-url", _weir.Urls.Single().Replace("127.0.0.1", "localhost", StringComparison.Ordinal), "--token", "used.up"],
            data: node.Data);
        again.NodeId.ShouldBe(node.NodeId);
        await StatusAsync(instance, "running");
    }

    [Fact]
    public async Task D5_a_failing_server_and_a_bad_template_end_as_failed_with_the_reason()
    {
        await using var node = await JoinAsync("d5", "--restart-attempts", "1");
        var crashing = await CreateAsync("crashing", """{"vice":"crash"}""");
        var unfilled = await CreateAsync("unfilled", "{}");
        await DeployAsync(crashing);
        await DeployAsync(unfilled);
        await _worker.RunOnceAsync(Token);
        (await StatusAsync(crashing, "failed")).ShouldBe(NodeErrors.ExitedAtStart);
        (await StatusAsync(unfilled, "failed")).ShouldBe(ServerTemplates.TemplateInvalid);
    }

    [Fact]
    public async Task D5_a_node_that_is_away_is_asked_again_and_the_operation_is_applied_once()
    {
        var node = await JoinAsync("away");
        var instance = await CreateAsync("away", """{"vice":"none"}""");
        await DeployAsync(instance);
        await node.KillAsync();
        await _worker.RunOnceAsync(Token);
        (await StatusAsync(instance, "deploying")).ShouldBe(NodeCallException.NodeUnreachable);

        await using var again = await NodeHost.StartAsync(["--weir-url", _weir.Urls.Single()], data: node.Data);
        again.NodeId.ShouldBe(node.NodeId);
        // A retry is due after the backoff, and goes to the port that a new heartbeat has told.
        await _worker.StartAsync(Token);
        await StatusAsync(instance, "running");
    }

    [Fact]
    public async Task M1_an_updated_server_runs_with_its_new_configuration_and_a_restarted_one_is_another_child()
    {
        await using var node = await JoinAsync("update");
        var instance = await CreateAsync("update", """{"vice":"none"}""");
        await DeployAsync(instance);
        await RunUntilAsync(instance, "running");
        var before = await ChildAsync(node, instance);
        before.Environment.GetProperty("VICE").GetString().ShouldBe("none");

        (await ManageAsync("update", instance, """{"configuration":{"vice":"other"}}""")).GetProperty("status").GetString()
            .ShouldBe("updating");
        await RunUntilAsync(instance, "running");
        var updated = await ChildAsync(node, instance);
        updated.Environment.GetProperty("VICE").GetString().ShouldBe("other");
        updated.Process.ShouldNotBe(before.Process);

        (await ManageAsync("restart", instance)).GetProperty("status").GetString().ShouldBe("running");
        (await _worker.RunOnceAsync(Token)).ShouldBe(1);
        await Until.AsyncTrue(
            async () => (await node.StatusAsync(instance)).State == "running" && Directory.Exists($"/proc/{updated.Process}") == false,
            "the child of before has ended");
        await StatusAsync(instance, "running");
        var restarted = await ChildAsync(node, instance);
        restarted.Process.ShouldNotBe(updated.Process);
        restarted.Environment.GetProperty("VICE").GetString().ShouldBe("other");
        (await node.StatusAsync(instance)).Generation.ShouldBe(3);
    }

    [Fact]
    public async Task M21_a_deleted_server_leaves_nothing_on_its_node_though_it_was_stopped_before_and_the_node_was_away()
    {
        var node = await JoinAsync("delete");
        var instance = await CreateAsync("delete", """{"vice":"none"}""");
        await DeployAsync(instance);
        await RunUntilAsync(instance, "running");
        await ManageAsync("stop", instance);
        await RunUntilAsync(instance, "stopped");
        var directory = Path.Combine(node.Data, "instances", instance.ToString());
        Directory.Exists(directory).ShouldBeTrue();
        await node.KillAsync();

        (await ManageAsync("delete", instance)).GetProperty("status").GetString().ShouldBe("deleting");
        await _worker.RunOnceAsync(Token);
        (await StatusOfAsync(instance)).Status.ShouldBe("deleting");

        await using var again = await NodeHost.StartAsync(["--weir-url", _weir.Urls.Single()], data: node.Data);
        await _worker.StartAsync(Token);
        await StatusAsync(instance, "deleted");
        Directory.Exists(directory).ShouldBeFalse();
        (await again.Http.GetAsync($"v1/servers/{instance}", Token)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        await CreateAsync("delete", """{"vice":"none"}""");
    }

    [Fact]
    public async Task M21_a_running_server_is_ended_by_its_deletion_and_one_that_its_node_does_not_know_is_deleted_too()
    {
        await using var node = await JoinAsync("gone");
        var (running, forgotten) =
            (await CreateAsync("gone", """{"vice":"none"}"""), await CreateAsync("forgotten", """{"vice":"none"}"""));
        foreach (var instance in new[] { running, forgotten })
        {
            await DeployAsync(instance);
            await RunUntilAsync(instance, "running");
        }

        var child = await ChildAsync(node, running);
        (await node.Http.DeleteAsync($"v1/servers/{forgotten}", Token)).EnsureSuccessStatusCode();
        await ManageAsync("delete", running);
        await ManageAsync("delete", forgotten);
        (await _worker.RunOnceAsync(Token)).ShouldBe(2);

        (await StatusOfAsync(running)).ShouldBe(("deleted", null));
        (await StatusOfAsync(forgotten)).ShouldBe(("deleted", null));
        Directory.Exists($"/proc/{child.Process}").ShouldBeFalse();
        (await node.NodeStatusAsync()).Children.ShouldBe(0);
    }

    [Fact]
    public async Task A_node_that_is_ahead_of_the_database_is_overtaken_though_no_heartbeat_says_so()
    {
        await using var node = await JoinAsync("ahead");
        var instance = await CreateAsync("ahead", """{"vice":"none"}""");
        await DeployAsync(instance);
        await RunUntilAsync(instance, "running");
        var port = new Uri(_weir.Urls.Single()).Port;
        await _weir.DisposeAsync();
        // As after a restore: the node has seen more than the database.
        (await node.PutAsync(instance, NodeHost.Fixture(organization: _organization, generation: 9))).StatusCode.ShouldBe(
            HttpStatusCode.Accepted);

        await ManageAsync("stop", instance);
        await _worker.StartAsync(Token);
        await node.StateAsync(instance, "stopped");
        await StartWeirAsync(port);
        await StatusAsync(instance, "stopped");
        (await node.StatusAsync(instance)).Generation.ShouldBe(10);
        await DeployAsync(instance);
        await StatusAsync(instance, "running");
        await Until.AsyncTrue(async () => await database.Superuser.ScalarAsync<string>(
            "select string_agg(action || ' ' || outcome, ', ' order by generation) from weir.dtma_operations where instance_id = $1",
            [Sql.Uuid(instance)], Token)
            == "deploy done, stop superseded, stop done, deploy done", "each operation's outcome");
    }

    [Fact]
    public async Task What_a_node_has_lost_is_started_there_again_and_what_is_not_placed_there_is_ended()
    {
        await using var node = await JoinAsync("behind");
        var instance = await CreateAsync("behind", """{"vice":"none"}""");
        await DeployAsync(instance);
        await RunUntilAsync(instance, "running");
        var stranger = Guid.NewGuidForTests();
        (await node.PutAsync(stranger, NodeHost.Fixture(organization: _organization))).EnsureSuccessStatusCode();
        (await node.StateAsync(stranger, "stopped")).Generation.ShouldBe(1);
        node.Errors.ShouldContain($"Weir does not place instance {stranger} on this node: it is stopped, and its files stay.");
        Directory.Exists(Path.Combine(node.Data, "instances", stranger.ToString())).ShouldBeTrue();

        (await node.Http.DeleteAsync($"v1/servers/{instance}", Token)).EnsureSuccessStatusCode();
        await StatusAsync(instance, "updating");
        await _worker.StartAsync(Token);
        await StatusAsync(instance, "running");
        (await node.StatusAsync(instance)).State.ShouldBe("running");
    }

    [Fact]
    public async Task A_remote_server_is_updated_restarted_and_deleted_by_handshakes()
    {
        var instance = (await PersonAsync(
            "select public.manage_mcp_servers('create', $1, $2)", Sql.Uuid(_organization),
            Sql.Jsonb("""{"instance_name":"far","url":"https://far.example.org/mcp"}"""))).GetProperty("id").GetGuid();
        await DeployAsync(instance);
        await RunUntilAsync(instance, "running");

        await ManageAsync("update", instance, """{"url":"https://farther.example.org/mcp"}""");
        await RunUntilAsync(instance, "running");
        await ManageAsync("restart", instance);
        await _worker.RunOnceAsync(Token);
        _shaken.Where(s => s.InstanceId == instance).Select(s => s.Endpoint.Host)
            .ShouldBe(["far.example.org", "farther.example.org", "farther.example.org"]);

        await ManageAsync("delete", instance);
        await RunUntilAsync(instance, "deleted");
    }

    [Fact]
    public async Task Remote_servers_are_shaken_hands_with_and_retried()
    {
        var instance = (await PersonAsync(
            "select public.manage_mcp_servers('create', $1, $2)", Sql.Uuid(_organization),
            Sql.Jsonb("""{"instance_name":"remote","url":"https://mcp.example.org/mcp"}"""))).GetProperty("id").GetGuid();
        _remoteFailure = new WeirException(ErrorCode.UpstreamFailed, "It hung up.");
        await DeployAsync(instance);
        await _worker.RunOnceAsync(Token);
        (await StatusAsync(instance, "deploying")).ShouldBe(NodeErrors.Internal);
        _remoteFailure = null;
        await Until.AsyncTrue(async () => await _worker.RunOnceAsync(Token) > 0, "the operation is due again");
        await StatusAsync(instance, "running");
        _shaken.Count(s => s.InstanceId == instance && s.Endpoint == new Uri("https://mcp.example.org/mcp")).ShouldBe(2);
        await ManageAsync("stop", instance);
        await _worker.RunOnceAsync(Token);
        await StatusAsync(instance, "stopped");
    }

    [Fact]
    public async Task A_token_works_once_and_a_changed_one_never()
    {
        var request = new RegisterRequest("", "http://127.0.0.1:1", new string('k', 40), 1, "none", ["process"], "x", null);
        var token = await _registry.IssueTokenAsync("once", "here", TimeSpan.FromMinutes(5), Token);
        var (nodeId, secret) = (token[..32], token[33..]);
        foreach (var bad in (string[])["", "x", secret, $"{nodeId}.{secret}x", $"{Guid.NewGuidForTests():N}.x"])
        {
            (await Should.ThrowAsync<WeirException>(
                _registry.RegisterAsync(request with { Token = bad }, System.Net.IPAddress.Loopback, Token))).Code.ShouldBe(
                ErrorCode.Unauthenticated);
        }

        var registered = await _registry.RegisterAsync(request with { Token = token }, System.Net.IPAddress.Loopback, Token);
        registered.NodeId.ToString("N").ShouldBe(nodeId);
        (await Should.ThrowAsync<WeirException>(
            _registry.RegisterAsync(request with { Token = token }, System.Net.IPAddress.Loopback, Token))).Code.ShouldBe(
            ErrorCode.Unauthenticated);
        await _directory.RefreshAsync(Token);
        _directory.KeyOf(registered.NodeId).ShouldBe(request.ApiKey);

        var status = new NodeStatus(1, "0", "none", ["process"], 0, 0, 1, null);
        (await _registry.HeartbeatAsync(
            registered.NodeKey, new HeartbeatRequest("http://127.0.0.1:2", status, []), Token)).Applied.ShouldBe(0);
        (await Should.ThrowAsync<WeirException>(
            _registry.HeartbeatAsync("wrong", new HeartbeatRequest("http://127.0.0.1:2", status, []), Token)))
            .Code.ShouldBe(ErrorCode.Unauthenticated);
        (await Should.ThrowAsync<WeirException>(
            _registry.HeartbeatAsync(registered.NodeKey, new HeartbeatRequest("file:///etc", status, []), Token)))
            .Code.ShouldBe(ErrorCode.InvalidArgument);
    }

    [Fact]
    public async Task Register_and_heartbeat_answer_bad_input_with_typed_errors()
    {
        using var http = _egress.OperatorClient(new Uri(_weir.Urls.Single()));
        using var nonsense = new StringContent("nonsense");
        (await http.PostAsync("/nodes/v1/register", nonsense, Token)).StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        var unknown = await http.PostAsJsonAsync("/nodes/v1/heartbeat",
            new { apiUrl = "http://127.0.0.1:1", status = new { capabilityVersion = 1 }, servers = Array.Empty<object>() }, Token);
        unknown.StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task A_node_outlives_a_weir_that_is_away_and_tells_what_happened_meanwhile()
    {
        await using var node = await JoinAsync("patient");
        var instance = await CreateAsync("patient", """{"vice":"none"}""");
        await DeployAsync(instance);
        await _worker.RunOnceAsync(Token);
        await StatusAsync(instance, "running");
        var port = new Uri(_weir.Urls.Single()).Port;
        await _weir.DisposeAsync();

        // Its package is gone, so that the restart fails for good while nobody listens.
        Directory.Delete(Path.Combine(node.Data, "packages", "weir-fixture@1.0.0", "node_modules"), recursive: true);
        (await node.Http.PostAsync($"v1/servers/{instance}/restart", null, Token)).EnsureSuccessStatusCode();
        await node.StateAsync(instance, "degraded", "failed");
        await StartWeirAsync(port);
        await Until.AsyncTrue(async () => await StatusOfAsync(instance) is ("degraded" or "failed", not null), "the database hears of it");
    }

    private async Task StartWeirAsync(int port)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls($"http://127.0.0.1:{port}");
        builder.Services.AddSingleton(_registry);
        builder.Services.AddSingleton(new DocsLinks(null));
        builder.Services.AddSingleton(new UnknownBodies(TimeProvider.System));
        builder.Services.AddSingleton(new CallerBytes(16L * 1024 * 1024, 64L * 1024 * 1024));
        _weir = builder.Build();
        _weir.UseMiddleware<ErrorResponses>();
        _weir.MapNodes();
        await _weir.StartAsync(Token);
    }

    private async Task<NodeHost> JoinAsync(string name, params string[] options)
    {
        // Of this test class's nodes, the one that serves is the one that was started last: the others' nodes are gone.
        await database.Superuser.ExecuteAsync("update weir.dtma_nodes set is_online = false", [], Token);
        var token = await _registry.IssueTokenAsync(name, null, TimeSpan.FromMinutes(5), Token);
        var node =
            await NodeHost.StartAsync(["--weir-url", _weir.Urls.Single(), .. options], environment: new() { ["WEIR_NODE_TOKEN"] = token });
        node.NodeId.ShouldNotBeNull(node.Errors);
        return node;
    }

    private Task HandshakeAsync(RemoteServer server, Func<Task> listing, CancellationToken ct)
    {
        _shaken.Add(server);
        return _remoteFailure is { } failure ? Task.FromException(failure) : Task.CompletedTask;
    }

    private Task<JsonElement> PersonAsync(string sql, params Npgsql.NpgsqlParameter[] parameters) =>
        database.Users.CallAsync(_user, sql, parameters, Token);

    private async Task<Guid> CreateAsync(string name, string configuration) => (await PersonAsync(
        "select public.manage_mcp_servers('create', $1, $2)",
        Sql.Uuid(_organization),
        Sql.Jsonb($$"""{"instance_name":"{{name}}","catalog":"fixture","configuration":{{configuration}}}"""))).GetProperty("id").GetGuid();

    private Task DeployAsync(Guid instance) => ManageAsync("deploy", instance);

    private Task<JsonElement> ManageAsync(string action, Guid instance, string? config = null) => PersonAsync(
        "select public.manage_mcp_servers($1, $2, $3, $4)", Sql.Text(action), Sql.Uuid(_organization), Sql.Jsonb(config),
        Sql.Uuid(instance));

    private async Task RunUntilAsync(Guid instance, string status)
    {
        await _worker.RunOnceAsync(Token);
        await StatusAsync(instance, status);
    }

    /// <summary>What runs of an instance, by its own account.</summary>
    private static async Task<(int Process, JsonElement Environment)> ChildAsync(NodeHost node, Guid instance)
    {
        var raw = new RawMcp(node, instance);
        await raw.InitializeAsync();
        return (JsonElement.Parse(await raw.CallAsync("process")).GetProperty("pid").GetInt32(),
            JsonElement.Parse(await raw.CallAsync("environment")));
    }

    /// <summary>Waits for the status; returns the error's code.</summary>
    private async Task<string?> StatusAsync(Guid instance, string status)
    {
        (string Status, string? Code) now = default;
        await Until.AsyncTrue(
            async () => (now = await StatusOfAsync(instance)).Status == status, $"{instance} should be {status}, was {now}");
        return now.Code;
    }

    private async Task<(string Status, string? Code)> StatusOfAsync(Guid instance) => (await database.Superuser.QueryAsync(
        "select status, last_error_code from public.mcp_server_instances where id = $1", [Sql.Uuid(instance)],
        r => (r.GetString(0), r.GetNullableString(1)), Token))[0];
}
