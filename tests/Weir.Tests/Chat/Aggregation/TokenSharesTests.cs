using FsCheck;
using FsCheck.Xunit;
using Weir.Chat.Aggregation;

namespace Weir.Tests.Chat.Aggregation;

public sealed class TokenSharesTests
{
    [Fact]
    public void The_rest_is_shared_by_weight_above_the_floors() =>
        TokenShares.Of(1000, [(5000, 2), (5000, 1)], floor: 100).ShouldBe([634, 366]);

    [Fact]
    public void What_one_does_not_need_goes_to_the_others() => TokenShares.Of(1000, [(10, 100), (5000, 1)], floor: 0).ShouldBe([10, 990]);

    [Fact]
    public void Where_not_all_floors_fit_each_has_the_same() =>
    TokenShares.Of(30, [(100, 9), (100, 1), (100, 1)], floor: 50).ShouldBe([10, 10, 10]);

    [Fact]
    public void Nothing_is_shared_among_nobody() => TokenShares.Of(100, [], floor: 10).ShouldBeEmpty();

    [Property]
    public bool S11_nobody_gets_more_than_is_wanted_and_nothing_is_left_over(
    NonNegativeInt total, (NonNegativeInt Demand, PositiveInt Weight)[] wants, NonNegativeInt floor)
    {
        var shares = Of(total.Get, wants, floor.Get);
        return shares.Zip(wants).All(p => p.First >= 0 && p.First <= p.Second.Demand.Get)
            && shares.Sum() == Math.Min(total.Get, wants.Sum(w => w.Demand.Get));
    }

    [Property]
    public bool S11_everybody_keeps_the_floor_where_all_floors_fit(
    (NonNegativeInt Demand, PositiveInt Weight)[] wants, NonNegativeInt floor, NonNegativeInt more)
    {
        var shares = Of((wants.Length * floor.Get) + more.Get, wants, floor.Get);
        return shares.Zip(wants).All(p => p.First >= Math.Min(p.Second.Demand.Get, floor.Get));
    }

    [Property]
    public bool S11_of_two_that_want_the_same_the_weightier_gets_no_less(
    NonNegativeInt total, NonNegativeInt demand, PositiveInt weight, PositiveInt more, NonNegativeInt floor)
    {
        var shares = TokenShares.Of(total.Get, [(demand.Get, weight.Get + more.Get), (demand.Get, weight.Get)], floor.Get);
        return shares[0] >= shares[1];
    }

    private static int[] Of(int total, (NonNegativeInt Demand, PositiveInt Weight)[] wants, int floor) =>
        TokenShares.Of(total, [.. wants.Select(w => (w.Demand.Get, (long)w.Weight.Get))], floor);
}
