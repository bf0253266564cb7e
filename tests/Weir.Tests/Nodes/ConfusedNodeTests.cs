using System.Globalization;
using System.Net;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using Weir.Egress;
using Weir.Errors;
using Weir.Identity;
using Weir.Keys;
using Weir.Nodes;
using Weir.Postgres;
using Weir.Tests.Fixtures;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Nodes;

/// <summary>A node that says of generations what it likes, and one that a restored copy of the database knows.</summary>
public sealed class ConfusedNodeTests(TestDatabase database) : IClassFixture<TestDatabase>, IAsyncLifetime
{
    private static readonly Guid Replica = Guid.CreateVersion7(TimeProvider.System.GetUtcNow());

    private readonly Keyring _keyring = Keyring.Parse([Convert.ToBase64String(new byte[32])]);
    private readonly EgressHttp _egress = new(new EgressPolicy(["127.0.0.1"]));
    private NodesQueries _queries = null!;
    private NodeDirectory _directory = null!;
    private NodeRegistry _registry = null!;
    private OperationsWorker _worker = null!;
    private ScriptedServer _node = null!;
    private World _world = null!;
    private string _nodeKey = "";
    private Guid _instance;

    /// <summary>So far ahead of the database is what the node says that it knows; null: it does what it is asked.</summary>
    private long? _ahead;

    /// <summary>What the node answers when it is asked for a log.</summary>
    private (string Body, int Status) _log;

    private bool _isBroken;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string ApiUrl => _node.Url.GetLeftPart(UriPartial.Authority);

    public async ValueTask InitializeAsync()
    {
        _queries = new NodesQueries(database.Pools);
        _directory = new NodeDirectory(_queries, _keyring, TimeProvider.System, NullLogger<NodeDirectory>.Instance);
        _registry = new NodeRegistry(
            _queries, _keyring, _directory, new SeenKeys(TimeProvider.System), new UnverifiedCallers(TimeProvider.System),
            TimeProvider.System);
        _worker = new OperationsWorker(
            _queries, new NodeClient(_egress.Operator, TimeProvider.System), _keyring, (_, _, _) => Task.CompletedTask, Replica, () => 0,
            TimeProvider.System,
            NullLogger<OperationsWorker>.Instance);
        _node = await ScriptedServer.StartAsync(async (http, request) =>
        {
            if (request.Path.EndsWith("/logs", StringComparison.Ordinal))
            {
                await ScriptedServer.WriteAsync(http, _log.Body, _log.Status);
                return;
            }

            if (_isBroken)
            {
                await ScriptedServer.WriteAsync(http, """{"error":{"code":"internal","message":"It cannot now."}}""", 500);
                return;
            }

            var generation = await LookAsync("select generation from public.mcp_server_instances where id = $1");
            var known = (long.Parse(generation, CultureInfo.InvariantCulture) + (_ahead ?? 0)).ToString(CultureInfo.InvariantCulture);
            await (_ahead is null || request.Verb == "GET"
                ? ScriptedServer.WriteAsync(
                    http, $$"""{"id":"{{_instance}}","generation":{{known}},"state":"running","errorCode":null,"error":null}""")
                : ScriptedServer.WriteAsync(http, """{"error":{"code":"stale_generation","message":"It is older."}}""", 409));
        });
        await database.Superuser.ExecuteAsync("update weir.dtma_nodes set is_online = false", [], Token);
        var name = $"node-{Guid.NewGuidForTests():N}";
        var registered = await _registry.RegisterAsync(
            new RegisterRequest(
                await _registry.IssueTokenAsync(name, null, TimeSpan.FromMinutes(5), Token), ApiUrl, new string('k', 40), 3, "user",
                ["process"], "1", null),
            IPAddress.Loopback, Token);
        _nodeKey = registered.NodeKey;

        _world = await World.CreateAsync(database);
        await database.Owner.ExecuteAsync("select weir.publish_catalog_server($1)", [Sql.Jsonb("""
            {"slug":"fixture","display_name":"Fixture","transport":"stdio","runtime":"process","package":"weir-fixture","version":"1.0.0","bin":"weir-fixture"}
            """)], Token);
        _instance = (await _world.CallAsync(
            "select public.manage_mcp_servers('create', $1, $2)", Sql.Uuid(_world.OrganizationId),
            Sql.Jsonb("""{"instance_name":"fixture","catalog":"fixture"}""")))
            .GetProperty("id").GetGuid();
    }

