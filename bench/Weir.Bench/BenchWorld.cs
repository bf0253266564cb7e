using System.Diagnostics;
using System.Text.Json;
using Npgsql;
using Weir.Configuration;
using Weir.Identity;
using Weir.Postgres;

namespace Weir.Bench;

/// <summary>A database with one organization, and the processes that are measured.</summary>
internal sealed class BenchWorld : IAsyncDisposable
{
    private readonly BenchDatabase _database;
    private readonly List<Process> _processes = [];

    private BenchWorld(BenchDatabase database) => _database = database;

    public Uri Upstream { get; private set; } = null!;

    public Uri Weir { get; private set; } = null!;

    public string Key { get; private set; } = "";

    public ProcessUsage UpstreamUsage { get; private set; } = null!;

    public ProcessUsage WeirUsage { get; private set; } = null!;

    public ProcessUsage PostgresUsage { get; private set; } = null!;

    public static async Task<BenchWorld> StartAsync()
    {
        var world = new BenchWorld(await BenchDatabase.StartAsync("track_functions=pl"));
        await world.StartProcessesAsync();
        await world.PopulateAsync();
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

    /// <summary>Where the database's functions spend their time: name, calls, milliseconds per call with and without what they call.</summary>
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
        foreach (var process in _processes)
        {
            process.Kill();
            await process.WaitForExitAsync();
            process.Dispose();
        }

        await _database.DisposeAsync();
    }

    private async Task StartProcessesAsync()
    {
        var (upstreamPort, weirPort) = (FreePort(), FreePort());
        Upstream = new Uri($"http://127.0.0.1:{upstreamPort}/mcp");
        Weir = new Uri($"http://127.0.0.1:{weirPort}/mcp");
        UpstreamUsage = Start("the bare server", [typeof(BenchWorld).Assembly.Location, "upstream", $"{upstreamPort}"], []);
        WeirUsage = Start("weir", [typeof(Server.WeirHost).Assembly.Location, "serve"], new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["WEIR_DATABASE_URL"] = _database.Postgres.GatewayUrl,
            ["WEIR_ENGINE_DATABASE_URL"] = _database.Postgres.EngineUrl,
            ["WEIR_HTTP_LISTEN"] = $"http://127.0.0.1:{weirPort}",
            ["WEIR_EGRESS_ALLOW"] = $"127.0.0.1:{upstreamPort}",
            ["WEIR_DATA_DIRECTORY"] = _database.Directory,
            // What a call costs, not what an agent may.
            ["WEIR_LIMITS_CALLS_PER_SECOND_PER_AGENT"] = "0",
            ["WEIR_LIMITS_CALLS_PER_SECOND_PER_ORGANIZATION"] = "0",
        });
        PostgresUsage = ProcessUsage.OfPostgres(_database.Directory);
        await UntilAsync(() => AnswersAsync(new Uri(Weir, "/readyz")));
        await UntilAsync(() => AnswersAsync(Upstream));
    }

    private async Task PopulateAsync()
    {
        await using var databases = Databases.Open(_database.Config);
        await using var owner = NpgsqlDataSource.Create(DatabaseUrl.Parse(_database.Postgres.OwnerUrl).ConnectionString);
        var users = new UserSession(databases.Gateway);
        await owner.ExecuteAsync("select weir.set_setting('egress_allow', $1)", [Sql.Jsonb($"[\"{Upstream.Authority}\"]")], CancellationToken.None);
        var user = await owner.ScalarAsync<Guid>("select weir.create_user($1, $2)", [Sql.Text("bench@weir.example"), Sql.Text("unused")], CancellationToken.None);

        async Task<Guid> CallAsync(string sql, params NpgsqlParameter[] parameters) =>
            (await users.CallAsync(user, sql, parameters, CancellationToken.None)).TryGetProperty("id", out var id) ? id.GetGuid() : Guid.Empty;

        var organization = await CallAsync("select public.create_organization($1)", Sql.Text("bench"));
        var agent = await CallAsync("select public.create_agent($1, $2)", Sql.Uuid(organization), Sql.Text("bench"));
        var (key, keyId, secret) = AgentKey.Create();
        Key = key;
        await CallAsync("select public.create_agent_key($1, $2, $3, $4)", Sql.Uuid(agent), Sql.Text("bench"), Sql.Text(keyId), Sql.Text(secret));
        var config = JsonSerializer.Serialize(new { name = "bench", url = Upstream.ToString() });
        var instance = await CallAsync("select public.manage_mcp_servers('create', $1, $2)", Sql.Uuid(organization), Sql.Jsonb(config));
        await CallAsync("select public.manage_mcp_servers('deploy', $1, null, $2)", Sql.Uuid(organization), Sql.Uuid(instance));
        // A grant with an argument rule, as a careful admin would make it: admission reads the arguments.
        const string Permissions = """{"tools": {"echo": {"args": {"message": {"type": "string"}}}}}""";
        await CallAsync("select public.grant_mcp_access($1, $2, $3)", Sql.Uuid(agent), Sql.Uuid(instance), Sql.Jsonb(Permissions));
        await UntilAsync(async () => (await LoadClient.RunAsync(Weir, LoadClient.Request(Weir, "bench__echo", Key), 1, TimeSpan.FromMilliseconds(100))).Failures == 0);
    }

    private ProcessUsage Start(string name, string[] arguments, Dictionary<string, string> environment)
    {
        var start = new ProcessStartInfo("dotnet", arguments) { UseShellExecute = false, RedirectStandardError = true, RedirectStandardOutput = true };
        foreach (var (variable, value) in environment)
        {
            start.Environment[variable] = value;
        }

        var process = Process.Start(start)!;
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        _processes.Add(process);
        return new ProcessUsage(name, () => [process.Id]);
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

    private static int FreePort()
    {
        using var listener = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        listener.Start();
        return ((System.Net.IPEndPoint)listener.LocalEndpoint).Port;
    }
}
