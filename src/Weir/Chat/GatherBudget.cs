using Weir.Chat.Tools;
using Weir.Configuration;
using Weir.Errors;

namespace Weir.Chat;

/// <summary>The share of a turn's time that all its sources have together: it runs from the moment that the first one is asked.</summary>
internal sealed class GatherBudget : IDisposable
{
    private readonly TimeSpan _whole;
    private readonly long _started;
    private readonly TimeProvider _time;
    private readonly TurnJournal _journal;
    private readonly CancellationTokenSource _over;
    private readonly CancellationTokenSource _either;

    /// <param name="journal">Hears what is late or fails.</param>
    /// <param name="ct">The turn's own end.</param>
    public GatherBudget(ChatConfig config, TimeProvider time, TurnJournal journal, CancellationToken ct)
    {
        _whole = TimeSpan.FromMilliseconds(config.ContextMilliseconds);
        (_time, _started, _journal) = (time, time.GetTimestamp(), journal);
        _over = new CancellationTokenSource(_whole, time);
        _either = CancellationTokenSource.CreateLinkedTokenSource(ct, _over.Token);
    }

    /// <summary>For what is asked of a server now.</summary>
    public TimeSpan Left => _whole - _time.GetElapsedTime(_started);

    /// <summary>Default where the source is late or fails, which is told.</summary>
    /// <param name="endsByItself">It gives up in time what is late of it, so what has come is not lost with that.</param>
    public async Task<T?> RunAsync<T>(string source, Func<CancellationToken, Task<T>> work, bool endsByItself = false)
    {
        try
        {
            var working = work(_either.Token);
            return await (endsByItself ? working : working.WaitAsync(_either.Token));
        }
        catch (OperationCanceledException)
        {
            await _journal.DegradeAsync(
                new Degradation(source, null, null, "late", $"The {source} was not there within {_whole.TotalMilliseconds:0} ms."));
        }
        catch (WeirException e)
        {
            await _journal.DegradeAsync(
                new Degradation(source, null, null, e.Code == ErrorCode.Unavailable ? "unavailable" : "failed", e.Message));
        }

        return default;
    }

    public void Dispose()
    {
        _either.Dispose();
        _over.Dispose();
    }
}
