using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Weir.Errors;
using Weir.Gateway.Admission;
using Weir.Gateway.Calls;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Gateway.Admission;

public sealed class CompletionQueueTests
{
    [Fact]
    public async Task While_too_many_outcomes_wait_the_queue_is_full_and_it_empties_when_the_database_is_back()
    {
        var away = true;
        var recorded = 0;
        await using var queue = Queue((batch, _) => Volatile.Read(ref away)
            ? throw new WeirException(ErrorCode.Unavailable, "away")
            : Task.FromResult(Interlocked.Add(ref recorded, batch.Count)), maxWaiting: 3);
        queue.IsFull.ShouldBeFalse();
        for (var i = 0; i < 3; i++)
        {
            queue.Add(Outcome());
        }

        queue.IsFull.ShouldBeTrue();
        Volatile.Write(ref away, false);
        await Until.True(() => recorded == 3, "the outcomes are recorded");
        await Until.True(() => !queue.IsFull, "the queue is free again");
    }

    [Fact]
    public async Task Stopping_drains_what_waits()
    {
        var recorded = 0;
        var queue = Queue((batch, _) => Task.FromResult(Interlocked.Add(ref recorded, batch.Count)), maxWaiting: 10_000);
        for (var i = 0; i < 1000; i++)
        {
            queue.Add(Outcome());
        }

        await queue.DisposeAsync();
        recorded.ShouldBe(1000);
    }

    [Fact]
    public async Task Stopping_waits_for_no_company()
    {
        var recorded = 0;
        var queue =
            Queue((batch, _) => Task.FromResult(Interlocked.Add(ref recorded, batch.Count)), maxWaiting: 10_000, new FakeTimeProvider());
        queue.Add(Outcome());

        await queue.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);

        recorded.ShouldBe(1);
    }

    [Fact]
    public async Task Outcomes_that_the_record_refuses_do_not_stop_those_behind_them()
    {
        var recorded = 0;
        var first = true;
        await using var queue = Queue((batch, _) =>
        {
            if (first)
            {
                first = false;
                throw new WeirException(ErrorCode.Internal, "refused");
            }

            return Task.FromResult(Interlocked.Add(ref recorded, batch.Count));
        }, maxWaiting: 100);
        queue.Add(Outcome());
        await Until.True(() => !first, "the refusal");
        queue.Add(Outcome());
        await Until.True(() => recorded == 1, "the next one is recorded");
    }

    private static CompletionQueue Queue(
        Func<IReadOnlyList<Completion>, CancellationToken, Task> record, int maxWaiting, TimeProvider? time = null) =>
        new(record, maxWaiting, time ?? TimeProvider.System, NullLogger<CompletionQueue>.Instance);

    private static Completion Outcome() => new(CallKey.At(TimeProvider.System.GetUtcNow()), Outcomes.Ok, null, 1, 1, null, null);
}
