using System.Net;
using System.Text.Json;
using Weir.Chat;
using Weir.Errors;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Chat;

/// <summary>A request's own priorities of servers.</summary>
public sealed class PriorityRulesTests(ChatWorld weir) : IClassFixture<ChatWorld>
{
    [Theory]
    [InlineData("""{"contextSettings": 1}""", "contextSettings must be an object")]
    [InlineData("""{"contextSettings": {"mcpPriorityRules": []}}""", "contextSettings.mcpPriorityRules must be an object")]
    [InlineData("""{"contextSettings": {"mcpPriorityRules": {"files": -1}}}""",
        "contextSettings.mcpPriorityRules.files must be a whole number from 0 to 1000")]
    [InlineData("""{"contextSettings": {"mcpPriorityRules": {"files": 1001}}}""", "contextSettings.mcpPriorityRules.files must be")]
    [InlineData("""{"contextSettings": {"mcpPriorityRules": {"files": 1.5}}}""", "contextSettings.mcpPriorityRules.files must be")]
    [InlineData("""{"contextSettings": {"mcpPriorityRules": {"files": 1e400}}}""", "contextSettings.mcpPriorityRules.files must be")]
    [InlineData("""{"contextSettings": {"mcpPriorityRules": {"files": "1"}}}""", "contextSettings.mcpPriorityRules.files must be")]
    [InlineData("""{"contextSettings": {"mcpPriorityRules": {"files": null}}}""", "contextSettings.mcpPriorityRules.files must be")]
    public void What_is_no_rule_is_refused_with_its_path(string body, string message)
    {
        var refused = Should.Throw<WeirException>(() => PriorityRules.Parse(JsonElement.Parse(body)));
        refused.Code.ShouldBe(ErrorCode.InvalidArgument);
        refused.Message.ShouldStartWith(message);
    }

    [Fact]
    public void A_hundred_rules_are_taken_and_no_more()
    {
        static JsonElement Body(int rules) => JsonElement.Parse(JsonSerializer.Serialize(
            new { contextSettings = new { mcpPriorityRules = Enumerable.Range(0, rules).ToDictionary(n => $"s{n}", n => n) } }));

        PriorityRules.Parse(Body(100)).Of(Guid.Empty, "s99", 5).ShouldBe(99);
        Should.Throw<WeirException>(() => PriorityRules.Parse(Body(101))).Message.ShouldContain("at most 100");
    }

    [Fact]
    public void A_servers_id_goes_before_its_name_and_a_server_without_a_rule_keeps_its_own()
    {
        var id = new Guid("01900000-0000-7000-8000-00000000dead");
        var rules =
            PriorityRules.Parse(JsonElement.Parse($$$"""{"contextSettings": {"mcpPriorityRules": {"files": 3, "{{{id}}}": 2} } }"""));
        (rules.Of(id, "files", 9), rules.Of(Guid.Empty, "files", 9), rules.Of(Guid.Empty, "other", 9)).ShouldBe((2, 3, 9));
        var spelled = id.ToString().ToUpperInvariant();
        PriorityRules.Parse(JsonElement.Parse($$$"""{"contextSettings": {"mcpPriorityRules": {"{{{spelled}}}": 2} } }"""))
            .Of(id, "files", 9).ShouldBe(2);
        PriorityRules.Parse(JsonElement.Parse("""{"contextSettings": {"other": 1}}""")).ShouldBeSameAs(PriorityRules.None);
        PriorityRules.Parse(JsonElement.Parse("""{"contextSettings": null}""")).ShouldBeSameAs(PriorityRules.None);
    }

