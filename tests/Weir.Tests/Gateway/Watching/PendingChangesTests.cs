using Weir.Gateway.Watching;

namespace Weir.Tests.Gateway.Watching;

public sealed class PendingChangesTests
{
    [Fact]
    public async Task F05_what_changes_ten_thousand_times_is_told_once()
    {
        var changes = new PendingChanges();
        for (var i = 0; i < 10_000; i++)
        {
            changes.Add("test://" + (i % 3));
            changes.AddLists();
        }

        var taken = await changes.TakeAsync(TestContext.Current.CancellationToken);
        taken.Uris.Order().ShouldBe(["test://0", "test://1", "test://2"]);
        taken.Lists.ShouldBeTrue();
        taken.Beat.ShouldBeFalse();
        changes.AddBeat();
        (await changes.TakeAsync(TestContext.Current.CancellationToken)).Uris.ShouldBeEmpty();
    }
}
