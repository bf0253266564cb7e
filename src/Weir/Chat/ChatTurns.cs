using System.Collections.Concurrent;
using Microsoft.Extensions.AI;
using Weir.Chat.Tools;
using Weir.Configuration;
using Weir.Errors;
using Weir.Gateway;
using Weir.Gateway.Admission;
using Weir.Gateway.Calls;
using Weir.Identity;
using Weir.Limits;

namespace Weir.Chat;

/// <summary>A message that is saved and waits for its answer.</summary>
/// <param name="Agent">Null where the message was only to be saved.</param>
/// <param name="Started">The turn's clock runs from here.</param>
internal sealed record OpenTurn(
    Guid UserId, Guid OrganizationId, Guid ChannelId, ChatAgent? Agent, string? Instructions, Guid MessageId, string Message, long Started)
{
    /// <summary>Whoever asked hears the model's words as they come.</summary>
    public bool WantsDeltas { get; init; }

    /// <summary>The priorities of servers in this turn.</summary>
    public PriorityRules Priorities { get; init; } = PriorityRules.None;

    /// <summary>Its place among the turns that are open at once; given back when it is answered.</summary>
    public IDisposable? Permit { get; init; }
}

/// <summary>The life of one chat turn.</summary>
internal sealed class ChatTurns(
    ChatQueries queries, TurnLimits limits, TurnSources sources, TurnPrompt prompts, TurnAnswers answers, GovernedCaller caller,
    ModelLoop models, Switches switches, ChatConfig config, DatabaseConfig database, TimeProvider time)
{
    /// <summary>Kept for saving and recording the answer.</summary>
    private static readonly TimeSpan Reserve = TimeSpan.FromSeconds(1);

    /// <summary>After its deadline a replica saves its answer, or is taken for dead when this is over too.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    /// <summary>How often a replica looks whether the other one has answered.</summary>
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(250);

    private readonly DatabaseBulkhead _bulkhead = new(database.PoolSize, time);

    private readonly ConcurrentDictionary<(Guid Message, Guid Agent), Lazy<Task<ChatAnswer>>> _running = new();

    /// <summary>
    /// (1) The database checks, as the person, that agent, workspace and channel are seen and belong together, and finds the channel
    /// where none is named; (2) the message is saved before anything else happens. Whoever asks for too much is refused before that:
    /// by the person before the database is asked, by the agent and organization when it has said which they are.
    /// </summary>
    /// <exception cref="WeirException">WR001, WR003, WR004, WR008, WR009: nothing was asked of anybody, and nothing is saved.</exception>
    public async Task<OpenTurn> OpenAsync(Guid userId, ChatRequest request, CancellationToken ct)
    {
        var started = time.GetTimestamp();
        if (request is { AgentId: null, ChannelId: null })
        {
            throw new WeirException(ErrorCode.InvalidArgument, "channelId is missing: only an agent has a default channel.",
                "Give the channel that the message is for.");
        }

        var permit = limits.Enter(userId);
        try
        {
            using var inside = await _bulkhead.EnterAsync(TimeSpan.FromSeconds(config.DeadlineSeconds) / 2, ct)
                ?? throw new WeirException(ErrorCode.Unavailable, "Too many turns begin at once here.", "Try again in a moment.");

            // 1. Check.
            var context = await queries.ChatContextAsync(userId, request.AgentId, request.WorkspaceId, request.ChannelId, ct);
            permit.Enter(context.OrganizationId, context.Agent?.Id);

            // 2. Save.
            var id = await queries.PostAsync(
                userId, context.ChannelId, request.Message, request.ClientMessageId, isTurn: context.Agent is not null, ct);
            return new OpenTurn(
                userId, context.OrganizationId, context.ChannelId, context.Agent, context.Instructions, id, request.Message, started)
            {
                Priorities = request.Priorities, Permit = permit,
            };
        }
        catch
        {
            permit.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Answers an open turn. A retry of one that was answered gets that answer, and nothing is called; one that is being answered is
    /// waited for; one that was cut off after calls ends without any further. Whoever asked may go away: the answer is saved all the same.
    /// </summary>
    /// <param name="tell">Hears what happens, one event at a time; must not throw.</param>
    public async Task<ChatAnswer> AnswerAsync(OpenTurn turn, Func<ChatEvent, ValueTask> tell)
    {
        using var permit = turn.Permit;
        if (turn.Agent is not { } agent)
        {
            var saved = ChatAnswer.Saved(turn.MessageId);
            await tell(new ChatEvent("done", saved));
            return saved;
        }

        var key = (turn.MessageId, agent.Id);
        var running = _running.GetOrAdd(key, new Lazy<Task<ChatAnswer>>(() => AnswerOnceAsync(turn, agent, tell)));
        try
        {
            var answer = await running.Value;
            await tell(new ChatEvent(
                "message", new { messageId = answer.MessageId, replyTo = answer.ReplyTo, agent = answer.Agent, message = answer.Message }));
            await tell(new ChatEvent("done", answer));
            return answer;
        }
        finally
        {
            _running.TryRemove(new KeyValuePair<(Guid, Guid), Lazy<Task<ChatAnswer>>>(key, running));
        }
    }

    private async Task<ChatAnswer> AnswerOnceAsync(OpenTurn turn, ChatAgent agent, Func<ChatEvent, ValueTask> tell)
    {
        // Registered before it begins, so that no stop is missed in between.
        using var work = switches.Register(turn.OrganizationId, agent.Id, instanceId: null);
        while (true)
        {
            var (state, calls) = await queries.BeginTurnAsync(
                turn.UserId, agent.Id, turn.MessageId, TimeSpan.FromSeconds(config.DeadlineSeconds) + Grace, CancellationToken.None);
            switch (state)
            {
                case TurnState.Begun:
                    return await RunAsync(turn, agent, work, tell);
                case TurnState.Stopped:
                    throw Denials.SwitchedOff();
                case TurnState.Answered:
                    return await EmitAsync(await answers.AgainAsync(turn, agent), tell);
                case TurnState.CutOff:
                    return await EmitAsync(await answers.CutOffAsync(turn, agent, calls), tell);
                default:
                    await Task.Delay(Look, time);
                    // If that one dies before its first call, this turn begins only then.
                    turn = turn with { Started = time.GetTimestamp() };
                    break;
            }
        }
    }

    private static async Task<ChatAnswer> EmitAsync(ChatAnswer answer, Func<ChatEvent, ValueTask> tell)
    {
        await tell(new ChatEvent("context", answer.Context));
        return answer;
    }

    /// <exception cref="WeirException">
    /// WR003: the agent, its organization or the platform was switched off. Nothing is saved then.
    /// </exception>
    private async Task<ChatAnswer> RunAsync(OpenTurn turn, ChatAgent agent, SwitchedWork work, Func<ChatEvent, ValueTask> tell)
    {
        try
        {
            return await RunAsync(turn, agent, work, new TurnJournal(tell));
        }
        catch (OperationCanceledException) when (work.IsOff)
        {
            var switchedOff = Denials.SwitchedOff();
            await answers.FailAsync(turn, agent, switchedOff);
            throw switchedOff;
        }
        catch (Exception e)
        {
            await answers.FailAsync(turn, agent, e);
            throw;
        }
    }

    /// <summary>
    /// (3, 4) discover and gather what the turn can use, each source within its budget; (5) aggregate: history, what comes from outside,
    /// and the message, with the agent's instructions alone as the system's words; (6) the model and its calls; (7) save, record, answer.
    /// </summary>
    private async Task<ChatAnswer> RunAsync(OpenTurn turn, ChatAgent agent, SwitchedWork work, TurnJournal journal)
    {
        using var over = new CancellationTokenSource(Left(turn), time);
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(over.Token, work.Off);
        var principal = Principal.OfPerson(turn.UserId, agent.Id);
        var calls = new TurnToolCalls(caller, queries, principal, turn.MessageId, journal, () => Left(turn), time);

        // 3 and 4. Discover, gather.
        var gathering = sources.GatherAsync(principal, turn, calls.CallAsync, journal, deadline.Token);
        var asked = models.OpenAsync(turn.UserId, agent, journal, () => Left(turn), deadline.Token);
        var start = await gathering;
        work.Off.ThrowIfCancellationRequested();
        await journal.EmitAsync("context", start.Context);

        // 5. Aggregate.
        var messages = await prompts.MakeAsync(turn, start, journal);

        // 6. The model and its calls.
        var model = await asked;
        var answer = await models.AskAsync(model, messages, start.Tools, calls.CallAsync, journal, turn.WantsDeltas, deadline.Token);
        work.Off.ThrowIfCancellationRequested();

        // 7. Save, record, answer.
        var usage = models.Usage(answer, time.GetElapsedTime(turn.Started));
        var saved = answers.SaveAsync(turn, agent, new ChatAnswer(
            ToolText.Trim(answer.Text), agent, Guid.Empty, turn.MessageId, journal.Calls, start.Context, journal.Degraded, usage));
        await Task.WhenAll(saved, models.RecordAsync(agent, model));
        return await saved;
    }

    /// <summary>What is left for gathering and for the model.</summary>
    private TimeSpan Left(OpenTurn turn)
    {
        var whole = TimeSpan.FromSeconds(config.DeadlineSeconds);
        var reserve = whole / 5 < Reserve ? whole / 5 : Reserve;
        var left = whole - reserve - time.GetElapsedTime(turn.Started);
        return left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }
}
