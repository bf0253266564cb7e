using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using Npgsql;
using Weir.Configuration;
using Weir.Identity;
using Weir.Postgres;

namespace Weir.Bench;

/// <summary>An organization of a benchmark, whose bounds are lifted.</summary>
internal sealed record BenchOrganization(Guid Id, Guid User);

/// <summary>A database with an organization, and the processes that are measured.</summary>
internal sealed class BenchWorld : IAsyncDisposable
{
    /// <summary>What a call costs, not what an agent may.</summary>
    public static readonly IReadOnlyDictionary<string, string> Unlimited = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["WEIR_LIMITS_CALLS_PER_SECOND_PER_AGENT"] = "0",
        ["WEIR_LIMITS_CALLS_PER_SECOND_PER_ORGANIZATION"] = "0",
        ["WEIR_MCP_MAX_CALLS_PER_SERVER"] = "10000",
    };

    private readonly BenchDatabase _database;
    private readonly Databases _logins;
    private readonly NpgsqlDataSource _owner;
    private readonly UserSession _users;
    private readonly ConcurrentBag<Process> _processes = [];
    private readonly Func<Task> _end;

    private BenchWorld(BenchDatabase database)
    {
        _database = database;
        _logins = Databases.Open(database.Config);
        _owner = NpgsqlDataSource.Create(DatabaseUrl.Parse(database.Postgres.OwnerUrl).ConnectionString);
        _users = new UserSession(_logins.Gateway);
        _end = Leftovers.Mind(EndAsync);
    }

    /// <summary>Goes with the world.</summary>
    public string Directory => _database.Directory;

    public Uri Upstream { get; private set; } = null!;

    public Uri Weir { get; private set; } = null!;

    /// <summary>The key of an agent who may call <c>bench__echo</c>.</summary>
    public string Key { get; private set; } = "";

    public ProcessUsage UpstreamUsage { get; private set; } = null!;

    public ProcessUsage WeirUsage { get; private set; } = null!;

    public ProcessUsage PostgresUsage { get; private set; } = null!;

    /// <param name="settings">Weir's; null: <see cref="Unlimited"/>.</param>
    public static async Task<BenchWorld> StartAsync(IReadOnlyDictionary<string, string>? settings = null)
    {
        var world = new BenchWorld(await BenchDatabase.StartAsync("track_functions=pl"));
        try
        {
            await world.StartProcessesAsync(settings ?? Unlimited);
            await world.PopulateAsync();
        }
        catch
        {
            await world.DisposeAsync();
            throw;
        }

        return world;
    }

    /// <summary>Commits of the database, and calls of admission and completion, until now.</summary>
    public async Task<(long Commits, long Admissions, long Completions)> CountAsync()
    {
        // Backends report their counts at most once a second; a look of our own is one commit more.
        await Task.Delay(TimeSpan.FromSeconds(1.5), TimeProvider.System, CancellationToken.None);
        var rows = await _database.Superuser.QueryAsync(
            """
            select (select xact_commit from pg_stat_database where datname = 'weir'),
                   coalesce((select calls from pg_stat_user_functions where schemaname = 'weir' and funcname = 'admit'), 0),
                   coalesce((select calls from pg_stat_user_functions where schemaname = 'weir' and funcname = 'complete'), 0)
            """,
            [],
            r => (r.GetInt64(0), r.GetInt64(1), r.GetInt64(2)),
            CancellationToken.None);
        return rows[0];
    }

    /// <summary>What autovacuum does within a minute: plans that were made for empty tables are made anew.</summary>
    public Task AnalyzeAsync() => _database.Superuser.ExecuteAsync("analyze", [], CancellationToken.None);

    /// <summary>
    /// Where the database's functions spend their time: name, calls, milliseconds per call with and without what they call.
    /// </summary>
    public async Task<IReadOnlyList<string>> ProfileAsync()
    {
        return await _database.Superuser.QueryAsync(
            """
            select format('| %s | %s | %s | %s |', funcname, calls, round((total_time / calls)::numeric, 4), round((self_time / calls)::numeric, 4))
            from pg_stat_user_functions where schemaname = 'weir' order by self_time desc limit 12
            """,
            [],
            r => r.GetString(0),
            CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        await _end();
        await _database.DisposeAsync();
    }

    private async Task EndAsync()
    {
        foreach (var process in _processes)
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync();
            process.Dispose();
        }

        await _owner.DisposeAsync();
        await _logins.DisposeAsync();
    }

    /// <summary>A user who can sign in, and is a member of nothing.</summary>
    public Task<Guid> CreateUserAsync(string email, string passwordHash) =>
        _owner.ScalarAsync<Guid>("select weir.create_user($1, $2)", [Sql.Text(email), Sql.Text(passwordHash)], CancellationToken.None);

    /// <summary>A user with an organization that may have as much as a benchmark wants.</summary>
    public async Task<BenchOrganization> CreateOrganizationAsync(string name)
    {
        var user = await _owner.ScalarAsync<Guid>(
            "select weir.create_user($1, $2)", [Sql.Text($"{name}@weir.example"), Sql.Text("unused")], CancellationToken.None);
        var organization = await CallAsync(user, "select public.create_organization($1)", Sql.Text(name));
        await _database.Superuser.ExecuteAsync(
            "update public.organizations set max_mcp_servers = 100000, max_agents = 100000, max_concurrent_connections = 100000 where id "
                + "= $1",
            [Sql.Uuid(organization)],
            CancellationToken.None);
        return new BenchOrganization(organization, user);
    }

    /// <summary>A server's id, which is deployed.</summary>
    /// <param name="context">URIs of resources that it adds to chat turns.</param>
    public async Task<Guid> DeployAsync(BenchOrganization organization, string name, Uri url, params string[] context)
    {
        var config = JsonSerializer.Serialize(new { instance_name = name, url = url.ToString(), context = new { resources = context } });
        var instance = await CallAsync(
            organization.User, "select public.manage_mcp_servers('create', $1, $2)", Sql.Uuid(organization.Id), Sql.Jsonb(config));
        await CallAsync(
            organization.User, "select public.manage_mcp_servers('deploy', $1, null, $2)", Sql.Uuid(organization.Id), Sql.Uuid(instance));
        return instance;
    }

    /// <summary>The key of a new agent, who gets the permissions on each server.</summary>
    public async Task<string> CreateAgentAsync(BenchOrganization organization, string name, IEnumerable<Guid> servers, string permissions)
    {
        var agent = await CallAsync(organization.User, "select public.create_agent($1, $2)", Sql.Uuid(organization.Id), Sql.Text(name));
        var (key, keyId, secret) = AgentKey.Create();
        await CallAsync(organization.User, "select public.create_agent_key($1, $2, $3, $4)", Sql.Uuid(agent), Sql.Text(name),
            Sql.Text(keyId), Sql.Text(secret));
        foreach (var server in servers)
        {
            await CallAsync(
                organization.User, "select public.grant_mcp_access($1, $2, $3)", Sql.Uuid(agent), Sql.Uuid(server), Sql.Jsonb(permissions));
        }

        return key;
    }

    /// <summary>Waits until so many tools of an organization are known.</summary>
    public Task UntilKnownAsync(
        BenchOrganization organization, int tools) => UntilAsync(async () => await _database.Superuser.ScalarAsync<long>(
        "select count(*) from public.mcp_server_tools where organization_id = $1 and announced and status = 'approved'",
        [Sql.Uuid(organization.Id)], CancellationToken.None) >= tools);

    /// <summary>Starts what else is measured, and waits until it listens.</summary>
    public async Task<ProcessUsage> StartAsync(string name, string program, string[] arguments, int port)
    {
        // What a program keeps at its user's home goes with the world.
        var usage = Start(name, program, arguments, new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["XDG_CONFIG_HOME"] = Directory,
            ["XDG_DATA_HOME"] = Directory,
            ["XDG_STATE_HOME"] = Directory,
        });
        await UntilAsync(() => ListensAsync(port));
        return usage;
    }

    public static int FreePort()
    {
        using var listener = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        listener.Start();
        return ((System.Net.IPEndPoint)listener.LocalEndpoint).Port;
    }

    private async Task StartProcessesAsync(IReadOnlyDictionary<string, string> settings)
    {
        var (upstreamPort, weirPort) = (FreePort(), FreePort());
        Upstream = new Uri($"http://127.0.0.1:{upstreamPort}/mcp");
        Weir = new Uri($"http://127.0.0.1:{weirPort}/mcp");
        UpstreamUsage = Start("the bare server", "dotnet", [typeof(BenchWorld).Assembly.Location, "upstream", $"{upstreamPort}"], []);
        WeirUsage =
            Start("weir", "dotnet", [typeof(Server.Hosting.WeirHost).Assembly.Location, "serve"],
                new Dictionary<string, string>(settings, StringComparer.Ordinal)
        {
            ["WEIR_DATABASE_URL"] = _database.Postgres.GatewayUrl,
            ["WEIR_ENGINE_DATABASE_URL"] = _database.Postgres.EngineUrl,
            ["WEIR_HTTP_LISTEN"] = $"http://127.0.0.1:{weirPort}",
            ["WEIR_EGRESS_ALLOW"] = string.Join(
                ',', [$"127.0.0.1:{upstreamPort}", .. settings.Where(s => s.Key == "WEIR_EGRESS_ALLOW").Select(s => s.Value)]),
            ["WEIR_DATA_DIRECTORY"] = _database.Directory,
        });
        PostgresUsage = ProcessUsage.OfPostgres(_database.Directory);
        await UntilAsync(() => AnswersAsync(new Uri(Weir, "/readyz")));
        await UntilAsync(() => AnswersAsync(Upstream));
    }

    private async Task PopulateAsync()
    {
        var organization = await CreateOrganizationAsync("bench");
        var instance = await DeployAsync(organization, "bench", Upstream);
        // A grant with an argument rule, as a careful admin would make it: admission reads the arguments.
        Key =
            await CreateAgentAsync(organization, "bench", [instance], """{"tools": {"echo": {"args": {"message": {"type": "string"}}}}}""");
        await UntilAsync(
            async () =>
                (await LoadClient.RunAsync(LoadTarget.Call(Weir, "bench__echo", Key), 1, TimeSpan.FromMilliseconds(100))).Failures == 0);
    }

    /// <summary>The id in what a published function answers to a person.</summary>
    public async Task<Guid> CallAsync(Guid user, string sql, params NpgsqlParameter[] parameters) =>
        (await _users.CallAsync(user, sql, parameters, CancellationToken.None)).TryGetProperty("id", out var id)
            ? id.GetGuid() : Guid.Empty;

    private ProcessUsage Start(string name, string program, string[] arguments, Dictionary<string, string> environment)
    {
        var start = new ProcessStartInfo(
            program, arguments) { UseShellExecute = false, RedirectStandardError = true, RedirectStandardOutput = true };
        foreach (var (variable, value) in environment)
        {
            start.Environment[variable] = value;
        }

        var process = Process.Start(start)!;
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        _processes.Add(process);
        return ProcessUsage.OfTree(name, process.Id);
    }

    private static async Task UntilAsync(Func<Task<bool>> condition)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            if (TimeProvider.System.GetElapsedTime(started) > TimeSpan.FromSeconds(60))
            {
                throw new TimeoutException("What the benchmark started is not ready within a minute.");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, CancellationToken.None);
        }
    }

    private static async Task<bool> AnswersAsync(Uri url)
    {
        // Loopback, and only of what this benchmark itself started.
#pragma warning disable RS0030
        using var client = new HttpClient();
#pragma warning restore RS0030
        try
        {
            using var content = new StringContent("""{"jsonrpc":"2.0","id":1,"method":"server/discover"}""");
            using var answer = url.AbsolutePath == "/mcp" ? await client.PostAsync(url, content) : await client.GetAsync(url);
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private static async Task<bool> ListensAsync(int port)
    {
        using var socket = new System.Net.Sockets.Socket(System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(System.Net.IPAddress.Loopback, port);
            return true;
        }
        catch (System.Net.Sockets.SocketException)
        {
            return false;
        }
    }
}
