using Microsoft.Extensions.Time.Testing;
using Weir.Limits;

namespace Weir.Tests.Limits;

/// <summary>Turns of callers, with a clock of the tests.</summary>
public sealed class PerCallerQueueTests
{
    private const int Waiting = 64;
    private readonly FakeTimeProvider _time = new();
    private readonly PerCallerQueue _share;

    public PerCallerQueueTests() => _share = new PerCallerQueue(running: 2, Waiting, TimeSpan.FromSeconds(5), _time);

    [Fact]
    public async Task A_caller_s_third_waits_for_one_of_their_own_and_nobody_else_does()
    {
        var first = await Enter("ann");
        using var second = await Enter("ann");
        var third = Enter("ann");

        third.IsCompleted.ShouldBeFalse();
        (await Enter("bob"))!.Dispose();
        third.IsCompleted.ShouldBeFalse();
        first!.Dispose();
        using var turn = await third;
    }

    [Fact]
    public async Task Turns_come_in_order_and_ending_one_twice_gives_one()
    {
        var running = new[] { await Enter("ann"), await Enter("ann") };
        var (third, fourth) = (Enter("ann"), Enter("ann"));

        running[0]!.Dispose();
        running[0]!.Dispose();

        await third;
        fourth.IsCompleted.ShouldBeFalse();
    }

    [Fact]
    public async Task Who_has_waited_as_long_as_a_statement_may_take_is_refused_and_holds_no_place()
    {
        var running = new[] { await Enter("ann"), await Enter("ann") };
        var waiting = Enter("ann");

        _time.Advance(TimeSpan.FromSeconds(5));

        (await waiting).ShouldBeNull();
        running[0]!.Dispose();
        (await Enter("ann"))!.Dispose();
    }

    [Fact]
    public async Task At_most_so_many_wait()
    {
        using var first = await Enter("ann");
        using var second = await Enter("ann");
        var waiting = Enumerable.Range(0, Waiting).Select(_ => Enter("ann")).ToArray();

        (await Enter("ann")).ShouldBeNull();
        waiting.ShouldAllBe(w => !w.IsCompleted);
        (await Enter("bob"))!.Dispose();
    }

    [Fact]
    public async Task A_caller_who_goes_away_leaves_the_line()
    {
        var running = new[] { await Enter("ann"), await Enter("ann") };
        using var gone = new CancellationTokenSource();
        var waiting = _share.EnterAsync("ann", gone.Token).AsTask();
        var next = Enter("ann");

        await gone.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(() => waiting);
        running[0]!.Dispose();
        await next;
    }

    private Task<IDisposable?> Enter(string caller) => _share.EnterAsync(caller, CancellationToken.None).AsTask();
}
