using System.Globalization;
using Weir.Errors;
using Weir.Postgres;
using Weir.Postgres.Embedded;
using Weir.Tests.Fixtures;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys.Faults;

/// <summary>
/// All parts of a Weir, each a process that can be killed: a PostgreSQL, two replicas, a node that reaches both by one address. Two
/// instances of a server that writes down what it does: one that all share, one with a child for each session.
/// </summary>
public sealed class FaultyWeir : IAsyncLifetime
{
    public const string Shared = "shared";
    public const string Own = "own";

    /// <summary>The agent may mark; what it calls forbidden it may not.</summary>
    public const string Grant = """{"tools": {"mark": {"args": {"kind": {"in": ["plain"]}}, "other": "allow"}}}""";

    /// <summary>
    /// Sessions that the node holds of one instance: more than the load needs, and than what two killed replicas leave behind.
    /// </summary>
    public const int SessionsAtNode = 24;

    private readonly string _directory = Directory.CreateTempSubdirectory("weir-faults-").FullName;
    private readonly int _nodePort = Chat.ServingReplica.FreePort();
    private TcpBalancer _balancer = null!;
    private NodeHost _node = null!;
    private int _agents;

    public FaultCluster Cluster { get; } = new();

    public TestDatabase Database { get; private set; } = null!;

    public World World { get; private set; } = null!;

    /// <summary>Of the two instances, by name.</summary>
    public IDictionary<string, Guid> Instances { get; } = new Dictionary<string, Guid>(StringComparer.Ordinal);

    internal TrialReplica[] Replicas { get; private set; } = [];

    internal NodeHost Node => _node;

    /// <summary>What the servers did: an id for each time.</summary>
    public IEnumerable<string> Marks => File.ReadLines(MarksFile);

    private string MarksFile => Path.Combine(_directory, "marks");

    private Dictionary<string, string> Environment => new()
    {
        ["WEIR_DATABASE_URL"] = Database.GatewayUrl,
        ["WEIR_ENGINE_DATABASE_URL"] = Database.EngineUrl,
        ["WEIR_DATABASE_COMMAND_TIMEOUT_SECONDS"] = "5",
        ["WEIR_HTTP_PUBLIC_URL"] = _balancer.Url.ToString(),
        ["WEIR_DATA_DIRECTORY"] = Path.Combine(_directory, "weir"),
        ["WEIR_MCP_CALL_TIMEOUT_SECONDS"] = "15",
    };

    public async ValueTask InitializeAsync()
    {
        await Cluster.InitializeAsync();
        Database = new TestDatabase(Cluster);
        await Database.InitializeAsync();
        World = await World.CreateAsync(Database);
        // Servers run as users of their own.
        const UnixFileMode all = (UnixFileMode)0b111_111_111;
        File.SetUnixFileMode(_directory, all);
        await File.WriteAllTextAsync(MarksFile, "");
        File.SetUnixFileMode(MarksFile, (UnixFileMode)0b110_110_110);

        int[] ports = [Chat.ServingReplica.FreePort(), Chat.ServingReplica.FreePort()];
        _balancer = new TcpBalancer(ports);
        Replicas = [.. ports.Select(port => new TrialReplica(port, Environment))];
        await StartMissingAsync();
        var (code, token, errors) = await RunningUp.RunAsync(Environment, "node", "register", "trial");
        code.ShouldBe(0, errors);
        await StartNodeAsync(token.Trim());
        await AddServersAsync();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var replica in Replicas)
        {
            await replica.DisposeAsync();
        }

        _balancer?.Dispose();
        if (_node is not null)
        {
            await _node.DisposeAsync();
        }

        if (Database is not null)
        {
            await Database.DisposeAsync();
        }

        await Cluster.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    /// <summary>What a test has stopped at its end. The replicas one after the other: the first makes the keyring.</summary>
    public async Task StartMissingAsync()
    {
        foreach (var replica in Replicas.Where(r => !r.IsRunning))
        {
            await replica.StartAsync();
        }

        if (_node is { Process.HasExited: true })
        {
            await StartNodeAsync();
        }
    }

