using Microsoft.Extensions.Time.Testing;
using Weir.Postgres;

namespace Weir.Tests.Postgres;

public sealed class PollPauseTests
{
    private static readonly TimeSpan Length = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    private readonly FakeTimeProvider _time = new();
    private readonly PollPause _pause;

    public PollPauseTests() => _pause = new PollPause(Length, _time);

    [Fact]
    public async Task It_lasts_as_long_as_it_is_to()
    {
        var waiting = _pause.WaitAsync(CancellationToken.None);
        _time.Advance(Length - TimeSpan.FromSeconds(1));
        waiting.IsCompleted.ShouldBeFalse();
        _time.Advance(TimeSpan.FromSeconds(1));
        await waiting.WaitAsync(Timeout, TimeProvider.System);
    }

    [Fact]
    public async Task A_hint_ends_it()
    {
        var waiting = _pause.WaitAsync(CancellationToken.None);
        waiting.IsCompleted.ShouldBeFalse();
        _pause.End();
        await waiting.WaitAsync(Timeout, TimeProvider.System);
    }

    [Fact]
    public async Task Hints_before_it_end_it_at_once_and_the_next_one_not()
    {
        _pause.End();
        _pause.End();
        await _pause.WaitAsync(CancellationToken.None).WaitAsync(Timeout, TimeProvider.System);
        _pause.WaitAsync(CancellationToken.None).IsCompleted.ShouldBeFalse();
    }

    [Fact]
    public async Task A_hint_after_one_that_ran_out_is_not_lost_on_it()
    {
        var first = _pause.WaitAsync(CancellationToken.None);
        _time.Advance(Length);
        await first.WaitAsync(Timeout, TimeProvider.System);
        _pause.End();
        await _pause.WaitAsync(CancellationToken.None).WaitAsync(Timeout, TimeProvider.System);
    }

    [Fact]
    public async Task A_stop_ends_it_by_throwing()
    {
        using var stop = new CancellationTokenSource();
        var waiting = _pause.WaitAsync(stop.Token);
        await stop.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(waiting.WaitAsync(Timeout, TimeProvider.System));
    }
}
