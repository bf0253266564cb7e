using Weir.Postgres.Embedded;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys.Faults;

/// <summary>Every fault of the trial, once for each part that it can happen to.</summary>
internal sealed class FaultCatalog(FaultyWeir weir, Load load, Random random)
{
    /// <summary>Without any of these, no call is decided.</summary>
    private static readonly string[] Tables =
        [
            "public.agents", "public.agent_mcp_permissions", "public.mcp_server_instances", "public.mcp_server_tools",
            "public.mcp_interaction_logs",
        ];

    /// <summary>A node that is silent for 20 s is lost; this is for a machine that does other work.</summary>
    private static readonly TimeSpan NodeIsLost = TimeSpan.FromMinutes(2);

    private const int AtOnce = 4;

    private readonly List<TrialCaller> _crowd = [];
    private HeldTransaction? _lock;

    /// <summary>All of them, in an order of chance.</summary>
    public Fault[] Shuffled()
    {
        Fault[] all =
        [
            .. Enumerable.Range(0, weir.Replicas.Length).Select(Kill),
            .. RollingRestart(),
            new("kill -9 the node", KillNodeAsync, () => weir.StartNodeAsync()),
            new("SIGTERM to the node", StopNodeAsync, () => weir.StartNodeAsync()),
            OfChild(FaultyWeir.Shared, "KILL"), OfChild(FaultyWeir.Shared, "TERM"), OfChild(FaultyWeir.Own, "KILL"),
            OfChild(FaultyWeir.Own, "TERM"),
            new("SIGTERM to Weir's database connections", () => SignalBackendsAsync("TERM", int.MaxValue), Nothing)
            {
                LosesOutcomes = true,
            },
            new("kill -9 one database connection", () => SignalBackendsAsync("KILL", 1), Nothing) { LosesOutcomes = true },
            new("PostgreSQL stopped immediately", StopPostgresAsync, LetPostgresStartAsync) { LosesOutcomes = true },
            Lock(Tables[random.Next(Tables.Length)]),
            new("a full node", FillAsync, EmptyAsync),
        ];
        random.Shuffle(all);
        return all;
    }

    /// <summary>One replica after the other.</summary>
    public IEnumerable<Fault> RollingRestart() => Enumerable.Range(0, weir.Replicas.Length).Select(Stop);

    private Fault Kill(int replica) => new(
        $"kill -9 replica {replica + 1}",
        async () =>
        {
            await weir.Replicas[replica].KillAsync();
            return "";
        },
        () => weir.Replicas[replica].StartAsync()) { Replica = replica, LosesOutcomes = true };

    private Fault Stop(int replica) => new(
        $"SIGTERM to replica {replica + 1}",
        async () => $"stopped in {(await weir.Replicas[replica].StopAsync()).TotalSeconds:0.00} s",
        () => weir.Replicas[replica].StartAsync()) { Replica = replica, IsOrderly = true };

    private Fault OfChild(string instance, string signal) => new(
        $"SIG{signal} to a child of '{instance}'",
        async () =>
        {
            var children = weir.Children(instance);
            if (children.Count > 0)
            {
                await Tool.SignalAsync(children[random.Next(children.Count)], signal, CancellationToken.None);
            }

            return $"one of {children.Count}";
        },
        Nothing);

    private Fault Lock(string table) => new(
        $"{table} locked",
        async () =>
        {
            var before = load.Failures;
            _lock = await HeldTransaction.BeginAsync(weir.Database.Superuser);
            await _lock.RunAsync($"lock table {table} in access exclusive mode");
            await Until.True(() => load.Failures > before, "a call waited too long for the table");
            return "";
        },
        async () => await _lock!.DisposeAsync());

    private static Task Nothing() => Task.CompletedTask;

    private async Task<string> KillNodeAsync()
    {
        var killed = TimeProvider.System.GetTimestamp();
        await weir.Node.KillAsync();
        return await LostAsync(killed);
    }

    private async Task<string> StopNodeAsync()
    {
        var took = await weir.StopNodeAsync();
        return $"stopped in {took.TotalSeconds:0.00} s, {await LostAsync(TimeProvider.System.GetTimestamp())}";
    }

    /// <summary>Nothing of the node answers any more, and that is what its instances' states have to say.</summary>
    private async Task<string> LostAsync(long gone)
    {
        foreach (var instance in weir.Instances.Keys)
        {
            await Until.AsyncTrue(
                async () => await weir.StatusAsync(instance) is not (null or "running"), $"{instance} is not said to run", NodeIsLost);
        }

        return $"told after {TimeProvider.System.GetElapsedTime(gone).TotalSeconds:0.0} s";
    }

    private async Task<string> SignalBackendsAsync(string signal, int most)
    {
        await weir.Cluster.SignalBackendsAsync(signal, most);
        return "";
    }

    private async Task<string> StopPostgresAsync()
    {
        await weir.Cluster.StopImmediatelyAsync();
        foreach (var replica in weir.Replicas)
        {
            using var client = replica.Client();
            await Until.AsyncTrue(
                async () => (int)(await client.GetAsync("/readyz")).StatusCode == 503, "the replica says that it is not ready");
        }

        return "";
    }

    private Task LetPostgresStartAsync()
    {
        weir.Cluster.LetStart();
        return Task.CompletedTask;
    }

    /// <summary>Sessions of legacy clients until there is no room for another.</summary>
    private async Task<string> FillAsync()
    {
        var crowd = $"crowd-{load.Attempts.Count}";
        var (_, key) = await weir.AddAgentAsync(crowd);
        var refused = 0;
        while (refused == 0 && _crowd.Count < FaultyWeir.SessionsAtNode * 2)
        {
            // Several at once, so that the first are not idle before the last have come.
            refused += (await Task.WhenAll(Enumerable.Range(0, AtOnce).Select(_ => ComeAsync(crowd, key)))).Count(o => o.IsAtLimit);
        }

        refused.ShouldBeGreaterThan(0, "no session was one too many");
        return $"{_crowd.Count - refused} sessions more";
    }

    private Task<Outcome> ComeAsync(string crowd, string key)
    {
        var replica = _crowd.Count % weir.Replicas.Length;
        var caller = new TrialCaller(weir.Replicas[replica], key, isModern: false, FaultyWeir.Own);
        _crowd.Add(caller);
        return load.TryAsync($"{crowd}-{_crowd.Count}", replica, caller);
    }

    private async Task EmptyAsync()
    {
        foreach (var caller in _crowd)
        {
            await caller.EndAsync();
            caller.Dispose();
        }

        _crowd.Clear();
    }
}