    public async ValueTask DisposeAsync()
    {
        await _node.DisposeAsync();
        _egress.Dispose();
        _directory.Dispose();
        _worker.Dispose();
    }

    [Theory]
    [InlineData(0, 6, 0, "stale_generation")] // it knows nothing later, and refuses nevertheless
    [InlineData(1, 7, 1, "stale_generation")] // one later each time
    [InlineData(2_000_000, 6, 0, "generation_refused")] // more than it can have seen
    public async Task A_node_that_refuses_as_stale_for_ever_is_asked_a_few_times_and_fills_no_record(
        long ahead, int asked, int saidAnew, string code)
    {
        _ahead = ahead;
        await ManageAsync("deploy");
        await TryAsync(20);

        _node.Requests.Count(r => r.Verb == "PUT").ShouldBe(asked);
        (await LookAsync("select count(*) from public.mcp_interaction_logs where instance_id = $1 and detail like 'its node reports%'"))
            .ShouldBe($"{saidAnew}");
        (await LookAsync("select concat_ws(' ', status, last_error_code) from public.mcp_server_instances where id = $1")).ShouldBe(
            $"failed {code}");

        // It is mended: what an admin asks for is done.
        _ahead = null;
        await ManageAsync("deploy");
        await _worker.RunOnceAsync(Token);
        (await LookAsync("select concat_ws(' ', status, last_error_code) from public.mcp_server_instances where id = $1")).ShouldBe(
            "running");
    }

    [Fact]
    public async Task A_node_that_says_that_it_is_ahead_with_each_heartbeat_is_told_once_in_a_minute_what_is_wanted()
    {
        await ManageAsync("deploy");
        await _worker.RunOnceAsync(Token);
        for (var i = 0; i < 20; i++)
        {
            var generation = long.Parse(
                await LookAsync("select generation from public.mcp_server_instances where id = $1"), CultureInfo.InvariantCulture);
            await BeatAsync(new ServerStatus(_instance, generation + 1, "running", null, null));
            await _worker.RunOnceAsync(Token);
        }

        _node.Requests.Count.ShouldBe(2);
        (await LookAsync("select count(*) from weir.dtma_operations where instance_id = $1")).ShouldBe("2");
    }

    [Fact]
    public async Task A_restored_copy_asks_nothing_of_a_node_that_beats_elsewhere_and_adopts_one_that_beats_here()
    {
        await ManageAsync("deploy");
        await _worker.RunOnceAsync(Token);
        await _directory.RefreshAsync(Token);
        _directory.Nodes.ShouldNotBeEmpty();
        await ManageAsync("stop");
        await database.Superuser.ExecuteAsync("select weir.begin_epoch('a drill', false)", [], Token);
        var before = _node.Requests.Count;

        (await _worker.RunOnceAsync(Token)).ShouldBe(0);
        await ManageAsync("delete");
        (await _worker.RunOnceAsync(Token)).ShouldBe(0);
        await _directory.RefreshAsync(Token);
        _directory.Nodes.ShouldBeEmpty();
        var doctor = await NodeDoctor.ExamineAsync(database.Config, _keyring, _egress.Operator, Token);
        doctor.ShouldContain(d => d.Found.StartsWith("has not spoken to this Weir since the restore", StringComparison.Ordinal));
        _node.Requests.Count.ShouldBe(before);

        await BeatAsync();
        (await _worker.RunOnceAsync(Token)).ShouldBe(1);
        _node.Requests.Count(r => r.Verb == "DELETE").ShouldBe(1);
        (await LookAsync("select status from public.mcp_server_instances where id = $1")).ShouldBe("deleted");
    }

