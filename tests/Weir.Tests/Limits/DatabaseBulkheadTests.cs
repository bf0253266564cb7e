using Microsoft.Extensions.Time.Testing;
using Weir.Limits;

namespace Weir.Tests.Limits;

public sealed class DatabaseBulkheadTests
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(15);
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public async Task Half_of_the_pool_goes_in_and_the_next_one_when_somebody_leaves()
    {
        var door = new DatabaseBulkhead(poolSize: 4, _time);
        var first = await door.EnterAsync(Timeout, CancellationToken.None);
        using var second = await door.EnterAsync(Timeout, CancellationToken.None);
        var (third, fourth) = (door.EnterAsync(Timeout, CancellationToken.None), door.EnterAsync(Timeout, CancellationToken.None));
        third.IsCompleted.ShouldBeFalse();

        first!.Dispose();
        first.Dispose();

        (await third).ShouldNotBeNull();
        fourth.IsCompleted.ShouldBeFalse("who leaves leaves once");
    }

    [Fact]
    public async Task A_caller_whose_timeout_has_passed_gets_no_permit_and_takes_none()
    {
        var door = new DatabaseBulkhead(poolSize: 1, _time);
        var inside = await door.EnterAsync(Timeout, CancellationToken.None);
        var late = door.EnterAsync(Timeout, CancellationToken.None);

        _time.Advance(Timeout);

        (await late).ShouldBeNull();
        inside!.Dispose();
        (await door.EnterAsync(Timeout, CancellationToken.None)).ShouldNotBeNull();
    }

    [Fact]
    public async Task Who_goes_away_while_they_wait_is_no_longer_waited_for()
    {
        var door = new DatabaseBulkhead(poolSize: 1, _time);
        using var inside = await door.EnterAsync(Timeout, CancellationToken.None);
        using var gone = new CancellationTokenSource();
        var waiting = door.EnterAsync(Timeout, gone.Token);

        await gone.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(waiting);
    }
}
