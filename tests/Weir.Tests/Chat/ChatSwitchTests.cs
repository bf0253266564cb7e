using System.Net;
using Weir.Configuration;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Chat;

/// <summary>Tools can be switched off without a deployment.</summary>
public sealed class ChatSwitchTests(ChatWorld weir) : IClassFixture<ChatWorld>
{
    [Fact]
    public async Task An_organization_that_switches_tools_off_in_the_middle_of_a_turn_stops_the_next_call_and_all_later_ones()
    {
        var agent = await weir.CreateAgentAsync();
        var calls = 0;
        await using var server = await FixtureServer.StartAsync(
            FixtureServer.Tool("list_allowed_directories", async () =>
            {
                await SwitchAsync(on: false);
                return "/srv/demo";
            }),
            FixtureServer.Tool("list_directory", (string path) => $"call {Interlocked.Increment(ref calls)} {path}"));
        await weir.AddServerAsync(server, agent);

        var (status, answer) = await weir.ChatAsync(agent, "what files are in the demo folder?");

        status.ShouldBe(HttpStatusCode.OK);
        answer.GetProperty("toolCalls").EnumerateArray().Select(c => c.GetProperty("outcome").GetString()).ShouldBe(["ok", "denied"]);
        var (_, next) = await weir.ChatAsync(agent, "what files are in the demo folder?");
        next.GetProperty("toolCalls").GetArrayLength().ShouldBe(0);
        var degraded = next.GetProperty("degraded").EnumerateArray().Single();
        (degraded.GetProperty("source").GetString(), degraded.GetProperty("reason").GetString()).ShouldBe(("tools", "off"));
        calls.ShouldBe(0);

        await SwitchAsync(on: true);
        await weir.ChatAsync(agent, "list_directory path=/srv/demo");
        calls.ShouldBe(1);
    }

    private Task SwitchAsync(bool on) =>
        weir.World.CallAsync("select public.set_chat_tools($1, $2)", Sql.Uuid(weir.World.OrganizationId), Sql.Boolean(on));
}

/// <summary>A replica that uses no tools.</summary>
public sealed class ToollessChatWorld(TestCluster cluster) : RunningWeir(cluster)
{
    private protected override WeirConfig Configure(WeirConfig config) => config with { Chat = new ChatConfig { Tools = false } };
}

public sealed class ChatToolsOffTests(ToollessChatWorld weir) : IClassFixture<ToollessChatWorld>
{
    [Fact]
    public async Task Where_the_operator_switches_tools_off_a_turn_answers_without_them()
    {
        await using var server = await FixtureServer.StartAsync(FixtureServer.Tool("get_weather", () => "sunny"));
        await weir.AddReadyAsync(server.Url, """{"tools": {"*": {}}}""");
        var turns = Microsoft.Extensions.DependencyInjection.ServiceProviderServiceExtensions.GetRequiredService<Weir.Chat.ChatTurns>(
            weir.Services);

        var open = await turns.OpenAsync(weir.World.OwnerId,
            new Weir.Chat.ChatRequest(weir.World.AgentId, "the weather?", null, weir.World.ChannelId, null), CancellationToken.None);
        var answer = await turns.AnswerAsync(open, static _ => ValueTask.CompletedTask);

        answer.ToolCalls.ShouldBeEmpty();
        answer.Degraded.ShouldHaveSingleItem().Reason.ShouldBe("off");
    }
}
