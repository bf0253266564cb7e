using Microsoft.Extensions.AI;
using Weir.Chat.Aggregation;
using Weir.Chat.Tools;
using Weir.Configuration;

namespace Weir.Chat;

/// <summary>The prompt of a turn, as models take it. What of the context is not in it as it came is told as degraded.</summary>
internal sealed class TurnPrompt(ChatConfig config, TokenCounter tokens)
{
    public async Task<IReadOnlyList<ChatMessage>> MakeAsync(OpenTurn turn, TurnStart start, TurnJournal journal)
    {
        var made = Aggregator.Run(
            new AggregationInput(turn.Instructions, turn.Message, start.Asker, start.History, start.Items),
            new PromptBudget(config.PromptTokens, config.HistoryTokens, config.ContextTokens, config.SourceFloorTokens),
            tokens);
        foreach (var (winner, loser) in made.Conflicts)
        {
            await EmitAsync(journal, loser, "conflict",
                $"'{loser.Key}' is the better one from the {winner.Source.Kind} '{winner.Source.Name}'; "
                + $"that of '{loser.Source.Name}' was not used.");
        }

        foreach (var (item, kept, characters) in made.Trimmed)
        {
            await EmitAsync(journal, item, "trimmed", $"Of '{item.Key}' the first {kept} of {characters} characters were used.");
        }

        foreach (var item in made.Dropped)
        {
            await EmitAsync(journal, item, "dropped", string.IsNullOrWhiteSpace(item.Text)
                ? $"'{item.Key}' was empty."
                : $"There was no room for '{item.Key}'.");
        }

        return [.. made.Parts.Select(MessageOf)];
    }

    private static ValueTask EmitAsync(TurnJournal journal, ContextItem item, string reason, string message) => journal.DegradeAsync(
        item.Source.Kind == "server"
            ? new Degradation("context", item.Source.Name, null, reason, message)
            : new Degradation("documents", null, null, reason, message));

    /// <summary>Only the instructions speak as the system.</summary>
    private static ChatMessage MessageOf(PromptPart part) => new(
        part.Kind switch
        {
            PromptPartKind.Instructions => ChatRole.System,
            PromptPartKind.OwnWords => ChatRole.Assistant,
            _ => ChatRole.User,
        },
        part.Text)
    {
        AuthorName = part.Author,
    };
}
