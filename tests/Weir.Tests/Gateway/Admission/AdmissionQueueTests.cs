using Microsoft.Extensions.Time.Testing;
using Npgsql;
using Weir.Configuration;
using Weir.Errors;
using Weir.Gateway.Admission;
using Weir.Gateway.Calls;
using Weir.Identity;
using Weir.Postgres;

namespace Weir.Tests.Gateway.Admission;

public sealed class AdmissionQueueTests
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);
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
    public async Task A_call_that_takes_longer_than_the_database_lets_a_statement_ends_its_batch_and_denies_only_itself()
    {
        var denied = new List<string>();
        var gate = new TaskCompletionSource();
        var begun = 0;
        await using var queue = Queue(
            async calls =>
            {
                Interlocked.Increment(ref begun);
                await gate.Task;
                return calls.Any(c => c.Item == "slow")
                    ? throw DatabaseErrors.Map(
                        new PostgresException(
                            "canceling statement due to statement timeout", "ERROR", "ERROR", PostgresErrorCodes.QueryCanceled))
                    : [.. calls.Select(_ => Yes)];
            },
            (call, reason) =>
            {
                denied.Add($"{call.Item}:{reason}");
                return Task.CompletedTask;
            });
        var opener = queue.DecideAsync(Call("a"));
        await Infrastructure.Until.True(() => Volatile.Read(ref begun) == 1, "the first batch");
        var calls = Enumerable.Range(0, 16).Select(i => queue.DecideAsync(Call("a", i == 7 ? "slow" : "good"))).ToArray();
        gate.SetResult();
        await opener;
        (await Task.WhenAll(calls)).Count(d => d.Admitted).ShouldBe(15);
        denied.ShouldBe(["slow:undecided"]);
    }

    [Fact]
    public async Task A_call_whose_decision_comes_too_late_or_whose_reply_is_lost_is_known_not_to_be_made()
    {
        var (time, gate, notMade) =
            (new FakeTimeProvider(), new TaskCompletionSource(), new System.Collections.Concurrent.ConcurrentQueue<string>());
        var begun = 0;
        await using var queue = new AdmissionQueue(
            async (calls, _) =>
            {
                Interlocked.Increment(ref begun);
                await gate.Task;
                return calls.Any(c => c.Item == "lost")
                    ? throw new WeirException(ErrorCode.Unavailable, "gone") : [.. calls.Select(_ => Yes)];
            },
            (_, _) => Task.CompletedTask, new AdmissionConfig(), Timeout, time, call => notMade.Enqueue(call.Item));
        var late = queue.DecideAsync(Call("a", "late"));
        await Infrastructure.Until.True(() => Volatile.Read(ref begun) == 1, "its statement runs");
        time.Advance(Timeout);
        await ShouldBeGivenUpAsync(late);
        notMade.ShouldBeEmpty("Its row is not there yet.");
        gate.SetResult();
        await Infrastructure.Until.True(() => notMade.Contains("late"), "its row gets an outcome");

        await ShouldBeGivenUpAsync(queue.DecideAsync(Call("a", "lost")));
        (await queue.DecideAsync(Call("a", "good"))).Admitted.ShouldBeTrue();
        notMade.ShouldBe(["late", "lost"]);
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
    public async Task Who_waits_behind_a_statement_that_hangs_is_refused_at_the_deadline_and_never_decided()
    {
        var time = new FakeTimeProvider();
        var hangs = new TaskCompletionSource();
        var asked = new List<string>();
        await using var queue = Queue(
            async calls =>
            {
                lock (asked)
                {
                    asked.AddRange(calls.Select(c => c.Item!));
                }

                // Bounded, so that a test that fails also ends.
                await hangs.Task.WaitAsync(TimeSpan.FromSeconds(30));
                return [.. calls.Select(_ => Yes)];
            },
            time: time);
        var first = queue.DecideAsync(Call("a", "first"));
        await Infrastructure.Until.True(() => asked.Count == 1, "the first statement");
        time.Advance(Timeout / 2);
        // The second connection takes this one, and hangs as well.
        var second = queue.DecideAsync(Call("a", "second"));
        time.Advance(TimeSpan.FromMilliseconds(10));
        var behind = queue.DecideAsync(Call("a", "behind"));
        await Infrastructure.Until.True(() => asked.Contains("second"), "the second statement");
        var late = queue.DecideAsync(Call("a", "late"));

        time.Advance(Timeout / 2);
        await ShouldBeGivenUpAsync(first);
        late.IsCompleted.ShouldBeFalse("it has waited only half of its time");
        time.Advance(Timeout / 2);
        foreach (var call in (Task<Decision>[])[second, behind, late])
        {
            await ShouldBeGivenUpAsync(call);
        }

        hangs.SetResult();
        (await queue.DecideAsync(Call("a", "after"))).Admitted.ShouldBeTrue();
        asked.ShouldContain("after");
        asked.ShouldNotContain("late", "nobody waits for it any more");
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
        order.IndexOf(Organization("quiet").ToString()).ShouldBeLessThanOrEqualTo(3);
    }

    [Fact]
    public async Task F04_when_a_batch_fails_other_organizations_are_decided_again_first_and_the_suspect_alone()
    {
        var gate = new TaskCompletionSource();
        var batches = new List<(string[] Organizations, bool Alone)>();
        var denied = new List<string>();
        await using var queue = new AdmissionQueue(
            async (calls, alone) =>
            {
                lock (batches)
                {
                    batches.Add(([.. calls.Select(c => c.Fairness)], alone));
                }

                await gate.Task;
                return calls.Any(c => c.Item == "slow") ? throw TimedOut() : [.. calls.Select(_ => Yes)];
            },
            (call, reason) =>
            {
                denied.Add($"{call.Item}:{reason}");
                return Task.CompletedTask;
            },
            new AdmissionConfig { SecondConnectionMilliseconds = 1000 }, Timeout, new FakeTimeProvider());
        var opener = queue.DecideAsync(Call("opener"));
        await Infrastructure.Until.True(() => batches.Count == 1, "the first batch");
        // A large request is the first suspect; the small one that is slow is found by failing once more.
        AdmissionRequest[] asked =
            [
                Call("large", "good", 50_000), Call("quiet", "good"), Call("evil", "slow", 5_000), Call("evil", "good", 5_000),
                Call("other", "good"),
            ];
        var calls = asked.Select(queue.DecideAsync).ToArray();
        gate.SetResult();
        await opener;
        (await Task.WhenAll(calls)).Select(d => d.Admitted).ShouldBe([true, true, false, true, true]);
        denied.ShouldBe(["slow:undecided"]);

        string Of(string name) => Organization(name).ToString();
        batches[1].Organizations.ShouldBe([Of("large"), Of("quiet"), Of("evil"), Of("evil"), Of("other")]);
        batches[2].Organizations.ShouldBe([Of("quiet"), Of("evil"), Of("evil"), Of("other")]);
        batches[3].Organizations.ShouldBe([Of("quiet"), Of("other")], "the others come before any suspect");
        batches.Skip(4).ShouldAllBe(b => b.Organizations.Length == 1 && b.Alone);
        batches.Take(4).ShouldAllBe(b => !b.Alone);
        batches.Count.ShouldBe(7);
    }

    [Fact]
    public async Task F04_while_one_organization_holds_a_connection_others_are_decided_on_the_other()
    {
        var (opened, flooded) = (new TaskCompletionSource(), new TaskCompletionSource());
        var batches = new List<int>();
        await using var queue = Queue(
            async calls =>
            {
                lock (batches)
                {
                    batches.Add(calls.Length);
                }

                await (calls[0].Item switch { "opener" => opened.Task, "heavy" => flooded.Task, _ => Task.CompletedTask }).WaitAsync(
                    TimeSpan.FromSeconds(30));
                return [.. calls.Select(_ => Yes)];
            },
            time: new FakeTimeProvider());
        var opener = queue.DecideAsync(Call("opener", "opener"));
        await Infrastructure.Until.True(() => batches.Count == 1, "the first batch");
        var flood = Enumerable.Range(0, 30).Select(_ => queue.DecideAsync(Call("flood", "heavy"))).ToArray();
        opened.SetResult();
        await opener;
        await Infrastructure.Until.True(() => batches.Count == 2, "the flood's batch");
        for (var i = 0; i < 20; i++)
        {
            (await queue.DecideAsync(Call("quiet")).WaitAsync(TimeSpan.FromSeconds(30))).Admitted.ShouldBeTrue();
        }

        flood.ShouldAllBe(f => !f.IsCompleted);
        flooded.SetResult();
        (await Task.WhenAll(flood)).ShouldAllBe(d => d.Admitted);
        batches[1].ShouldBe(30);
    }

    [Fact]
    public async Task A_stopped_queue_refuses()
    {
        var queue = Queue(calls => Task.FromResult<Decision[]>([.. calls.Select(_ => Yes)]));
        await queue.DisposeAsync();
        Should.Throw<WeirException>(() => { _ = queue.DecideAsync(Call("a")); }).Code.ShouldBe(ErrorCode.Unavailable);
    }

    private static async Task ShouldBeGivenUpAsync(Task<Decision> call) =>
        (await Should.ThrowAsync<WeirException>(() => call.WaitAsync(TimeSpan.FromSeconds(10)))).Code.ShouldBe(ErrorCode.Unavailable);

    private static AdmissionQueue Queue(
        Func<AdmissionRequest[], Task<Decision[]>> admit, AdmissionQueue.RecordDenial? deny = null, TimeProvider? time = null) =>
        new((calls, _) => admit(calls), deny ?? ((_, _) => Task.CompletedTask), new AdmissionConfig(), Timeout,
            time ?? TimeProvider.System);

    private static WeirException TimedOut() => DatabaseErrors.Map(
        new PostgresException("canceling statement due to statement timeout", "ERROR", "ERROR", PostgresErrorCodes.QueryCanceled));

    internal static AdmissionRequest Call(string organization, string item = "tool", long bytes = 0) => new(
        CallKey.At(TimeProvider.System.GetUtcNow()), Organization(organization), Principal.OfPerson(default, default), CallKinds.Tool, null,
        item,
        null, "1", 1, bytes, [], "");

    internal static Guid Organization(string name) => new(System.Text.Encoding.ASCII.GetBytes(name.PadRight(16)));
}
