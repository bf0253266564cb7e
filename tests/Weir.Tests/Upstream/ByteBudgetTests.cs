using Weir.Upstream;

namespace Weir.Tests.Upstream;

/// <summary>Bytes are counted for the call and the organization, and given back once.</summary>
public sealed class ByteBudgetTests
{
    private static readonly Guid One = Guid.Parse("00000000-0000-0000-0000-000000000001");
    private static readonly Guid Two = Guid.Parse("00000000-0000-0000-0000-000000000002");

    [Fact]
    public void F05_a_call_and_an_organization_hold_no_more_than_their_bounds()
    {
        var budget = new ByteBudget(mostPerCall: 100, mostPerOrganization: 150);
        using var call = budget.Open(One);
        using var other = budget.Open(One);
        using var foreign = budget.Open(Two);
        call.TryTake(100).ShouldNotBeNull();
        call.TryTake(1).ShouldBeNull();
        other.TryTake(50).ShouldNotBeNull();
        other.TryTake(1).ShouldBeNull();
        foreign.TryTake(100).ShouldNotBeNull("another organization has its own");
        budget.HeldBy(One).ShouldBe(150);
        budget.Total.ShouldBe(250);
    }

    [Fact]
    public void F05_all_organizations_together_have_a_bound_and_each_a_part_that_the_others_cannot_take()
    {
        const long Own = ByteBudget.Guaranteed;
        var budget = new ByteBudget(long.MaxValue, mostPerOrganization: 10 * Own, mostTogether: 12 * Own);
        using var one = budget.Open(One);
        using var two = budget.Open(Two);
        using var three = budget.Open(Guid.Parse("00000000-0000-0000-0000-000000000003"));
        one.TryTake(10 * Own).ShouldNotBeNull();
        two.TryTake(5 * Own).ShouldBeNull("nine of the twelve are taken");
        var some = two.TryTake(4 * Own)!;
        two.TryTake(1).ShouldBeNull();
        three.TryTake(Own).ShouldNotBeNull("its own part");
        three.TryTake(1).ShouldBeNull();
        budget.Total.ShouldBe(15 * Own);
        some.Dispose();
        three.TryTake(3 * Own).ShouldNotBeNull();
        one.Clear();
        three.Clear();
        budget.Total.ShouldBe(0);
        two.TryTake(10 * Own).ShouldNotBeNull("what was given back can be taken again");
        one.TryTake(4 * Own).ShouldNotBeNull();
        one.TryTake(1).ShouldBeNull();
    }

    [Fact]
    public void F05_what_is_held_is_given_back_exactly_once_however_it_ends()
    {
        var budget = new ByteBudget(100, 150);
        var call = budget.Open(One);
        var first = call.TryTake(10)!;
        var second = call.TryTake(20)!;
        first.Dispose();
        first.Dispose();
        budget.HeldBy(One).ShouldBe(20);
        call.Clear();
        second.Dispose();
        budget.HeldBy(One).ShouldBe(0);
        var third = call.TryTake(30)!;
        second.Dispose();
        budget.HeldBy(One).ShouldBe(30);
        call.Dispose();
        call.Dispose();
        third.Dispose();
        budget.HeldBy(One).ShouldBe(0);
        call.TryTake(1).ShouldBeNull("a call that has ended holds nothing any more");
        budget.Peak.ShouldBe(30);
    }

    [Fact]
    public async Task F05_many_at_once_leave_nothing_behind()
    {
        var budget = new ByteBudget(1000, 2000);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() =>
        {
            for (var i = 0; i < 5000; i++)
            {
                using var call = budget.Open(One);
                var hold = call.TryTake(i % 700);
                call.TryTake(i % 300);
                hold?.Dispose();
            }
        })));
        budget.HeldBy(One).ShouldBe(0);
        budget.Total.ShouldBe(0);
        budget.Peak.ShouldBeInRange(1, 2000);
    }

    [Fact]
    public async Task F05_a_queue_drops_what_has_no_room_and_a_response_takes_the_place_of_older_messages()
    {
        var budget = new ByteBudget(10_000, 20_000);
        using var account = budget.Open(One);
        var queue = new MessageQueue(account);
        queue.TryAdd(new byte[4000]).ShouldBeTrue();
        queue.TryAdd(new byte[4000]).ShouldBeTrue();
        queue.TryAdd(new byte[4000]).ShouldBeFalse();
        queue.TryAddInPlaceOfOlder(new byte[9000]).ShouldBeTrue();
        queue.TryAddInPlaceOfOlder(new byte[20_000]).ShouldBeFalse("it is larger than all that there is");
        budget.Peak.ShouldBeLessThanOrEqualTo(10_000);
        queue.TryAdd(new byte[1]).ShouldBeTrue();
        queue.Complete();
        var lengths = new List<int>();
        await foreach (var message in queue.ReadAllAsync(TestContext.Current.CancellationToken))
        {
            lengths.Add(message.Length);
        }

        lengths.ShouldBe([1]);
        account.Held.ShouldBe(0);
    }
}
