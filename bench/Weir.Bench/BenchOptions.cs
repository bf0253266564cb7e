using System.Globalization;

namespace Weir.Bench;

/// <summary>How long one measurement takes, and how often all are repeated in turn.</summary>
/// <param name="LogRows">Rows of the record before the measurement, where a benchmark has a large world; five million take some minutes to make.</param>
internal sealed record BenchOptions(int Seconds, int Rounds, int LogRows)
{
    public static BenchOptions Parse(string[] args)
    {
        var options = new BenchOptions(Seconds: 4, Rounds: 5, LogRows: 5_000_000);
        for (var i = 0; i + 1 < args.Length; i += 2)
        {
            var number = int.Parse(args[i + 1], CultureInfo.InvariantCulture);
            options = args[i] switch
            {
                "--seconds" => options with { Seconds = number },
                "--rounds" => options with { Rounds = number },
                "--log-rows" => options with { LogRows = number },
                _ => throw new ArgumentException($"{args[i]} is not an option of this benchmark.", nameof(args)),
            };
        }

        return options;
    }
}
