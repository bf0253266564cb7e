using System.Diagnostics;
using System.Text;

namespace Weir.Bench;

/// <summary>What one measurement saw.</summary>
/// <param name="Latencies">Seconds, sorted.</param>
internal sealed record LoadResult(int Calls, double Seconds, double[] Latencies, int Failures)
{
    public double PerSecond => Calls / Seconds;

    public double Percentile(double p) => Latencies.Length == 0
        ? double.NaN : Latencies[(int)Math.Min(Latencies.Length - 1, Latencies.Length * p)];
}

/// <summary>
/// Connections that each send the same request again and again and read the answer: as little client as possible, since it shares the
/// cores.
/// </summary>
internal static class LoadClient
{
    /// <summary>Who has not answered so long after the end does not answer any more.</summary>
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    /// <param name="pause">Between an answer and the next request of its connection.</param>
    public static async Task<LoadResult> RunAsync(LoadTarget target, int connections, TimeSpan duration, TimeSpan pause = default)
    {
        var opened = new List<LoadConnection>();
        try
        {
            for (var number = 0; number < connections; number++)
            {
                opened.Add(await LoadConnection.OpenAsync(target, number).WaitAsync(Timeout, TimeProvider.System));
            }

            var started = Stopwatch.GetTimestamp();
            var end = started + (long)(duration.TotalSeconds * Stopwatch.Frequency);
            var workers = opened.Select(c => Task.Run(() => WorkAsync(c, Encoding.UTF8.GetBytes(target.Sign), end, pause))).ToArray();
            var results = await Task.WhenAll(workers).WaitAsync(duration + Timeout, TimeProvider.System);
            var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
            var latencies = results.SelectMany(r => r.Latencies).Order().ToArray();
            return new LoadResult(latencies.Length, seconds, latencies, results.Sum(r => r.Failures));
        }
        finally
        {
            opened.ForEach(c => c.Dispose());
        }
    }

    private static async Task<(List<double> Latencies, int Failures)> WorkAsync(
        LoadConnection connection, byte[] sign, long end, TimeSpan pause)
    {
        var latencies = new List<double>(10_000);
        var failures = 0;
        while (Stopwatch.GetTimestamp() < end)
        {
            var sent = Stopwatch.GetTimestamp();
            var answer = await connection.CallAsync();
            latencies.Add(Stopwatch.GetElapsedTime(sent).TotalSeconds);
            failures += answer.Span.IndexOf(sign) < 0 ? 1 : 0;
            if (pause > TimeSpan.Zero)
            {
                await Task.Delay(pause, TimeProvider.System, CancellationToken.None);
            }
        }

        return (latencies, failures);
    }
}
