using System.Net;
using Weir.Configuration;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Chat;

/// <summary>A replica that has two connections for people, and gives up waiting for one after a second.</summary>
public class CrowdedChatWorld(TestCluster cluster) : ChatWorld(cluster)
{
    private protected override WeirConfig Configure(WeirConfig config) =>
        config with { Database = config.Database with { PoolSize = 2, ConnectTimeoutSeconds = 1 } };
}

/// <summary>The same, and a turn has two seconds in all.</summary>
public sealed class HastyChatWorld(TestCluster cluster) : CrowdedChatWorld(cluster)
{
    private protected override WeirConfig Configure(WeirConfig config) =>
        base.Configure(config) with { Chat = new ChatConfig { DeadlineSeconds = 2 } };
}

/// <summary>More turns begin at once than there are connections.</summary>
public sealed class ChatCrowdTests(CrowdedChatWorld crowded, HastyChatWorld hasty)
    : IClassFixture<CrowdedChatWorld>, IClassFixture<HastyChatWorld>
{
    [Fact]
    public async Task Turns_that_begin_together_wait_for_each_other_and_none_is_told_that_the_database_is_away()
    {
        await using var messages = await HoldMessagesAsync(crowded);

        var crowd = Enumerable.Range(0, 6).Select(i => crowded.ChatAsync(null, $"hello {i}")).ToArray();
        await Until.AsyncTrue(
            () => IsWaitingAsync(crowded, TimeSpan.FromSeconds(2)), "one waits longer than anybody waits for a connection");
        await messages.CommitAsync();

        (await Task.WhenAll(crowd)).ShouldAllBe(a => a.Status == HttpStatusCode.OK);
    }

    [Fact]
    public async Task Who_has_no_place_within_half_of_the_turn_s_time_is_told_so_and_nothing_is_saved()
    {
        await using var messages = await HoldMessagesAsync(hasty);
        var first = hasty.ChatAsync(null, "first");
        await Until.AsyncTrue(() => IsWaitingAsync(hasty, TimeSpan.Zero), "the first one is inside");

        var (status, body) = await hasty.ChatAsync(null, "second");

        status.ShouldBe(HttpStatusCode.ServiceUnavailable);
        body.GetProperty("message").GetString().ShouldBe("Too many turns begin at once here.");
        await messages.CommitAsync();
        await first;
        (await hasty.Database.Superuser.ScalarAsync<long>(
            "select count(*) from public.chat_messages where content = 'second'", [], CancellationToken.None)).ShouldBe(0);
    }

    private static async Task<HeldTransaction> HoldMessagesAsync(RunningWeir weir)
    {
        var held = await HeldTransaction.BeginAsync(weir.Database.Superuser);
        await held.RunAsync("lock table public.chat_messages in access exclusive mode");
        return held;
    }

    private static Task<bool> IsWaitingAsync(RunningWeir weir, TimeSpan time) => weir.Database.Superuser.ScalarAsync<bool>(
        "select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like "
            + "'%post_chat_message%' and clock_timestamp() - query_start > $1)",
        [Sql.Interval(time)], CancellationToken.None);
}
