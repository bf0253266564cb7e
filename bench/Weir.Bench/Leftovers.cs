using System.Runtime.InteropServices;

namespace Weir.Bench;

/// <summary>What is to end also when a signal ends the benchmark: a server that stays would be measured by the next one.</summary>
internal static class Leftovers
{
    private static readonly PosixSignal[] Signals = [PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP];
    private static readonly List<PosixSignalRegistration> Listening = [];
    private static readonly List<(object Owner, Func<Task> End)> Minded = [];
    private static bool _ending;

    /// <summary>Whoever has started something, until <see cref="TakeAsync"/>. The last one to come is the first to be ended.</summary>
    public static void Mind(object owner, Func<Task> end)
    {
        lock (Minded)
        {
            Minded.Add((owner, end));
            if (Listening.Count == 0)
            {
                Listening.AddRange(Signals.Select(s => PosixSignalRegistration.Create(s, End)));
            }
        }
    }

    /// <summary>The owner ends it by itself now. Does not return when a signal has come first: then all is being ended, and the program with it.</summary>
    public static Task TakeAsync(object owner)
    {
        lock (Minded)
        {
            Minded.RemoveAll(m => ReferenceEquals(m.Owner, owner));
            return _ending ? Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, CancellationToken.None) : Task.CompletedTask;
        }
    }

    private static void End(PosixSignalContext signal)
    {
        signal.Cancel = true;
        Func<Task>[] ends;
        lock (Minded)
        {
            if (_ending)
            {
                return;
            }

            _ending = true;
            ends = [.. Minded.Select(m => m.End).Reverse()];
        }

        foreach (var end in ends)
        {
            end().GetAwaiter().GetResult();
        }

        Environment.Exit(130);
    }
}
