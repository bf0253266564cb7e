using Weir.Chat.Offline;
using static Weir.Tests.Chat.Offline.OfflineTools;

namespace Weir.Tests.Chat.Offline;

public sealed class PlanTests
{
    [Theory]
    [InlineData("what files are in the demo folder?", "list_directory")]
    [InlineData("what is in rivers.csv?", "read_text_file")]
    [InlineData("find *.csv", "search_files")]
    [InlineData("show me the info of that file", "get_file_info")]
    [InlineData("show me shopping-list.md", "read_text_file")]
    [InlineData("show me the demo folder", "list_directory")]
    [InlineData("tell me a joke", "")]
    [InlineData("", "")]
    public void The_tool_that_shares_most_words_with_the_message_is_meant(string message, string tool) =>
        string.Join(' ', Plan.Make(message, Files, [], 0).Targets.Select(t => t.Tool)).ShouldBe(tool);

    [Fact]
    public void What_is_missing_is_looked_for_first_with_a_tool_that_needs_nothing()
    {
        const string Message = "what files are in the demo folder?";
        Plan.Make(Message, Files, [], 0).Calls.Single().Tool.ShouldBe(ListAllowed);

        var second = Plan.Make(Message, Files, [Answered(ListAllowed, "Allowed directories:\n/srv/demo")], 1).Calls.Single();
        second.Tool.ShouldBe(ListDirectory);
        second.Arguments["path"].ShouldBe("/srv/demo");

        var third =
            Plan.Make(Message, Files, [Answered(ListAllowed, "Allowed directories:\n/srv/demo"), Answered(ListDirectory, "[FILE] a")], 2);
        third.Calls.ShouldBeEmpty();
        third.Questions.ShouldBeEmpty();
    }

    [Fact]
    public void What_nothing_offers_is_asked_for()
    {
        var plan = Plan.Make("search files", [ListAllowed, SearchFiles], [Answered(ListAllowed, "/srv/demo")], 1);
        plan.Calls.ShouldBeEmpty();
        plan.Questions.Single().Missing.Select(m => m.Parameter.Name).ShouldBe(["pattern"]);
    }

    [Fact]
    public void No_more_than_three_rounds_are_made()
    {
        Plan.Make("what files are in the demo folder?", [ListAllowed, ListDirectory], [], Plan.MaxRounds).Calls.ShouldBeEmpty();
        // A helper in the last round would leave no round for what it helps.
        Plan.Make("what files are in the demo folder?", [ListAllowed, ListDirectory], [], Plan.MaxRounds - 1).Calls.ShouldBeEmpty();
    }

    [Fact]
    public void S11_of_two_servers_with_one_tool_the_better_priority_wins_and_the_loser_is_named()
    {
        // In the order of the agent's tools: priority, then id.
        OfflineTool[] tools = [Tool("near", "get_weather", "The weather."), Tool("far", "get_weather", "The weather.")];
        var plan = Plan.Make("how is the weather?", tools, [], 0);
        plan.Calls.Single().Tool.Server.ShouldBe("near");
        plan.Losers.Single().Server.ShouldBe("far");

        Plan.Make("how is the weather?", [tools[1], tools[0]], [], 0).Calls.Single().Tool.Server.ShouldBe("far");
    }

    [Fact]
    public void Where_the_winners_call_fails_the_loser_has_its_turn()
    {
        OfflineTool[] tools = [Tool("near", "get_weather", "The weather."), Tool("far", "get_weather", "The weather.")];
        var plan = Plan.Make("how is the weather?", tools, [Failed(tools[0])], 1);
        plan.Calls.Single().Tool.Server.ShouldBe("far");
        plan.Losers.ShouldBeEmpty();
    }

    [Fact]
    public void A_value_of_one_server_is_never_sent_to_another()
    {
        var other = Tool("other", "list_allowed_directories", "directories");
        var plan = Plan.Make("what files are in the demo folder?", [other, ListDirectory], [Answered(other, "/private/demo")], 1);
        plan.Calls.ShouldBeEmpty();
        plan.Questions.Single().Missing.Single().Options.ShouldBeEmpty();
    }

    [Fact]
    public void The_same_input_makes_the_same_plan() =>
        Enumerable.Range(0, 20)
            .Select(_ => string.Join(',', Plan.Make("list search read files", Files, [], 0).Calls.Select(c => c.Tool.Name))).Distinct()
            .Count().ShouldBe(1);
}