    [Fact]
    public async Task A_turn_ranks_the_servers_by_its_rules_and_the_next_one_by_their_own_priorities()
    {
        var agent = await weir.CreateAgentAsync();
        await using var one = await FixtureServer.StartAsync(FixtureServer.Tool("get_weather", () => "from one"));
        await using var two = await FixtureServer.StartAsync(FixtureServer.Tool("get_weather", () => "from two"));
        var (first, better) = await weir.AddServerAsync(one, agent, priority: 10);
        var (_, worse) = await weir.AddServerAsync(two, agent, priority: 20);

        foreach (var rules in new object[]
        {
            new Dictionary<string, int> { [better] = 30 },
            new Dictionary<string, int> { [first.ToString()] = 1000 },
            new Dictionary<string, int> { [worse] = 0 },
        })
        {
            var answer = await AskAsync(agent, rules);
            Servers(answer).ShouldBe([worse, better]);
            answer.GetProperty("toolCalls").EnumerateArray().Single().GetProperty("server").GetString().ShouldBe(worse);
        }

        Servers(await AskAsync(agent, new Dictionary<string, int>())).ShouldBe([better, worse]);
    }

    [Fact]
    public async Task What_a_server_adds_to_the_prompt_is_ranked_by_the_rules_too()
    {
        var agent = await weir.CreateAgentAsync();
        await using var one = await ContextServer.StartAsync();
        await using var two = await ContextServer.StartAsync();
        const string all = """{"tools": {"*": {}}, "resources": ["*"], "prompts": ["*"]}""";
        var (_, better) =
            await weir.AddServerAsync(one.Url, agent, all, new { priority = 1, context = new { resources = new[] { "note:///a" } } });
        var (_, worse) =
            await weir.AddServerAsync(two.Url, agent, all, new { priority = 2, context = new { resources = new[] { "note:///a" } } });

        var answer = await AskAsync(agent, new Dictionary<string, int> { [worse] = 0 });

        // Two servers say the same resource: the worse one's words are left out.
        var lost = answer.GetProperty("degraded").EnumerateArray().Single(d => d.GetProperty("reason").GetString() == "conflict");
        lost.GetProperty("server").GetString().ShouldBe(better);
    }

    [Fact]
    public async Task A_rule_for_a_server_that_the_agent_was_not_granted_is_ignored_as_one_for_a_server_that_is_not_there()
    {
        var agent = await weir.CreateAgentAsync();
        var other = await weir.CreateAgentAsync();
        await using var mine = await FixtureServer.StartAsync(FixtureServer.Tool("get_weather", () => "sunny"));
        await using var theirs = await FixtureServer.StartAsync(FixtureServer.Tool("get_weather", () => "secret"));
        var (_, name) = await weir.AddServerAsync(mine, agent);
        var (hiddenId, hidden) = await weir.AddServerAsync(theirs, other);

        foreach (var rule in new[] { hidden, hiddenId.ToString(), "nobody" })
        {
            var answer = await AskAsync(agent, new Dictionary<string, int> { [rule] = 0 });
            Servers(answer).ShouldBe([name]);
            answer.GetProperty("degraded").GetArrayLength().ShouldBe(0);
            answer.GetRawText().ShouldNotContain(hidden);
        }
    }

    [Fact]
    public async Task A_wrong_rule_is_a_400_and_nothing_is_saved()
    {
        var channel = await weir.CreateChannelAsync();
        var (status, body) = await weir.PostAsync(
            $$$"""{"agentId": null, "message": "hi", "channelId": "{{{channel}}}", "contextSettings": {"mcpPriorityRules": {"it's": """
                + $$$"""2000} } }""", weir.OwnerToken);
        status.ShouldBe(HttpStatusCode.BadRequest);
        body.GetProperty("code").GetString().ShouldBe("WR001");
        body.GetProperty("message").GetString()!.ShouldContain(
            "contextSettings.mcpPriorityRules.it's must be a whole number from 0 to 1000");
        (await weir.MessagesAsync(channel)).ShouldBeEmpty();
    }

    private async Task<JsonElement> AskAsync(Guid agent, object rules)
    {
        var (status, answer) = await weir.PostAsync(
            new
            {
                agentId = agent,
                message = "the weather?",
                channelId = weir.World.ChannelId,
                contextSettings = new { mcpPriorityRules = rules },
            }, weir.OwnerToken);
        status.ShouldBe(HttpStatusCode.OK);
        return answer;
    }

    private static string?[] Servers(JsonElement answer) =>
        [.. answer.GetProperty("context").GetProperty("servers").EnumerateArray().Select(s => s.GetProperty("name").GetString())];
}
