using System.Globalization;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys.Faults;

/// <summary>The faults, one after the other under load, and what there was to see.</summary>
internal sealed class Trial(Load load, Probes probes)
{
    /// <summary>Calls of each client while all parts are up.</summary>
    private const int CallsBetween = 15;

    /// <summary>All parts were up from here to there.</summary>
    public List<(DateTimeOffset From, DateTimeOffset To)> Windows { get; } = [];

    public List<Struck> Struck { get; } = [];

    private static DateTimeOffset Now => TimeProvider.System.GetUtcNow();

    public async Task RunAsync(IEnumerable<Fault> faults, Action<string> say)
    {
        await probes.AnswerAsync();
        var up = Now;
        await load.MadeAsync(CallsBetween);
        foreach (var fault in faults)
        {
            Windows.Add((up, Now));
            Struck.Add(await StrikeAsync(fault));
            say(Line(Struck[^1]));
            up = Now;
            await load.MadeAsync(CallsBetween);
        }

        Windows.Add((up, Now));
    }

    public static string Head { get; } = $"{"",-52} {"down",6} {"start",6} {"answer",6} {"state",6}  seconds; the last to answer";

    private static string Line(Struck struck) => string.Create(CultureInfo.InvariantCulture,
        $"{struck.From:HH:mm:ss}  {struck.Fault.Name,-42} {struck.Down.TotalSeconds,6:0.0} {struck.Start.TotalSeconds,6:0.0} "
            + $"{struck.Recovery.TotalSeconds,6:0.0} {struck.Told.TotalSeconds,6:0.0}  {struck.Slowest,-28} {struck.Note}");

    private async Task<Struck> StrikeAsync(Fault fault)
    {
        var from = Now;
        var note = await fault.Strike();
        var down = Now - from;
        var mended = TimeProvider.System.GetTimestamp();
        await fault.Mend();
        var starting = TimeProvider.System.GetElapsedTime(mended);
        var (recovery, slowest, told) = await probes.AnswerAsync();
        return new Struck(fault, from, Now, down, starting, recovery, slowest, told, note);
    }
}
