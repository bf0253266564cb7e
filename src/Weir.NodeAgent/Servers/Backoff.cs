using System.Security.Cryptography;

namespace Weir.NodeAgent.Servers;

/// <summary>
/// Waits that double from attempt to attempt, each shortened by chance so that what failed together does not return together.
/// </summary>
/// <param name="chance">A number in [0, 1).</param>
internal sealed class Backoff(TimeSpan first, TimeSpan longest, Func<double> chance)
{
    /// <summary>Attempts count from 1. Between half of the doubled wait and all of it.</summary>
    public TimeSpan Wait(int attempt)
    {
        var doubled = Math.Min(first.TotalMilliseconds * Math.Pow(2, Math.Min(attempt - 1, 30)), longest.TotalMilliseconds);
        return TimeSpan.FromMilliseconds(doubled * (0.5 + (chance() / 2)));
    }

    public static double Chance() => RandomNumberGenerator.GetInt32(1 << 24) / (double)(1 << 24);
}
