using Microsoft.Extensions.DependencyInjection;
using Weir.Errors;
using Weir.Gateway.AgentTools;
using Weir.Identity;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Gateway.AgentTools;

/// <summary>How many catalogs an organization, and all of them, read at once.</summary>
public sealed class AgentToolsReadLimiterTests(RunningWeir weir) : IClassFixture<RunningWeir>
{
    private static readonly CancellationToken None = CancellationToken.None;

    private AgentToolsReadLimiter Turns => weir.Services.GetRequiredService<AgentToolsReadLimiter>();

    [Fact]
    public async Task F11_find_tools_and_lists_of_any_key_wait_for_a_turn_of_their_organization_and_nobody_else_does()
    {
        await using var server = await OddServer.StartAsync();
        await weir.AddReadyAsync(server.Url, """{"tools": {"*": {}}}""");
        var other = await World.CreateAsync(weir.Database);
        var (_, newKey) = await weir.World.CreateAgentAsync("another");
        var first = await Turns.EnterAsync(Principal.OfKey(AgentKey.Parse(weir.World.AgentKey)!), None);
        var second = await Turns.EnterAsync(Principal.OfKey(AgentKey.Parse(weir.World.AgentKey)!), None);

        var finding = new RawClient(weir.Client(weir.World.AgentKey), "/mcp?tools=search").CallAsync("find_tools", """{"query":"echo"}""");
        await Until.True(() => Turns.Waiting(weir.World.OrganizationId) == 1, "find_tools waits");
        weir.Services.GetRequiredService<AgentToolsCache>().Drop(weir.World.OrganizationId);
        var listing = new RawClient(weir.Client(newKey)).ModernAsync("tools/list");
        await Until.True(() => Turns.Waiting(weir.World.OrganizationId) == 2, "the list of a key that was never seen waits too");
        (await new RawClient(weir.Client(other.AgentKey)).ModernAsync("tools/list")).Body.ShouldContain("\"tools\":[]");
        finding.IsCompleted.ShouldBeFalse();

        first.Dispose();
        (await finding).Body.ShouldContain("echo");
        (await listing).Body.ShouldContain("\"tools\":[]");
        second.Dispose();
    }

    [Fact]
    public async Task F11_a_key_that_is_not_good_and_a_person_who_has_no_such_agent_take_nobodys_turn()
    {
        var unknown = Principal.OfKey(AgentKey.Parse(AgentKey.Create().Text)!);
        (await Turns.EnterAsync(unknown, None).ShouldThrowAsync<WeirException>()).Code.ShouldBe(ErrorCode.Unauthenticated);
        var stranger = Principal.OfPerson(await World.CreateUserAsync(weir.Database), weir.World.AgentId);
        (await Turns.EnterAsync(stranger, None).ShouldThrowAsync<WeirException>()).Code.ShouldBe(ErrorCode.NotFound);
        (await Turns.EnterAsync(Principal.OfPerson(weir.World.OwnerId, weir.World.AgentId), None)).Dispose();
    }

    [Fact]
    public async Task F11_all_organizations_together_leave_connections_of_the_pool_and_one_waits_with_no_more_than_its_share()
    {
        var agents = Enumerable.Range(0, 6).Select(i => new Guid(i, 0, 0, new byte[8])).ToArray();
        // Each agent is its own organization here.
        using var turns = new AgentToolsReadLimiter((principal, _) => Task.FromResult(principal.AgentId), poolSize: 8);
        var asked = agents.Take(5).SelectMany(a => Enumerable.Repeat(Principal.OfPerson(a, a), 10)).Select(p => turns.EnterAsync(p, None))
            .ToArray();
        asked.Count(t => t.IsCompletedSuccessfully).ShouldBe(AgentToolsReadLimiter.MostTogether(8));
        AgentToolsReadLimiter.MostTogether(8).ShouldBe(6);

        // Before it are the four that have their organization's place, and not the forty that have none.
        var late = turns.EnterAsync(Principal.OfPerson(agents[5], agents[5]), None);
        late.IsCompleted.ShouldBeFalse();
        foreach (var running in asked.Where(t => t.IsCompletedSuccessfully).ToArray())
        {
            (await running).Dispose();
        }

        await late.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        foreach (var size in (int[])[2, 3, 4, 200])
        {
            AgentToolsReadLimiter.MostTogether(size).ShouldBeInRange(1, size - 1);
        }
    }
}
