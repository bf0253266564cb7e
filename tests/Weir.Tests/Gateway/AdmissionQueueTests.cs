using Weir.Configuration;
using Weir.Errors;
using Weir.Gateway;
using Weir.Identity;

namespace Weir.Tests.Gateway;

public sealed class AdmissionQueueTests
{
    private static readonly Decision Yes = new(true, null, null, null, null, null, null, null, null, null);

    [Fact]
    public async Task What_waits_while_the_connection_works_becomes_one_batch()
    {
        var first = new TaskCompletionSource();
        var batches = new List<int>();
        await using var queue = Queue(async calls =>
        {
            lock (batches)
            {
                batches.Add(calls.Length);
            }

            await first.Task;
            return [.. calls.Select(_ => Yes)];
        });
        var one = queue.DecideAsync(Call("a"));
        await Infrastructure.Until.True(() => batches.Count == 1, "the first batch");
        var rest = Enumerable.Range(0, 20).Select(_ => queue.DecideAsync(Call("a"))).ToArray();
        first.SetResult();
        await Task.WhenAll([one, .. rest]);
        batches[0].ShouldBe(1);
        batches.Sum().ShouldBe(21);
        batches.Count.ShouldBeLessThan(5);
    }

    [Fact]
    public async Task One_poisoned_call_in_a_batch_of_64_harms_no_other()
    {
        var gate = new TaskCompletionSource();
        var denied = new List<string>();
        var begun = 0;
        await using var queue = Queue(
            async calls =>
            {
                if (Interlocked.Increment(ref begun) == 1)
                {
                    await gate.Task;
                }

                return calls.Any(c => c.Item == "poison")
                    ? throw new WeirException(ErrorCode.Internal, "the statement raised")
                    : [.. calls.Select(_ => Yes)];
            },
            (call, reason) =>
            {
                denied.Add($"{call.Item}:{reason}");
                return Task.CompletedTask;
            });
        var opener = queue.DecideAsync(Call("a"));
        await Infrastructure.Until.True(() => Volatile.Read(ref begun) == 1, "the first batch");
        var calls = Enumerable.Range(0, 64).Select(i => queue.DecideAsync(Call("a", i == 40 ? "poison" : "good"))).ToArray();
        gate.SetResult();
        await opener;
        var decisions = await Task.WhenAll(calls);
        decisions.Count(d => d.Admitted).ShouldBe(63);
        decisions[40].Reason.ShouldBe("error");
        denied.ShouldBe(["poison:error"]);
    }

    [Fact]
    public async Task When_the_reply_is_lost_nobody_is_admitted_and_nothing_is_tried_again()
    {
        var tries = 0;
        await using var queue = Queue(_ =>
        {
            Interlocked.Increment(ref tries);
            throw new WeirException(ErrorCode.Unavailable, "gone");
        });
        var refused = await Should.ThrowAsync<WeirException>(() => queue.DecideAsync(Call("a")));
        refused.Code.ShouldBe(ErrorCode.Unavailable);
        tries.ShouldBe(1);
    }

    [Fact]
    public async Task Organizations_take_turns_in_a_batch()
    {
        var gate = new TaskCompletionSource();
        var order = new List<string>();
        await using var queue = Queue(async calls =>
        {
            lock (order)
            {
                order.AddRange(calls.Select(c => c.Fairness));
            }

            await gate.Task;
            return [.. calls.Select(_ => Yes)];
        });
        var opener = queue.DecideAsync(Call("opener"));
        await Infrastructure.Until.True(() => order.Count == 1, "the first batch");
        var flood = Enumerable.Range(0, 30).Select(_ => queue.DecideAsync(Call("flood"))).ToArray();
        var quiet = queue.DecideAsync(Call("quiet"));
        gate.SetResult();
        await Task.WhenAll([opener, quiet, .. flood]);
        order.IndexOf("quiet").ShouldBeLessThanOrEqualTo(3);
    }

    [Fact]
    public async Task A_stopped_queue_refuses()
    {
        var queue = Queue(calls => Task.FromResult<Decision[]>([.. calls.Select(_ => Yes)]));
        await queue.DisposeAsync();
        Should.Throw<WeirException>(() => { _ = queue.DecideAsync(Call("a")); }).Code.ShouldBe(ErrorCode.Unavailable);
    }

    private static AdmissionQueue Queue(AdmissionQueue.Admit admit, AdmissionQueue.RecordDenial? deny = null) =>
        new(admit, deny ?? ((_, _) => Task.CompletedTask), new AdmissionConfig(), TimeProvider.System);

    private static CallRequest Call(string fairness, string item = "tool") => new(
        CallKey.At(TimeProvider.System.GetUtcNow()), fairness, Principal.OfPerson(default, default), CallKinds.Tool, null, item, null, "1", 1, 0, [], "");
}
