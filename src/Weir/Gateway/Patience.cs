namespace Weir.Gateway;

/// <summary>How long a server may take, not counting the time in which it waits for its client's answer.</summary>
internal sealed class Patience : IDisposable
{
    private readonly Lock _lock = new();
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _over;
    private TimeSpan _left;
    private long _since;
    private int _pauses;

    public Patience(TimeSpan limit, TimeProvider time)
    {
        (Limit, _left, _time, _since) = (limit, limit, time, time.GetTimestamp());
        _over = new CancellationTokenSource(limit, time);
    }

    public TimeSpan Limit { get; }

    public CancellationToken Over => _over.Token;

    public bool IsOver => _over.IsCancellationRequested;

    public void Pause()
    {
        lock (_lock)
        {
            if (_pauses++ == 0 && !IsOver)
            {
                _left -= _time.GetElapsedTime(_since);
                _over.CancelAfter(Timeout.InfiniteTimeSpan);
            }
        }
    }

    public void Resume()
    {
        lock (_lock)
        {
            if (--_pauses == 0 && !IsOver)
            {
                _since = _time.GetTimestamp();
                _over.CancelAfter(_left > TimeSpan.Zero ? _left : TimeSpan.Zero);
            }
        }
    }

    public void Dispose() => _over.Dispose();
}
