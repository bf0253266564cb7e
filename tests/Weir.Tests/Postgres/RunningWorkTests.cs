using Weir.Postgres;

namespace Weir.Tests.Postgres;

/// <summary>What a worker may claim beside what runs already.</summary>
public sealed class RunningWorkTests
{
    private const int Most = 128;
    private const int Share = 8;

    [Fact]
    public async Task F11_half_of_the_places_is_for_organizations_that_have_none_running()
    {
        var ends = new TaskCompletionSource();
        var running = new RunningWork(static () => { });
        running.Claimable(Most, Share).Limit.ShouldBe(64);
        foreach (var piece in Enumerable.Range(0, 64))
        {
            _ = running.Start(Of(piece / Share), nodeId: null, () => ends.Task);
        }

        // As if each of the eight had twice its share running: weir.claim_operations gives it nothing more, and whoever has none gets a
        // place.
        var last = running.Claimable(Most, Share);
        last.Limit.ShouldBe(64);
        last.Organizations.CountBy(o => o).ShouldAllBe(o => o.Value >= Share);
        _ = running.Start(Of(100), Of(101), () => ends.Task);
        last = running.Claimable(Most, Share);
        last.Limit.ShouldBe(63);
        last.Organizations.Length.ShouldBe(last.Nodes.Length);
        last.Organizations.Zip(last.Nodes).Where(r => r.First == Of(100)).Select(r => r.Second)
            .ShouldBe([Of(101), .. Enumerable.Repeat(default(Guid?), Share)], ignoreOrder: true);

        // One person's fifty organizations, all of whose servers hang, leave places.
        foreach (var organization in Enumerable.Range(8, 41))
        {
            _ = running.Start(Of(organization), nodeId: null, () => ends.Task);
        }

        running.Claimable(Most, Share).Limit.ShouldBe(22);
        ends.SetResult();
        await running.EndAsync();
        running.Claimable(Most, Share).ShouldSatisfyAllConditions(c => c.Limit.ShouldBe(64), c => c.Organizations.ShouldBeEmpty());
    }

    private static Guid Of(int number) => new(number, 0, 0, new byte[8]);
}
