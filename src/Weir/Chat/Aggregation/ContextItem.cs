namespace Weir.Chat.Aggregation;

/// <summary>Who said it. Two kinds may have one name.</summary>
/// <param name="Kind"><c>server</c> or <c>datastore</c>.</param>
internal readonly record struct ContextSource(string Kind, string Name);

/// <summary>Something from outside that may help the answer.</summary>
/// <param name="Kind"><c>resource</c>, <c>prompt</c> or <c>document</c>.</param>
/// <param name="Key">What it is about. Of two with one key only one is used.</param>
/// <param name="Text">As it came: a server's or a document's words, which nobody has checked.</param>
/// <param name="Priority">The source's; the lower number is the better one. 0 is the best.</param>
/// <param name="Relevance">0 to 1; decides between items of one priority.</param>
internal sealed record ContextItem(
    ContextSource Source, string Kind, string Key, string Text, int Priority = ContextItem.DefaultPriority, double Relevance = 1)
{
    public const int DefaultPriority = 100;

    /// <summary>
    /// The better one first; the rest of the order only has to be the same each time, so that a prompt begins as the one before did.
    /// </summary>
    public static IOrderedEnumerable<ContextItem> InOrder(IEnumerable<ContextItem> items) => items
        .OrderBy(i => i.Priority)
        .ThenByDescending(i => i.Relevance)
        .ThenBy(i => i.Source.Kind, StringComparer.Ordinal)
        .ThenBy(i => i.Source.Name, StringComparer.Ordinal)
        .ThenBy(i => i.Kind, StringComparer.Ordinal)
        .ThenBy(i => i.Key, StringComparer.Ordinal)
        .ThenBy(i => i.Text, StringComparer.Ordinal);
}

/// <summary>One message of before.</summary>
/// <param name="IsOwn">The answering agent said it.</param>
/// <param name="Speaker">Who else did, as <see cref="Aggregation.Speaker"/> writes it.</param>
internal sealed record HistoryEntry(bool IsOwn, Speaker Speaker, string Text);

/// <summary>
/// How many tokens a prompt may have. The agent's instructions and the person's message are in it whole, whatever they take.
/// </summary>
/// <param name="Prompt">The whole prompt.</param>
/// <param name="History">Most for what was said before.</param>
/// <param name="Context">Most for what comes from outside.</param>
/// <param name="Floor">What each source has, however bad its priority, where it wants that much and all floors fit.</param>
internal sealed record PromptBudget(int Prompt, int History, int Context, int Floor);

/// <param name="Asker">Who says the message.</param>
/// <param name="History">Oldest first.</param>
internal sealed record AggregationInput(
    string? Instructions, string Message, Speaker Asker, IReadOnlyList<HistoryEntry> History, IReadOnlyList<ContextItem> Items);

internal enum PromptPartKind
{
    /// <summary>The agent's instructions: the only part that speaks as the system.</summary>
    Instructions,

    /// <summary>What the agent itself said before.</summary>
    OwnWords,

    /// <summary>What a person, or another agent, said before; and who says the message, where there are several.</summary>
    Said,

    /// <summary>What servers and documents say, delimited and attributed. A user's words to the model, never the system's.</summary>
    Outside,

    /// <summary>The message that is answered; always the last.</summary>
    Message,
}

/// <param name="Author">Short and plain, as providers take it; null where there is none.</param>
internal sealed record PromptPart(PromptPartKind Kind, string Text, string? Author = null);

/// <summary>An item of which only the beginning is in the prompt.</summary>
/// <param name="Characters">How many it had.</param>
internal sealed record TrimmedItem(ContextItem Item, int Kept, int Characters);

/// <summary>Two sources had the same key; the better one's is used.</summary>
internal sealed record LostConflict(ContextItem Winner, ContextItem Loser);

/// <param name="Parts">In the prompt's order: what changes least comes first.</param>
/// <param name="Dropped">Items for which there was no room, or that were empty.</param>
/// <param name="Forgotten">How many messages of the history there was no room for.</param>
/// <param name="Tokens">What the parts take together.</param>
internal sealed record Aggregated(
    IReadOnlyList<PromptPart> Parts, IReadOnlyList<TrimmedItem> Trimmed, IReadOnlyList<ContextItem> Dropped,
    IReadOnlyList<LostConflict> Conflicts, int Forgotten, int Tokens);
