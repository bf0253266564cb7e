using System.Runtime.InteropServices;

namespace Weir.Bench;

/// <summary>What is to end also when a signal ends the benchmark: a server that stays would be measured by the next one.</summary>
internal static class Leftovers
{
    private static readonly PosixSignal[] Signals = [PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP];
    private static readonly List<PosixSignalRegistration> Listening = [];
    private static readonly List<IAsyncDisposable> Owners = [];

    /// <summary>Whoever has started something, until <see cref="Forget"/>. The last one to come is the first to be disposed of.</summary>
    public static void Mind(IAsyncDisposable owner)
    {
        lock (Owners)
        {
            Owners.Add(owner);
            if (Listening.Count == 0)
            {
                Listening.AddRange(Signals.Select(s => PosixSignalRegistration.Create(s, End)));
            }
        }
    }

    public static void Forget(IAsyncDisposable owner)
    {
        lock (Owners)
        {
            Owners.Remove(owner);
        }
    }

    private static void End(PosixSignalContext signal)
    {
        signal.Cancel = true;
        IAsyncDisposable[] owners;
        lock (Owners)
        {
            owners = [.. Owners.AsEnumerable().Reverse()];
        }

        foreach (var owner in owners)
        {
            // One that was disposed of with another, by then, has been forgotten.
            bool isThere;
            lock (Owners)
            {
                isThere = Owners.Contains(owner);
            }

            if (isThere)
            {
                owner.DisposeAsync().AsTask().GetAwaiter().GetResult();
            }
        }

        Environment.Exit(130);
    }
}
