namespace Weir.Tests.Infrastructure;

/// <summary>The system's time, but timers that are due after exactly this long go off when the test says so.</summary>
internal sealed class HandTime(TimeSpan due) : TimeProvider
{
    private readonly Lock _lock = new();
    private readonly List<HandTimer> _timers = [];

    /// <summary>How many such timers run.</summary>
    public int Running => Snapshot().Length;

    /// <summary>How often such timers were set anew.</summary>
    public int Renewed { get; private set; }

    public void Fire()
    {
        foreach (var timer in Snapshot())
        {
            timer.Fire();
        }
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (dueTime != due)
        {
            return System.CreateTimer(callback, state, dueTime, period);
        }

        var timer = new HandTimer(this, () => callback(state));
        lock (_lock)
        {
            _timers.Add(timer);
        }

        return timer;
    }

    private HandTimer[] Snapshot()
    {
        lock (_lock)
        {
            return [.. _timers];
        }
    }

    private sealed class HandTimer(HandTime time, Action callback) : ITimer
    {
        public void Fire() => callback();

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (time._lock)
            {
                time.Renewed++;
            }

            return true;
        }

        public void Dispose()
        {
            lock (time._lock)
            {
                time._timers.Remove(this);
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
