extern alias NodeAgent;

using NodeAgent::Weir.NodeAgent.Linux;
using Microsoft.Extensions.Time.Testing;

namespace Weir.Tests.NodeAgent;

/// <summary>How often a node looks through all processes for groups that end.</summary>
public sealed class GroupWalksTests
{
    [Fact]
    public async Task F11_whoever_waits_for_a_group_shares_one_walk_that_begins_after_they_asked()
    {
        var time = new FakeTimeProvider();
        var walks = 0;
        var shared = new GroupWalks(() => new HashSet<int> { Interlocked.Increment(ref walks) }, time);
        var asked = Enumerable.Range(0, 50).Select(_ => shared.NextAsync()).ToArray();
        walks.ShouldBe(0);
        time.Advance(TimeSpan.FromMilliseconds(100));
        (await Task.WhenAll(asked)).ShouldAllBe(groups => groups.Contains(1));
        walks.ShouldBe(1);

        var later = shared.NextAsync();
        time.Advance(TimeSpan.FromMilliseconds(100));
        (await later).Single().ShouldBe(2, "a walk of before says nothing of who asks now");
    }

    [Fact]
    public void A_group_lives_while_it_has_a_member()
    {
        var stat = File.ReadAllText("/proc/self/stat");
        var own = int.Parse(stat[(stat.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[2],
            System.Globalization.CultureInfo.InvariantCulture);
        ProcFs.LiveGroups().ShouldContain(own);
    }
}
