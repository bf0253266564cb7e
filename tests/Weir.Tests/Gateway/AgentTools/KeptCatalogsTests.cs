using Weir.Definitions;
using Weir.Gateway.AgentTools;

namespace Weir.Tests.Gateway.AgentTools;

public sealed class KeptCatalogsTests
{
    private static readonly Guid One = Guid.Parse("00000000-0000-0000-0000-000000000001");
    private static readonly Guid Two = Guid.Parse("00000000-0000-0000-0000-000000000002");

    [Fact]
    public void F05_kept_catalogs_are_bounded_in_bytes_and_one_organizations_drop_no_others()
    {
        var catalogs = new AgentToolsCache(null!, null!, maxNameLength: 48);
        catalogs.Keep("other", Catalog(Two, 10));
        var one = Catalog(One, 20_000);
        for (var i = 0; i < 30; i++)
        {
            catalogs.Keep("agent" + i, one);
            catalogs.Keep("agent" + i, one);
            catalogs.Budget.HeldBy(One).ShouldBeInRange(one.Bytes, 64 * 1024 * 1024);
        }

        catalogs.Budget.HeldBy(Two).ShouldBePositive();
        catalogs.Keep("huge", Catalog(One, 60_000));
        catalogs.Budget.HeldBy(One).ShouldBeLessThanOrEqualTo(64 * 1024 * 1024);
        catalogs.Drop(One);
        catalogs.Budget.HeldBy(One).ShouldBe(0);
        catalogs.Drop(organizationId: null);
        catalogs.Budget.Total.ShouldBe(0);
    }

    private static AgentToolSet Catalog(Guid organization, int items) => new(
        organization, organization, "agent", 64, [],
        [
            .. Enumerable.Repeat(
                new AgentItem(
                    organization, "server", ItemKinds.Resource, new string('x', 300), new string('x', 300), [], ChatOffline: false), items),
        ]);
}
