using System.Globalization;

namespace Weir.Bench;

/// <summary>How long one measurement takes, and how often all are repeated in turn.</summary>
/// <param name="Warm">Seconds of load before <c>gateway</c> measures: .NET and V8 compile what is called often, and in its first seconds
/// that is most of what a call costs.</param>
/// <param name="LogRows">Rows of the audit log before the measurement, where a benchmark has a large world; five million take some minutes
/// to make.</param>
/// <param name="Streams">Idle streams that <c>gateway</c> opens.</param>
/// <param name="Documents">Documents of the one organization of <c>knowledge</c>.</param>
/// <param name="Only">The one part of <c>gateway</c> that is run; null: all.</param>
/// <param name="Turns">Turns of each measurement of <c>chat</c>.</param>
internal sealed record BenchOptions(
    int Seconds, int Rounds, int LogRows = 5_000_000, int Streams = 5000, int Warm = 3, int Documents = 100_000, string? Only = null,
    int Turns = 1000)
{
    public static readonly BenchOptions Long = new(Seconds: 4, Rounds: 5);

    /// <summary>For a benchmark of many measurements.</summary>
    public static readonly BenchOptions Short = new(Seconds: 1, Rounds: 2);

    public static BenchOptions Parse(string[] args, BenchOptions defaults)
    {
        var options = defaults;
        for (var i = 0; i + 1 < args.Length; i += 2)
        {
            var value = args[i + 1];
            options = args[i] switch
            {
                "--seconds" => options with { Seconds = Number(value) },
                "--rounds" => options with { Rounds = Number(value) },
                "--log-rows" => options with { LogRows = Number(value) },
                "--streams" => options with { Streams = Number(value) },
                "--warm" => options with { Warm = Number(value) },
                "--turns" => options with { Turns = Number(value) },
                "--documents" => options with { Documents = Number(value) },
                "--only" when value is "calls" or "streams" or "list" or "fair" => options with { Only = value },
                _ => throw new ArgumentException($"{args[i]} {value} is not an option of this benchmark.", nameof(args)),
            };
        }

        return options;
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
