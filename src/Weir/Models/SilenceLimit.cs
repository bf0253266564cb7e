namespace Weir.Models;

/// <summary>How long a model may be silent. Each word starts it anew.</summary>
internal sealed class SilenceLimit : IDisposable
{
    private readonly CancellationTokenSource _silence;
    private readonly CancellationTokenSource _either;
    private readonly TimeSpan _timeout;

    public SilenceLimit(TimeSpan timeout, TimeProvider time, CancellationToken ct)
    {
        _timeout = timeout;
        _silence = new CancellationTokenSource(timeout, time);
        _either = CancellationTokenSource.CreateLinkedTokenSource(ct, _silence.Token);
    }

    public CancellationToken Token => _either.Token;

    public bool IsOver => _silence.IsCancellationRequested;

    public TimeSpan Timeout => _timeout;

    public void Restart() => _silence.CancelAfter(_timeout);

    public void Dispose()
    {
        _either.Dispose();
        _silence.Dispose();
    }
}
