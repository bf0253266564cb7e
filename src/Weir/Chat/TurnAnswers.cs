using System.Text.Json;
using Microsoft.Extensions.Logging;
using Weir.Chat.Tools;
using Weir.Errors;
using Weir.Gateway.Calls;
using Weir.Identity;

namespace Weir.Chat;

/// <summary>How a turn ends: with an answer that is saved and recorded, with the one of before, or with none.</summary>
internal sealed class TurnAnswers(ChatQueries queries, TurnSources sources, TimeProvider time, ILogger<TurnAnswers> logger)
{
    /// <summary>
    /// The pauses after which an answer is saved once more that the database did not take: it has cost a model and calls.
    /// </summary>
    private static readonly TimeSpan[] Pauses = [TimeSpan.FromMilliseconds(250), TimeSpan.FromMilliseconds(500), TimeSpan.FromSeconds(1)];

    private const string CutOff =
        "There is no answer: the first attempt at this message was cut off after it had called servers. "
        + "What it called is in toolCalls, and was not called again. "
        + "Send a new message to have it done anew.";

    /// <summary>Saves and records in one.</summary>
    public Task<ChatAnswer> SaveAsync(OpenTurn turn, ChatAgent agent, ChatAnswer answer) =>
        SaveAsync(turn, agent, answer, Outcomes.Ok, $"model {answer.Usage?.Model}");

    /// <summary>The same answer once more; only the servers' state is as it is now.</summary>
    public async Task<ChatAnswer> AgainAsync(OpenTurn turn, ChatAgent agent)
    {
        var answer = await queries.AnswerAsync(turn.UserId, turn.MessageId, agent.Id, CancellationToken.None)
            ?? throw new WeirException(ErrorCode.NotFound, "There is no such message.");
        return new ChatAnswer(
            answer.Content, agent, answer.Id, turn.MessageId, Read<ToolCallReport[]>(answer.ToolCalls) ?? [],
            await ContextAsync(turn, agent),
            Read<Degradation[]>(answer.Degraded) ?? [], Read<ChatUsage>(answer.Usage));
    }

    /// <summary>What a turn answers that was cut off after calls: no server is asked again, for nobody knows what it has done.</summary>
    public async Task<ChatAnswer> CutOffAsync(OpenTurn turn, ChatAgent agent, IReadOnlyList<ToolCallReport> calls)
    {
        var degraded = new Degradation("turn", null, null, "cut_off", "The first attempt was cut off; nothing was called again.");
        var answer =
            new ChatAnswer(CutOff, agent, Guid.Empty, turn.MessageId, calls, await ContextAsync(turn, agent), [degraded], Usage: null);
        return await SaveAsync(turn, agent, answer, ChatQueries.Failed, "cut off");
    }

    /// <summary>No answer: a retry may go on at once.</summary>
    public async Task FailAsync(OpenTurn turn, ChatAgent agent, Exception e)
    {
        try
        {
            await queries.ReleaseTurnAsync(agent.Id, turn.MessageId, CancellationToken.None);
            await queries.RecordFailureAsync(
                turn.OrganizationId, turn.UserId, agent.Id, turn.ChannelId, turn.MessageId,
                ((e as WeirException)?.Code ?? ErrorCode.Internal).Sqlstate(),
                time.GetElapsedTime(turn.Started), CancellationToken.None);
        }
        catch (WeirException inner)
        {
            logger.LogWarning(inner, "A turn that failed could not be recorded either.");
        }
    }

    private async Task<ChatAnswer> SaveAsync(OpenTurn turn, ChatAgent agent, ChatAnswer answer, string outcome, string how)
    {
        var detail = $"{how}, {answer.ToolCalls.Count} tool calls, {answer.Degraded.Count} degraded";
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                var (id, isNew) = await queries.RecordAnswerAsync(
                    turn.UserId, agent.Id, turn.ChannelId, turn.MessageId, answer, outcome, detail, time.GetElapsedTime(turn.Started),
                    CancellationToken.None);
                // Not new: it was saved and the reply was lost; or this replica was taken for dead, and a retry has ended the turn: what it
                // answered stands.
                return isNew ? answer with { MessageId = id } : await AgainAsync(turn, agent);
            }
            catch (WeirException e) when (e.Code == ErrorCode.Unavailable && attempt < Pauses.Length)
            {
                await Task.Delay(Pauses[attempt], time);
            }
        }
    }

    private Task<ChatContext> ContextAsync(OpenTurn turn, ChatAgent agent) =>
        sources.ContextAsync(Principal.OfPerson(turn.UserId, agent.Id), CancellationToken.None);

    private static T? Read<T>(JsonElement json) =>
        json.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null ? default : json.Deserialize<T>(ChatAnswer.Json);
}
