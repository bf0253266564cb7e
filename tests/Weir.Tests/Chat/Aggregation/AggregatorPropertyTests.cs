using FsCheck.Xunit;
using Weir.Chat.Aggregation;

namespace Weir.Tests.Chat.Aggregation;

/// <summary>What holds for whatever a turn has gathered.</summary>
public sealed class AggregatorPropertyTests
{
    private static readonly TokenCounter Tokens = new();

    [Property(Arbitrary = [typeof(AggregationCase)])]
    public bool S15_the_message_is_always_there_whole_and_last(AggregationCase given) =>
        Run(given).Parts[^1] is { Kind: PromptPartKind.Message } last && last.Text == given.Message;

    [Property(Arbitrary = [typeof(AggregationCase)])]
    public bool S12_only_the_instructions_speak_as_the_system_and_they_are_there_whole(AggregationCase given)
    {
        var system = Run(given).Parts.Where(p => p.Kind == PromptPartKind.Instructions).Select(p => p.Text).ToArray();
        return given.Instructions.Length == 0 ? system.Length == 0 : system is [var one] && one == given.Instructions;
    }

    [Property(Arbitrary = [typeof(AggregationCase)])]
    public bool S12_no_line_from_outside_is_unmarked(AggregationCase given)
    {
        var text = Run(given).Parts.SingleOrDefault(p => p.Kind == PromptPartKind.Outside)?.Text;
        return text is null || text[OutsideParts.Preface.Length..^OutsideParts.End.Length]
            .Split('\n', '\r', '\u2028', '\u2029', '\u0085', '\f', '\v')
            .All(l => l.Length == 0 || l.StartsWith("| ", StringComparison.Ordinal) || IsFrame(l));
    }

    [Property(Arbitrary = [typeof(AggregationCase)])]
    public bool S11_the_same_input_in_any_order_is_the_same_prompt(AggregationCase given)
    {
        var turned = given with { Items = [.. given.Items.Reverse()] };
        return Run(given).Parts.SequenceEqual(Run(turned).Parts);
    }

    [Property(Arbitrary = [typeof(AggregationCase)])]
    public bool S12_the_prompt_keeps_its_budget_but_for_what_must_be_in_it(AggregationCase given)
    {
        var made = Run(given);
        var must = Tokens.Count(given.Instructions)
            + made.Parts.Where(p => p.Kind == PromptPartKind.Message || p.Text.EndsWith(" says now]", StringComparison.Ordinal))
                .Sum(p => Tokens.Count(p.Text));
        var outside = made.Parts.Where(p => p.Kind == PromptPartKind.Outside).Sum(p => Tokens.Count(p.Text));
        return made.Tokens <= Math.Max(must, given.Prompt) && outside <= (given.Context * 1.02) + 8;
    }

    [Property(Arbitrary = [typeof(AggregationCase)])]
    public bool S11_every_item_is_in_the_prompt_or_named_as_lost(AggregationCase given)
    {
        var made = Run(given);
        var text = made.Parts.SingleOrDefault(p => p.Kind == PromptPartKind.Outside)?.Text ?? "";
        var dropped = made.Dropped.Select(d => d.Key).ToHashSet(StringComparer.Ordinal);
        return given.Input.Items.Select(i => i.Key).Distinct(StringComparer.Ordinal)
            .All(k => text.Contains($"\"{k}\" of", StringComparison.Ordinal) != dropped.Contains(k));
    }

    [Property(Arbitrary = [typeof(AggregationCase)])]
    public bool S11_of_two_with_one_key_the_better_priority_wins(AggregationCase given) =>
        Run(given).Conflicts.All(
            c => c.Winner.Key == c.Loser.Key && c.Winner.Source != c.Loser.Source && c.Winner.Priority <= c.Loser.Priority);

    private static Aggregated Run(AggregationCase given) => Aggregator.Run(given.Input, given.Budget, Tokens);

    private static bool IsFrame(string line) => line.StartsWith("[resource \"file:///", StringComparison.Ordinal)
        || line.StartsWith("[end of server \"s", StringComparison.Ordinal);
}
