using System.Net;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Weir.Configuration;
using Weir.Identity;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Chat;

/// <summary>A replica that has two connections for people, and gives up waiting for one after a second.</summary>
public sealed class CrowdedChatWorld(TestCluster cluster) : RunningWeir(cluster)
{
    private protected override WeirConfig Configure(WeirConfig config) =>
        config with { Database = config.Database with { PoolSize = 2, ConnectTimeoutSeconds = 1 } };
}

/// <summary>More turns begin at once than there are connections.</summary>
public sealed class ChatCrowdTests(CrowdedChatWorld weir) : IClassFixture<CrowdedChatWorld>
{
    [Fact]
    public async Task Turns_that_begin_together_wait_for_each_other_and_none_is_told_that_the_database_is_away()
    {
        await using var holder = await weir.Database.Superuser.OpenConnectionAsync();
        await using var transaction = await holder.BeginTransactionAsync();
        await using (var held = new Npgsql.NpgsqlCommand("lock table public.chat_messages in access exclusive mode", holder, transaction))
        {
            await held.ExecuteNonQueryAsync();
        }

        var crowd = Enumerable.Range(0, 6).Select(PostAsync).ToArray();
        await Until.AsyncTrue(
            () => weir.Database.Superuser.ScalarAsync<bool>(
                "select exists (select from pg_stat_activity where wait_event_type = 'Lock' and query like '%post_chat_message%' and clock_timestamp() - query_start > interval '2 seconds')",
                [], CancellationToken.None),
            "one waits longer than anybody waits for a connection");
        await transaction.CommitAsync();

        (await Task.WhenAll(crowd)).ShouldAllBe(s => s == HttpStatusCode.OK);
    }

    private async Task<HttpStatusCode> PostAsync(int number)
    {
        using var client = weir.Client(weir.Services.GetRequiredService<PersonTokens>().Issue(weir.World.OwnerId, "someone@example.test"));
        using var content = new StringContent($$"""{"agentId":null,"channelId":"{{weir.World.ChannelId}}","message":"hello {{number}}"}""", Encoding.UTF8, "application/json");
        return (await client.PostAsync("/functions/v1/chat", content)).StatusCode;
    }
}
