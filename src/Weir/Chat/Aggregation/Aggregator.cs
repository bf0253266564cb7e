namespace Weir.Chat.Aggregation;

/// <summary>
/// Makes one prompt of all that a turn has gathered. A pure function: the same input is the same prompt, byte by byte, so that a
/// provider's prompt cache finds its beginning again.
/// </summary>
internal static class Aggregator
{
    /// <summary>A message of which less would be left is forgotten whole. Tokens.</summary>
    private const int SmallestMessage = 32;

    private const string Cut = "\n… [cut]";
    private const string MarkedCut = "\n| … [cut]";

    public static Aggregated Run(AggregationInput input, PromptBudget budget, TokenCounter tokens)
    {
        // The instructions and the message are in it whatever they take; the others share what is left.
        var asks = AreSeveral(input)
            ? [new PromptPart(PromptPartKind.Said, $"[{input.Asker.Label} says now]", input.Asker.Author)] : Array.Empty<PromptPart>();
        var whole = tokens.Count(input.Instructions ?? "") + tokens.Count(input.Message) + asks.Sum(a => tokens.Count(a.Text));
        var left = Math.Max(0, budget.Prompt - whole);
        var history = Remember(input.History, named: asks.Length > 0, Math.Min(left, budget.History), tokens);
        left -= history.Tokens;
        var (items, lost) = Conflicts.Resolve(input.Items);
        var outside = OutsideParts.Make(items, Math.Min(left, budget.Context), budget.Floor, tokens);
        return new Aggregated(
            [
                .. input.Instructions is { Length: > 0 } instructions
                    ? [new PromptPart(PromptPartKind.Instructions, instructions)] : Array.Empty<PromptPart>(),
                .. history.Parts,
                .. outside.Text is { } text ? [new PromptPart(PromptPartKind.Outside, text)] : Array.Empty<PromptPart>(),
                .. asks,
                new PromptPart(PromptPartKind.Message, input.Message, input.Asker.Author),
            ],
            outside.Trimmed, outside.Dropped, lost, input.History.Count - history.Parts.Count, whole + history.Tokens + outside.Tokens);
    }

    /// <summary>Between two who talk with each other there is no doubt about who said it; a third one makes all be named.</summary>
    private static bool AreSeveral(AggregationInput input) =>
        input.History.Any(h => !h.IsOwn && !string.Equals(h.Speaker.Author, input.Asker.Author, StringComparison.Ordinal));

    /// <summary>From the newest back as far as the budget goes; the oldest that is left may be cut.</summary>
    private static (IReadOnlyList<PromptPart> Parts, int Tokens) Remember(
        IReadOnlyList<HistoryEntry> history, bool named, int budget, TokenCounter tokens)
    {
        List<PromptPart> parts = [];
        var left = budget;
        foreach (var entry in history.Reverse())
        {
            var text = Write(entry, named);
            var count = tokens.Count(text, left);
            if (count > left)
            {
                var cut = named && !entry.IsOwn ? MarkedCut : Cut;
                var fits = left < SmallestMessage ? 0 : tokens.Fit(text, left - tokens.Count(cut));
                if (fits > 0)
                {
                    parts.Add(Part(entry, OutsideText.Cut(text, fits) + cut));
                    left = 0;
                }

                break;
            }

            parts.Add(Part(entry, text));
            left -= count;
        }

        parts.Reverse();
        return (parts, budget - left);
    }

    private static PromptPart Part(HistoryEntry entry, string text) =>
        new(entry.IsOwn ? PromptPartKind.OwnWords : PromptPartKind.Said, text, entry.Speaker.Author);

    /// <summary>
    /// With several speakers each is named in a line of Weir's own, and what they said is marked, so that nobody can speak for another.
    /// </summary>
    private static string Write(HistoryEntry entry, bool named) =>
        named && !entry.IsOwn ? $"[{entry.Speaker.Label} said]\n{OutsideText.Quote(OutsideText.Clean(entry.Text))}" : entry.Text;
}
