namespace Weir.Tests.Infrastructure;

/// <summary>
/// The system's time, but more of it may have passed than has: only durations that are measured jump. Timers and the clock on the wall go
/// as they do.
/// </summary>
internal sealed class ShiftedTime : TimeProvider
{
    private long _ticks;

    public void Advance(TimeSpan by) => Interlocked.Add(ref _ticks, by.Ticks);

    public override long GetTimestamp() =>
        System.GetTimestamp() + (long)(TimeSpan.FromTicks(Volatile.Read(ref _ticks)).TotalSeconds * TimestampFrequency);
}