    [Fact]
    public async Task A_stop_is_tried_until_the_node_carries_it_out_unless_something_else_is_wanted_meanwhile()
    {
        await ManageAsync("deploy");
        await _worker.RunOnceAsync(Token);
        _isBroken = true;
        await ManageAsync("stop");
        await TryAsync(20);
        (await LookAsync("select concat_ws(' ', status, last_error_code) from public.mcp_server_instances where id = $1")).ShouldBe(
            "stopping internal");
        _node.Requests.Count(r => r.Verb == "PUT").ShouldBe(21);

        _isBroken = false;
        await TryAsync(1);
        (await LookAsync("select outcome from weir.dtma_operations where instance_id = $1 and action = 'stop'")).ShouldBe("done");
        _node.Requests.Count.ShouldBe(22);

        // A deployment takes the place of a stop that is still tried.
        await ManageAsync("deploy");
        await TryAsync(1);
        _isBroken = true;
        await ManageAsync("stop");
        await TryAsync(10);
        await ManageAsync("deploy");
        _isBroken = false;
        await TryAsync(3);
        (await LookAsync("select count(*) from weir.dtma_operations where instance_id = $1 and finished_at is null")).ShouldBe("0");
        (await LookAsync("select concat_ws(' ', status, last_error_code) from public.mcp_server_instances where id = $1")).ShouldBe(
            "running");
    }

    [Fact]
    public async Task Of_what_a_node_says_about_a_log_only_a_known_code_and_a_known_source_are_shown()
    {
        await ManageAsync("deploy");
        await _worker.RunOnceAsync(Token);
        await _directory.RefreshAsync(Token);
        var logs = new ServerLogs(_queries, _directory, new NodeClient(_egress.Operator, TimeProvider.System));

        _log =
            (
            """{"lines":[{"at":"2026-01-01T00:00:00Z","source":"stdout","text":"a"},{"at":"2026-01-01T00:00:00Z","source":"the """
                + """admin","text":"b"}]}""", 200);
        JsonElement.Parse((await logs.ReadAsync(_instance, 10, since: null, Token)).Span).GetProperty("lines").EnumerateArray()
            .Select(l => l.GetProperty("source").GetString()).ShouldBe(["stdout", "node"]);

        _log = ("""{"error":{"code":"call this number","message":"x"}}""", 500);
        (await Should.ThrowAsync<WeirException>(logs.ReadAsync(_instance, 10, since: null, Token))).Message.ShouldBe(
            "The log cannot be read: internal.");
        _log = ("""{"error":{"code":"not_supported","message":"x"}}""", 500);
        (await Should.ThrowAsync<WeirException>(logs.ReadAsync(_instance, 10, since: null, Token))).Message.ShouldBe(
            "The log cannot be read: not_supported.");
    }

    /// <summary>So many rounds of the worker, without the waits between attempts.</summary>
    private async Task TryAsync(int rounds)
    {
        for (var i = 0; i < rounds; i++)
        {
            await _worker.RunOnceAsync(Token);
            await database.Superuser.ExecuteAsync("update weir.dtma_operations set run_at = now() where finished_at is null", [], Token);
        }
    }

    private Task BeatAsync(params ServerStatus[] servers) => _registry.HeartbeatAsync(
        _nodeKey, new HeartbeatRequest(ApiUrl, new NodeStatus(3, "1", "user", ["process"], 0, 0, 1, null), servers), Token);

    private Task ManageAsync(string action) =>
        _world.CallAsync(
            "select public.manage_mcp_servers($1, $2, null, $3)", Sql.Text(action), Sql.Uuid(_world.OrganizationId), Sql.Uuid(_instance));

    private async Task<string> LookAsync(string sql) =>
        (await database.Superuser.QueryAsync(sql, [Sql.Uuid(_instance)], r => r.GetValue(0).ToString()!, CancellationToken.None))[0];
}
