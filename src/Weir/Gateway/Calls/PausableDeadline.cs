namespace Weir.Gateway.Calls;

/// <summary>How long the servers of calls may take.</summary>
/// <param name="Usual">Of a server that has no time of its own: until its answer, or its next progress.</param>
/// <param name="Most">Of any call, however much progress it makes.</param>
/// <param name="Stopped">When the replica stops, and has waited for its calls as long as it may.</param>
internal sealed record CallLimits(TimeSpan Usual, TimeSpan Most, CancellationToken Stopped);

/// <summary>
/// How long a server may take, not counting the time in which it waits for its client's answer. Progress begins the time anew, up to a
/// maximum.
/// </summary>
internal sealed class PausableDeadline : IDisposable
{
    private readonly Lock _lock = new();
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _over;
    private readonly TimeSpan _limit;
    private readonly TimeSpan _most;
    private TimeSpan _left;
    private TimeSpan _used;
    private long _since;
    private int _pauses;
    private bool _progressed;

    /// <param name="limit">Until the answer or the next progress.</param>
    /// <param name="most">Until the answer.</param>
    public PausableDeadline(TimeSpan limit, TimeSpan most, TimeProvider time)
    {
        _limit = limit < most ? limit : most;
        (_most, _left, _time, _since) = (most, _limit, time, time.GetTimestamp());
        _over = new CancellationTokenSource(_limit, time);
    }

    public CancellationToken Over => _over.Token;

    public bool IsOver => _over.IsCancellationRequested;

    /// <summary>What the server did not do, to be told when it is over.</summary>
    public string Missed
    {
        get
        {
            lock (_lock)
            {
                return !_progressed ? $"did not answer within {_limit.TotalSeconds:0.#} s"
                    : _left < _limit ? $"did not answer within {_most.TotalSeconds:0.#} s, the most that a call may take"
                    : $"did not answer, and made no progress for {_limit.TotalSeconds:0.#} s";
            }
        }
    }

    public void Pause()
    {
        lock (_lock)
        {
            if (_pauses++ == 0 && !IsOver)
            {
                Count();
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
                Restart();
            }
        }
    }

    /// <summary>The server says that it works.</summary>
    public void Extend()
    {
        lock (_lock)
        {
            if (IsOver)
            {
                return;
            }

            var isRunning = _pauses == 0;
            if (isRunning)
            {
                Count();
            }

            _progressed = true;
            _left = _most - _used < _limit ? _most - _used : _limit;
            if (isRunning)
            {
                Restart();
            }
        }
    }

    public void Dispose() => _over.Dispose();

    private void Count()
    {
        var elapsed = _time.GetElapsedTime(_since);
        _since = _time.GetTimestamp();
        _used += elapsed;
        _left -= elapsed;
    }

    private void Restart() => _over.CancelAfter(_left > TimeSpan.Zero ? _left : TimeSpan.Zero);
}