    /// <param name="token">Of its first start; later it knows itself.</param>
    public async Task StartNodeAsync(string? token = null) => _node = await NodeHost.StartAsync(
        [
            "--weir-url", _balancer.Url.ToString(), "--listen", $"127.0.0.1:{_nodePort}",
            "--session-children", $"{SessionsAtNode}", "--session-idle", "60", "--session-spare", "60",
        ],
        data: _node?.Data,
        environment: token is null ? [] : new() { ["WEIR_NODE_TOKEN"] = token });

    public async Task<TimeSpan> StopNodeAsync()
    {
        var asked = TimeProvider.System.GetTimestamp();
        await Tool.SignalAsync(_node.Process.Id, "TERM", CancellationToken.None);
        await _node.Process.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(1), TimeProvider.System);
        return TimeProvider.System.GetElapsedTime(asked);
    }

    /// <summary>An agent with both servers.</summary>
    public async Task<(Guid Id, string Key)> AddAgentAsync(string name)
    {
        var agent = await World.CreateAgentAsync($"{name}-{++_agents}");
        foreach (var instance in Instances.Values)
        {
            await World.GrantAsync(instance, Grant, agent.Id);
        }

        return agent;
    }

    /// <summary>What the database says of it; null while the database does not answer.</summary>
    public async Task<string?> StatusAsync(string instance)
    {
        try
        {
            return await Database.Superuser.ScalarAsync<string>(
                "select status from public.mcp_server_instances where id = $1", [Sql.Uuid(Instances[instance])], CancellationToken.None);
        }
        catch (WeirException e) when (e.Code == ErrorCode.Unavailable)
        {
            return null;
        }
    }

    /// <summary>Process ids of the children of an instance.</summary>
    public IReadOnlyList<int> Children(string instance) => [.. Processes(Node.Data)
        .Where(p => Link(p, "cwd").EndsWith(Instances[instance].ToString(), StringComparison.Ordinal)).Order()];

    /// <summary>Ids of processes whose command line names the path.</summary>
    public static IEnumerable<int> Processes(string path) => Directory.GetDirectories("/proc")
        .Where(d => Path.GetFileName(d).All(char.IsAsciiDigit))
        .Select(d => int.Parse(Path.GetFileName(d), CultureInfo.InvariantCulture))
        .Where(p => CommandOf(p).Contains(path, StringComparison.Ordinal));

    internal static string CommandOf(int process)
    {
        try
        {
            return File.ReadAllText($"/proc/{process}/cmdline").Replace('\0', ' ');
        }
        catch (IOException)
        {
            // It ended while it was looked at.
            return "";
        }
    }

    private static string Link(int process, string name)
    {
        try
        {
            return new FileInfo($"/proc/{process}/{name}").LinkTarget ?? "";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    private async Task AddServersAsync()
    {
        await Database.Owner.ExecuteAsync("select weir.publish_catalog_server($1)", [Sql.Jsonb($$"""
            {"slug":"marks","display_name":"Marks","transport":"stdio","runtime":"process","package":"weir-fixture","version":"1.0.0","bin":"weir-fixture",
             "args":[],"env":{"MARKS":"{{MarksFile}}"},"configuration_schema":{"type":"object","properties":{},"additionalProperties":false} }
            """)], CancellationToken.None);
        foreach (var (name, share) in new[] { (Shared, "instance"), (Own, "session") })
        {
            var created = await World.CallAsync("select public.manage_mcp_servers('create', $1, $2)", Sql.Uuid(World.OrganizationId),
                Sql.Jsonb($$"""{"instance_name":"{{name}}","catalog":"marks","share":"{{share}}"}"""));
            Instances[name] = created.GetProperty("id").GetGuid();
            await World.CallAsync(
                "select public.manage_mcp_servers('deploy', $1, null, $2)", Sql.Uuid(World.OrganizationId), Sql.Uuid(Instances[name]));
        }

        foreach (var (name, instance) in Instances)
        {
            await World.GrantAsync(instance, Grant);
            await Until.AsyncTrue(async () => await StatusAsync(name) == "running", () => $"{name} runs. {Node.Errors} {Replicas[0].Log}");
        }

        foreach (var replica in Replicas)
        {
            using var client = replica.Client(World.AgentKey);
            var raw = new RawClient(client);
            await Until.AsyncTrue(
                async () =>
                    (await raw.ModernAsync("tools/list")).Body is var list
                        && Instances.Keys.All(name => list.Contains($"\"{name}__mark\"", StringComparison.Ordinal)),
                "the replica knows the servers' tools");
        }
    }
}
