using Weir.Limits;

namespace Weir.Tests.Limits;

public sealed class RoundRobinLimiterTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task F11_a_caller_has_one_turn_at_once_and_all_have_so_many_in_a_circle()
    {
        var turns = new RoundRobinLimiter<string>(atOnce: 2);
        var first = await turns.EnterAsync("a", Token);
        var more = new[] { turns.EnterAsync("a", Token).AsTask(), turns.EnterAsync("a", Token).AsTask() };
        var b = await turns.EnterAsync("b", Token);
        var (c, d) = (turns.EnterAsync("c", Token).AsTask(), turns.EnterAsync("d", Token).AsTask());
        more.ShouldAllBe(t => !t.IsCompleted);
        c.IsCompleted.ShouldBeFalse();

        first.Dispose();
        var second = await more[0];
        c.IsCompleted.ShouldBeFalse();
        second.Dispose();
        second.Dispose();
        var third = await c;
        more[1].IsCompleted.ShouldBeFalse();
        b.Dispose();
        (await d).Dispose();
        (await more[1]).Dispose();
        third.Dispose();
        (await turns.EnterAsync("a", Token)).Dispose();
    }

    [Fact]
    public async Task Who_gives_up_takes_nobodys_turn()
    {
        var turns = new RoundRobinLimiter<string>(atOnce: 1);
        using var gone = new CancellationTokenSource();
        var running = await turns.EnterAsync("a", Token);
        var given = turns.EnterAsync("b", gone.Token).AsTask();
        var next = turns.EnterAsync("c", Token).AsTask();

        await gone.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(given);
        running.Dispose();
        (await next).Dispose();
    }
}
