using Microsoft.Extensions.Time.Testing;
using Weir.Chat;

namespace Weir.Tests.Chat;

public sealed class TurnDoorTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public async Task Half_of_the_pool_goes_in_and_the_next_one_when_somebody_leaves()
    {
        var door = new TurnDoor(poolSize: 4, _time);
        var first = await door.EnterAsync(Patience, CancellationToken.None);
        using var second = await door.EnterAsync(Patience, CancellationToken.None);
        var (third, fourth) = (door.EnterAsync(Patience, CancellationToken.None), door.EnterAsync(Patience, CancellationToken.None));
        third.IsCompleted.ShouldBeFalse();

        first!.Dispose();
        first.Dispose();

        (await third).ShouldNotBeNull();
        fourth.IsCompleted.ShouldBeFalse("who leaves leaves once");
    }

    [Fact]
    public async Task Whose_patience_is_over_has_no_place_and_takes_none()
    {
        var door = new TurnDoor(poolSize: 1, _time);
        var inside = await door.EnterAsync(Patience, CancellationToken.None);
        var late = door.EnterAsync(Patience, CancellationToken.None);

        _time.Advance(Patience);

        (await late).ShouldBeNull();
        inside!.Dispose();
        (await door.EnterAsync(Patience, CancellationToken.None)).ShouldNotBeNull();
    }

    [Fact]
    public async Task Who_goes_away_while_they_wait_is_no_longer_waited_for()
    {
        var door = new TurnDoor(poolSize: 1, _time);
        using var inside = await door.EnterAsync(Patience, CancellationToken.None);
        using var gone = new CancellationTokenSource();
        var waiting = door.EnterAsync(Patience, gone.Token);

        await gone.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(waiting);
    }
}
