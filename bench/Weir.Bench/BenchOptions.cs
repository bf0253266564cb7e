using System.Globalization;

namespace Weir.Bench;

/// <summary>How long one measurement takes, and how often all are repeated in turn.</summary>
internal sealed record BenchOptions(int Seconds, int Rounds)
{
    public static BenchOptions Parse(string[] args)
    {
        var options = new BenchOptions(Seconds: 4, Rounds: 5);
        for (var i = 0; i + 1 < args.Length; i += 2)
        {
            var number = int.Parse(args[i + 1], CultureInfo.InvariantCulture);
            options = args[i] switch
            {
                "--seconds" => options with { Seconds = number },
                "--rounds" => options with { Rounds = number },
                _ => throw new ArgumentException($"{args[i]} is not an option of this benchmark.", nameof(args)),
            };
        }

        return options;
    }
}
