using System.Diagnostics;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys.Faults;

/// <summary>Whether every path answers: each replica, each server, each era, a session that is passed on, and the streams.</summary>
internal sealed class Probes : IDisposable
{
    /// <summary>For a machine that does other work.</summary>
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(2);

    private readonly FaultyWeir _weir;
    private readonly Load _load;
    private readonly List<(string Path, int Replica, TrialCaller Caller)> _paths = [];
    private int _made;

    private Probes(FaultyWeir weir, Load load) => (_weir, _load) = (weir, load);

    public static async Task<Probes> CreateAsync(FaultyWeir weir, Load load)
    {
        var probes = new Probes(weir, load);
        var (_, key) = await weir.AddAgentAsync("probe");
        for (var i = 0; i < weir.Replicas.Length; i++)
        {
            foreach (var server in weir.Instances.Keys)
            {
                probes._paths.Add(
                    ($"modern, {server}, replica {i + 1}", i, new TrialCaller(weir.Replicas[i], key, isModern: true, server)));
                probes._paths.Add(
                    ($"legacy, {server}, replica {i + 1}", i,
                        new TrialCaller(weir.Replicas[i], key, isModern: false, server, weir.Replicas[1 - i])));
            }
        }

        return probes;
    }

    public void Dispose() => _paths.ForEach(p => p.Caller.Dispose());

    /// <summary>Returns when all of them have answered, with how long that took and which was the last.</summary>
    public async Task<(TimeSpan Recovery, string Slowest, TimeSpan Told)> AnswerAsync()
    {
        var begun = Stopwatch.StartNew();
        var last = ("", TimeSpan.Zero);
        await Task.WhenAll([.. _paths.Select(ProbeAsync), .. _load.Streams.Select(ListenAsync)]);
        var recovery = begun.Elapsed;
        foreach (var instance in _weir.Instances.Keys)
        {
            await Until.AsyncTrue(
                async () => await _weir.StatusAsync(instance) == "running", $"{instance} answers, and is said to run", Timeout);
        }

        return (recovery, last.Item1, begun.Elapsed - recovery);

        async Task ProbeAsync((string Path, int Replica, TrialCaller Caller) path)
        {
            Outcome outcome = null!;
            try
            {
                await Until.AsyncTrue(
                    async () =>
                        (outcome = await _load.TryAsync($"probe-{Interlocked.Increment(ref _made)}", path.Replica, path.Caller)).Ending
                            == Ending.Done,
                    path.Path, Timeout);
            }
            catch (TimeoutException e)
            {
                throw new TimeoutException($"{e.Message}, last {outcome}", e);
            }

            Finish(path.Path);
        }

        async Task ListenAsync(TrialStream stream)
        {
            await Until.True(() => stream.IsOpen, "a stream is open again", Timeout);
            Finish("a stream");
        }

        void Finish(string path)
        {
            lock (_paths)
            {
                last = begun.Elapsed > last.Item2 ? (path, begun.Elapsed) : last;
            }
        }
    }
}
