using System.Net;
using Weir.Configuration;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys;

/// <summary>A replica whose statements are ended after five seconds: a call is decided twice in that time, with others and alone.</summary>
public sealed class HastyWeir(TestCluster cluster) : RunningWeir(cluster)
{
    private protected override WeirConfig Configure(WeirConfig config) =>
        config with { Database = config.Database with { CommandTimeoutSeconds = 5 } };
}

/// <summary>
/// While somebody holds a table (a migration, a maintenance command), what waits for it is told that it may be tried again.
/// </summary>
public sealed class LockedTableTests(HastyWeir weir) : IClassFixture<HastyWeir>
{
    [Theory]
    [InlineData("public.agents", false)]
    [InlineData("public.agent_mcp_permissions", true)]
    [InlineData("public.mcp_server_instances", true)]
    [InlineData("public.mcp_server_tools", true)]
    [InlineData("weir.grant_usage", true)]
    [InlineData("public.mcp_interaction_logs", false)]
    public async Task A_call_and_a_list_that_wait_for_a_locked_table_are_unavailable_and_retryable_and_nothing_is_forwarded(
    string table, bool isRecorded)
    {
        await using var server = await OddServer.StartAsync();
        var (name, _) = await weir.AddReadyAsync(server.Url, """{"tools": {"echo": {}}, "limits": {"per_minute": 1000}}""");
        var raw = new RawClient(weir.Client(weir.World.AgentKey));
        (await raw.CallAsync($"{name}__echo")).Body.ShouldContain("\"ok\"");
        var before = await UndecidedAsync();
        await using (var holder = await HeldTransaction.BeginAsync(weir.Database.Superuser))
        {
            await holder.RunAsync($"lock table {table} in access exclusive mode");
            var list = raw.ModernAsync("tools/list");
            ShouldBeRetryable(await raw.CallAsync($"{name}__echo"));
            ShouldBeRetryable(await list, orAnswered: true);
        }

        server.Calls.ShouldBe(1);
        (await raw.CallAsync($"{name}__echo")).Body.ShouldContain("\"ok\"");
        // Where the audit log is locked, or who calls is in the locked table, the row comes with the end of the lock, or not at all.
        (await UndecidedAsync() - before).ShouldBeInRange(isRecorded ? 1 : 0, 1);
    }

    private async Task<int> UndecidedAsync() =>
        (await weir.LogAsync()).Count(r => r.Phase == "denied" && r.Item == "echo" && r.Reason == "undecided");

    private static void ShouldBeRetryable(RawAnswer answer, bool orAnswered = false)
    {
        if (orAnswered && answer.Status == HttpStatusCode.OK)
        {
            return;
        }

        answer.Status.ShouldBe(HttpStatusCode.ServiceUnavailable, answer.Body);
        answer.ErrorCode.ShouldBe(1009);
        answer.Json.GetProperty("error").GetProperty("data").GetProperty("retryable").GetBoolean().ShouldBeTrue();
    }
}
