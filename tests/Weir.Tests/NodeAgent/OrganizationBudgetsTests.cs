extern alias NodeAgent;

using NodeAgent::Weir.NodeAgent.Bridge;

namespace Weir.Tests.NodeAgent;

/// <summary>What all organizations of a node make it keep together.</summary>
public sealed class OrganizationBudgetsTests
{
    [Fact]
    public void F05_all_organizations_of_a_node_have_a_bound_and_each_a_part_that_the_others_cannot_take()
    {
        const long Own = OrganizationBudgets.Guaranteed;
        var budgets = new OrganizationBudgets(limit: 10 * Own, together: 12 * Own);
        var (one, two, three) = (Of(1), Of(2), Of(3));
        var instance = new ByteBudget(9 * Own, one);
        instance.TryTake(9 * Own).ShouldBeTrue();
        one.TryTake(Own).ShouldBeTrue();
        two.TryTake(5 * Own).ShouldBeFalse();
        two.TryTake(4 * Own).ShouldBeTrue();
        three.TryTake(Own).ShouldBeTrue();
        three.TryTake(1).ShouldBeFalse();

        two.Return(4 * Own);
        three.TryTake(3 * Own).ShouldBeTrue();
        instance.Close();
        one.Return(Own);
        three.Return(4 * Own);
        (one.Held, two.Held, three.Held).ShouldBe((0, 0, 0));
        two.TryTake(10 * Own).ShouldBeTrue();
        one.TryTake(4 * Own).ShouldBeTrue();
        one.TryTake(1).ShouldBeFalse();

        ByteBudget Of(int organization) => budgets.For(new Guid(organization, 0, 0, new byte[8]));
    }
}
