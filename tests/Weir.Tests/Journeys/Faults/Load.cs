using System.Collections.Concurrent;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys.Faults;

/// <summary>
/// Clients of both eras at both replicas, each of which calls again and again: the shared server and their own, with what their grant
/// forbids, and with a grant that is revoked and given again. And clients that listen.
/// </summary>
internal sealed class Load : IAsyncDisposable
{
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(100);

    /// <summary>Now and then a call takes so long that a fault finds it in the middle. Milliseconds.</summary>
    private const int SlowCall = 400;
    private const int EverySlow = 7;

    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentQueue<Attempt> _attempts = new();
    private readonly List<Worker> _workers = [];
    private readonly List<TrialCaller> _callers = [];
    private readonly List<Task> _running = [];
    private FickleGrant _fickle = null!;
    private int _failures;

    private Load(string name) => Name = name;

    /// <summary>Every id of its calls begins with it.</summary>
    public string Name { get; }

    /// <summary>All that were made.</summary>
    public IReadOnlyCollection<Attempt> Attempts => _attempts;

    /// <summary>How many of them failed.</summary>
    public int Failures => Volatile.Read(ref _failures);

    public List<TrialStream> Streams { get; } = [];

    public int Revokes => _fickle.Revokes;

    public static async Task<Load> StartAsync(FaultyWeir weir, string name)
    {
        var load = new Load(name);
        for (var i = 0; i < weir.Replicas.Length; i++)
        {
            await load.AddReplicaAsync(weir, i);
        }

        var fickle = await weir.AddAgentAsync("fickle");
        load._fickle = new FickleGrant(weir, fickle.Id);
        for (var i = 0; i < weir.Replicas.Length; i++)
        {
            load.Add($"fickle{i + 1}", i, load.Caller(weir, i, fickle.Key, isModern: i == 0, FaultyWeir.Shared), expects: null);
        }

        load._running.Add(load._fickle.RunAsync(load._stop.Token));
        load._running.AddRange(load._workers.Select(w => load.WorkAsync(w)));
        return load;
    }

    /// <summary>One call more, of nobody's turn.</summary>
    public async Task<Outcome> TryAsync(string name, int replica, TrialCaller caller)
    {
        var (id, from) = ($"{Name}-{name}", TimeProvider.System.GetUtcNow());
        var outcome = await caller.CallAsync(id);
        Keep(new Attempt(id, replica, from, TimeProvider.System.GetUtcNow(), outcome, Expects: null, IsForbidden: false));
        return outcome;
    }

    /// <summary>Returns when each worker has made so many calls from now on.</summary>
    public async Task MadeAsync(int calls)
    {
        var before = _workers.ToDictionary(w => w, w => w.Made);
        await Until.True(() => _workers.All(w => w.Made - before[w] >= calls), $"each client makes {calls} calls", TimeSpan.FromMinutes(2));
    }

    /// <summary>Returns when the calls that are running have ended.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_running);
        foreach (var stream in Streams)
        {
            await stream.DisposeAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!_stop.IsCancellationRequested)
        {
            await StopAsync();
        }

        _fickle.Dispose();
        _callers.ForEach(c => c.Dispose());
        _stop.Dispose();
    }

    private void Keep(Attempt attempt)
    {
        _attempts.Enqueue(attempt);
        if (attempt.Outcome.Ending == Ending.Failed)
        {
            Interlocked.Increment(ref _failures);
        }
    }

    private async Task AddReplicaAsync(FaultyWeir weir, int i)
    {
        var (replica, other) = (weir.Replicas[i], weir.Replicas[1 - i]);
        foreach (var server in new[] { FaultyWeir.Shared, FaultyWeir.Own })
        {
            var modern = await weir.AddAgentAsync($"modern-{server}{i + 1}");
            Add($"modern-{server}{i + 1}", i, Caller(weir, i, modern.Key, isModern: true, server), Ending.Done);
            var legacy = await weir.AddAgentAsync($"legacy-{server}{i + 1}");
            Add($"legacy-{server}{i + 1}", i, Caller(weir, i, legacy.Key, isModern: false, server), Ending.Done);
        }

        // Its session is the other replica's, which holds what its server holds for it.
        var passed = await weir.AddAgentAsync($"passed{i + 1}");
        Add($"passed{i + 1}", i, Caller(weir, i, passed.Key, isModern: false, FaultyWeir.Own, other), Ending.Done);
        Add($"forbidden{i + 1}", i, Caller(weir, i, passed.Key, isModern: i == 0, FaultyWeir.Shared), Ending.Denied);
        Streams.Add(new TrialStream(replica, replica, passed.Key, isModern: false));
        Streams.Add(new TrialStream(other, replica, passed.Key, isModern: false));
        Streams.Add(new TrialStream(replica, replica, passed.Key, isModern: true));
    }

    private TrialCaller Caller(FaultyWeir weir, int replica, string key, bool isModern, string server, TrialReplica? opener = null)
    {
        var caller = new TrialCaller(weir.Replicas[replica], key, isModern, server, opener);
        _callers.Add(caller);
        return caller;
    }

    private void Add(string name, int replica, TrialCaller caller, Ending? expects) =>
        _workers.Add(new Worker(name, replica, caller, expects));

    private async Task WorkAsync(Worker worker)
    {
        using var pace = new PeriodicTimer(Pace, TimeProvider.System);
        try
        {
            while (await pace.WaitForNextTickAsync(_stop.Token))
            {
                var id = $"{Name}-{worker.Name}-{worker.Made}";
                var wait = worker.Made % EverySlow == 0 ? SlowCall : 0;
                var (grant, from) = (_fickle.Now, TimeProvider.System.GetUtcNow());
                var outcome = await worker.Caller.CallAsync(id, worker.Expects == Ending.Denied ? "forbidden" : "plain", wait);
                var isForbidden = worker.Expects == Ending.Denied || (worker.Expects is null && _fickle.IsRevokedSince(grant));
                Keep(new Attempt(id, worker.Replica, from, TimeProvider.System.GetUtcNow(), outcome, worker.Expects, isForbidden));
                worker.Made++;
            }
        }
        catch (OperationCanceledException)
        {
            // The end.
        }
    }

    private sealed class Worker(string name, int replica, TrialCaller caller, Ending? expects)
    {
        private int _made;

        public string Name { get; } = name;

        public int Replica { get; } = replica;

        public TrialCaller Caller { get; } = caller;

        public Ending? Expects { get; } = expects;

        public int Made { get => Volatile.Read(ref _made); set => Volatile.Write(ref _made, value); }
    }
}
