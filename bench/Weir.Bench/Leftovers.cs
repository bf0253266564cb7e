using System.Runtime.InteropServices;

namespace Weir.Bench;

/// <summary>What is to end also when a signal ends the benchmark: a server that stays would be measured by the next one.</summary>
internal static class Leftovers
{
    private static readonly PosixSignal[] Signals = [PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP];
    private static readonly List<PosixSignalRegistration> Listening = [];
    private static readonly List<Lazy<Task>> Minded = [];

    /// <summary>For whoever has started something. The last one to come is the first to be ended.</summary>
    /// <returns>Ends it, once, whoever asks first: its owner or a signal.</returns>
    public static Func<Task> Mind(Func<Task> end)
    {
        var ending = new Lazy<Task>(end);
        lock (Minded)
        {
            Minded.Add(ending);
            if (Listening.Count == 0)
            {
                Listening.AddRange(Signals.Select(s => PosixSignalRegistration.Create(s, End)));
            }
        }

        return () => ending.Value;
    }

    private static void End(PosixSignalContext signal)
    {
        signal.Cancel = true;
        Lazy<Task>[] minded;
        lock (Minded)
        {
            minded = [.. Minded.AsEnumerable().Reverse()];
        }

        foreach (var ending in minded)
        {
            try
            {
                ending.Value.GetAwaiter().GetResult();
            }
            catch (Exception e)
            {
                // The others are to end all the same.
                Console.Error.WriteLine(e.Message);
            }
        }

        Environment.Exit(130);
    }
}
