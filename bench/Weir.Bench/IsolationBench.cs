using System.Globalization;
using System.Text;
using Npgsql;
using Weir.Gateway.Admission;
using Weir.Gateway.Calls;
using Weir.Identity;
using Weir.Postgres;

namespace Weir.Bench;

/// <summary>
/// <c>weir bench isolation</c>: what the database asks for a decision, in a world of 1,000 organizations with 20 agents and 10 servers
/// each, 200,000 grants and five million rows of record: admission alone and in batches beside a bare insert, and the list of
/// an organization's servers beside <c>select 1</c>. All take turns in every round: read the ratios.
/// </summary>
internal sealed class IsolationBench(Databases databases)
{
    private const int Organizations = 1000;
    private const int Agents = 20;
    private const int Servers = 10;

    private readonly AdmissionQueries _queries = new(databases, Guid.CreateVersion7(TimeProvider.System.GetUtcNow()));
    private readonly UserSession _users = new(databases.Gateway);
    private readonly byte[] _hash = new byte[32];

    // Made once: the caller shares the cores with the database, and what it does to name a caller is no cost of a decision.
    private readonly Guid[] _organizations = Ids("organization", Organizations);
    private readonly Guid[] _owners = Ids("user", Organizations);
    private readonly Guid[] _agents = Ids("agent", Organizations * Agents);
    private readonly Guid[] _servers = Ids("server", Organizations * Servers);
    private readonly Principal[] _principals =
    [
        .. Enumerable.Range(0, Organizations * Agents)
            .Select(
            n =>
                Principal.OfKey(
                    new AgentKey(
                        Text("key", n)[..16], System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes($"secret{n}"))))),
    ];

    public static async Task<int> RunAsync(BenchOptions options)
    {
        await using var world = await BenchDatabase.StartAsync("shared_buffers=1GB");
        await world.Superuser.ExecuteAsync(await File.ReadAllTextAsync(BulkWorld()), [], CancellationToken.None);
        Console.Error.WriteLine($"making {Organizations} organizations and {options.LogRows} rows of record");
        await world.Superuser.ExecuteAsync("select bulk.populate($1, $2, $3, $4)",
            [Sql.Integer(Organizations), Sql.Integer(Agents), Sql.Integer(Servers), Sql.Bigint(options.LogRows)], CancellationToken.None);
        await world.Superuser.ExecuteAsync(
            "create table bulk.bare (id uuid primary key, at timestamptz not null); grant insert on bulk.bare to weir_engine", [],
            CancellationToken.None);
        await world.Superuser.ExecuteAsync("vacuum analyze", [], CancellationToken.None);
        await world.Superuser.ExecuteAsync("checkpoint", [], CancellationToken.None);
        await using var databases = Databases.Open(world.Config);
        await new IsolationBench(databases).MeasureAsync(options);
        return 0;
    }

    private async Task MeasureAsync(BenchOptions options)
    {
        (string Name, int Callers, int Items, Func<Task> Work)[] all =
        [
            ("select 1", 32, 1, () => databases.Gateway.ScalarAsync<int>("select 1", [], CancellationToken.None)),
            ("get_organization_mcp_configs, one agent's", 32, 1, ConfigsAsync),
            ("a bare insert and its commit", 1, 1,
                () =>
                    databases.Admission.ExecuteAsync("insert into bulk.bare values ($1, now())",
                        [Sql.Uuid(Guid.CreateVersion7(TimeProvider.System.GetUtcNow()))], CancellationToken.None)),
            ("weir.admit, one call", 1, 1, () => AdmitAsync(1)),
            ("weir.admit, 16 calls", 2, 16, () => AdmitAsync(16)),
            ("weir.admit, 64 calls", 2, 64, () => AdmitAsync(64)),
        ];
        foreach (var (_, callers, _, work) in all)
        {
            await LatenciesAsync(work, callers, TimeSpan.FromSeconds(2));
        }

        var rounds = all.ToDictionary(a => a.Name, _ => new List<(double P50, double P99, double PerSecond)>(), StringComparer.Ordinal);
        for (var round = 1; round <= options.Rounds; round++)
        {
            foreach (var (name, callers, items, work) in all)
            {
                var taken = await LatenciesAsync(work, callers, TimeSpan.FromSeconds(options.Seconds));
                rounds[name].Add((Percentile(taken, 0.5), Percentile(taken, 0.99), taken.Count * items / (double)options.Seconds));
                Console.Error.WriteLine($"round {round}: {name}: p50 {Percentile(taken, 0.5):0.00} ms");
            }
        }

        Print(
            [
                .. all.Select(
                    a =>
                        (a.Name, a.Callers, Median(rounds[a.Name], r => r.P50), Median(rounds[a.Name], r => r.P99),
                        Median(rounds[a.Name], r => r.PerSecond))),
            ], options);
        var insert = rounds["a bare insert and its commit"];
        var one = rounds["weir.admit, one call"];
        var select = rounds["select 1"];
        var configs = rounds["get_organization_mcp_configs, one agent's"];
        Console.WriteLine();
        Console.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"One admission is {Ratio(one, insert, r => r.P50):0.0} times a bare insert (p50, aim 2.5); the list's p99 is "
                    + $"{Ratio(configs, select, r => r.P99):0.0} times that of select 1 (aim 4)."));
    }

    private async Task ConfigsAsync()
    {
        var agent = AnyAgent();
        await _users.QueryAsync(
            _owners[agent / Agents],
            "select id from get_organization_mcp_configs($1, $2)",
            [Sql.Uuid(_organizations[agent / Agents]), Sql.Uuid(_agents[agent])],
            r => r.GetGuid(0),
            CancellationToken.None);
    }

    /// <summary>Half of the calls are of a grant with a limit; each has an argument rule.</summary>
    private async Task AdmitAsync(int calls)
    {
        var decisions = await _queries.AdmitAsync([.. Enumerable.Range(0, calls).Select(i => Call(limited: i % 2 == 1))]);
        if (!Array.TrueForAll(decisions, d => d.Admitted))
        {
            throw new InvalidOperationException($"A call was denied: {decisions.First(d => !d.Admitted).Reason}.");
        }
    }

    private AdmissionRequest Call(bool limited)
    {
        var agent = AnyAgent();
        var organization = agent / Agents;
        return new AdmissionRequest(
            CallKey.At(TimeProvider.System.GetUtcNow()), _organizations[organization], _principals[agent],
            CallKinds.Tool, _servers[(organization * Servers) + (limited ? Servers - 1 : 0)], "tool_0", """{"path": "/data/file.txt"}""",
            "7", 1, 150, _hash, """{"path": "/data/file.txt"}""");
    }

    /// <summary>Milliseconds of each piece of work that was done, by callers who begin the next when one ends.</summary>
    private static async Task<List<double>> LatenciesAsync(Func<Task> work, int callers, TimeSpan duration)
    {
        var started = TimeProvider.System.GetTimestamp();
        var lists = await Task.WhenAll(Enumerable.Range(0, callers).Select(_ => Task.Run(async () =>
        {
            var taken = new List<double>();
            while (TimeProvider.System.GetElapsedTime(started) < duration)
            {
                var begun = TimeProvider.System.GetTimestamp();
                await work();
                taken.Add(TimeProvider.System.GetElapsedTime(begun).TotalMilliseconds);
            }

            return taken;
        })));
        return [.. lists.SelectMany(l => l).Order()];
    }

    private static void Print((string Name, int Callers, double P50, double P99, double PerSecond)[] rows, BenchOptions options)
    {
        Console.WriteLine(
            $"{Organizations} organizations, {Organizations * Agents} agents, {Organizations * Agents * Servers} grants, {options.LogRows} "
                + $"rows of record; {options.Rounds} interleaved rounds of {options.Seconds} s; medians over the rounds; "
                + $"{Environment.ProcessorCount} cores shared by all processes");
        Console.WriteLine();
        Console.WriteLine("| what | callers | p50 ms | p99 ms | each second |");
        Console.WriteLine("|---|---|---|---|---|");
        foreach (var (name, callers, p50, p99, perSecond) in rows)
        {
            Console.WriteLine(
                string.Create(CultureInfo.InvariantCulture, $"| {name} | {callers} | {p50:0.00} | {p99:0.00} | {perSecond:0} |"));
        }
    }

    private static double Percentile(List<double> sorted, double p) => sorted[(int)Math.Min(sorted.Count - 1, sorted.Count * p)];

    private static double Median<T>(IEnumerable<T> rounds, Func<T, double> figure)
    {
        var sorted = rounds.Select(figure).Order().ToArray();
        return sorted[sorted.Length / 2];
    }

    private static double Ratio<T>(List<T> of, List<T> to, Func<T, double> figure) =>
        Median(of.Zip(to), pair => figure(pair.First) / figure(pair.Second));

    // As db/testing/bulk.sql makes them.
    private static string Text(string what, int number) =>
#pragma warning disable CA5351 // an id for a test world
        Convert.ToHexStringLower(System.Security.Cryptography.MD5.HashData(Encoding.UTF8.GetBytes($"{what}{number}")));
#pragma warning restore CA5351

    private static Guid[] Ids(string what, int count) => [.. Enumerable.Range(0, count).Select(n => Guid.ParseExact(Text(what, n), "N"))];

    private static int AnyAgent() => System.Security.Cryptography.RandomNumberGenerator.GetInt32(Organizations * Agents);

    private static string BulkWorld() => Path.Combine(Repository.Root, "db", "testing", "bulk.sql");
}
