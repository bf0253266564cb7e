using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Weir.Identity;
using Weir.Postgres;
using Weir.Tests.Chat;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys;

/// <summary>With supabase-js alone: an owner switches off an agent while it calls, and deletes the organization and restores it.</summary>
public sealed class OwnerTests(SwitchWorld weir) : IClassFixture<SwitchWorld>
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_agent_is_switched_off_while_it_calls_and_an_organization_is_deleted_and_restored()
    {
        var agent = await weir.CreateAgentAsync();
        await using var server = await FixtureServer.StartAsync(FixtureServer.Tool("get_weather", async (CancellationToken ct) =>
        {
            // Not the first call: the switch may end that one before it has reached the server.
            if (!await WasSwitchedAsync(agent))
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, ct);
            }

            return "sunny";
        }));
        var (serverId, name) = await weir.AddServerAsync(server, agent);
        var email = await weir.Database.Superuser.ScalarAsync<string>(
            "select email from auth.users where id = $1", [Sql.Uuid(weir.World.OwnerId)], Cancelled);
        var ids = JsonSerializer.Serialize(
            new { organization = weir.World.OrganizationId, agent, channel = weir.World.ChannelId, server = serverId });

        var seen = await NodeScript.RunAsync(
            "owner.mjs",
            [weir.Url.ToString(), weir.Services.GetRequiredService<PersonTokens>().IssueAnonKey(), email!, "a password for tests", ids],
            node22: true);

        Data(seen, "off").GetProperty("active").GetBoolean().ShouldBeFalse();
        Chat(seen, "turn").ShouldBe("403 The agent, the server, the organization or all of Weir is switched off, so no call is made.");
        Chat(seen, "whileOff").ShouldStartWith("403");
        Data(seen, "agentOff")[0].GetProperty("is_active").GetBoolean().ShouldBeFalse();
        Answered(seen, "onAgain").ShouldBe(1);

        Data(seen, "deleted").GetProperty("restorable_until").GetString().ShouldNotBeNull();
        Data(seen, "organizations").GetArrayLength().ShouldBe(0);
        Chat(seen, "chatOfDeleted").ShouldStartWith("404");
        seen.GetProperty("agentOfDeleted").GetProperty("error").GetProperty("code").GetString().ShouldBe("WR004");
        Data(seen, "audit").GetProperty("rows").GetArrayLength().ShouldBe(1);
        Data(seen, "exported").GetProperty("rows").EnumerateArray().Select(s => s.GetProperty("instance_name").GetString())
            .ShouldContain(name);
        Data(seen, "restored").GetProperty("restored").GetBoolean().ShouldBeTrue();
        Answered(seen, "chatOfRestored").ShouldBe(1);
        foreach (var part in seen.GetProperty("exportedParts").EnumerateObject())
        {
            part.Value.GetProperty("error").ValueKind.ShouldBe(JsonValueKind.Null, part.Name + part.Value);
            (part.Value.GetProperty("data").GetProperty("rows").GetArrayLength() > 0).ShouldBe(
                part.Name is not ("datastores" or "documents"), part.Name);
        }
    }

    private async Task<bool> WasSwitchedAsync(Guid agent) => await weir.Database.Superuser.ScalarAsync<long>(
        "select count(*) from public.mcp_interaction_logs where agent_id = $1 and item = 'set_agent_active'", [Sql.Uuid(agent)], Cancelled)
        > 0;

    private static JsonElement Data(
        JsonElement seen, string step) => seen.GetProperty(step).GetProperty("data") is { ValueKind: not JsonValueKind.Null } data
        ? data : throw new InvalidOperationException(seen.GetProperty(step).ToString());

    private static string Chat(JsonElement seen, string step) =>
        $"{seen.GetProperty(step).GetProperty("status").GetInt32()} {seen.GetProperty(step).GetProperty("body").GetProperty("message")
            .GetString()}";

    /// <summary>How many calls of the turn succeeded.</summary>
    private static int Answered(JsonElement seen, string step) =>
        seen.GetProperty(step).GetProperty("body").GetProperty("toolCalls").EnumerateArray()
            .Count(c => c.GetProperty("outcome").GetString() == "ok");
}
