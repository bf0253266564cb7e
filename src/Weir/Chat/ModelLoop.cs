using System.Text;
using Microsoft.Extensions.AI;
using Weir.Chat.Tools;
using Weir.Configuration;
using Weir.Models;

namespace Weir.Chat;

/// <summary>What the model of a turn said, and what that took.</summary>
internal sealed record ModelAnswer(string Text, ModelChoice Choice, IReadOnlyList<ModelUsage> Usage);

/// <summary>
/// The model and its calls, in rounds: what it asks for is called, all calls of a round at once, until it answers or the rounds are used
/// up.
/// </summary>
internal sealed class ModelLoop(ModelRouter router, ChatConfig config)
{
    /// <summary>The model for a turn, which may be asked for while its context is gathered.</summary>
    public Task<TurnModel> OpenAsync(Guid userId, ChatAgent agent, TurnJournal journal, Func<TimeSpan> left, CancellationToken ct) =>
        router.OpenAsync(userId, agent.Id, left, given => journal.DegradeAsync(Degradation(given)),
            (tool, why) => journal.DegradeAsync(tool.GetService<ToolFacts>() is { } facts
                ? TurnJournal.LeftOut(facts.Server, facts.Tool, why)
                : TurnJournal.LeftOut("", tool.Name, why)),
            ct);

    /// <summary>Always an answer: where the model has none, the text says so and <c>degraded</c> why.</summary>
    /// <param name="call">Runs a call; of a tool that was not offered too.</param>
    /// <param name="wantsDeltas">The text is told as it comes.</param>
    public async Task<ModelAnswer> AskAsync(
        TurnModel model, IReadOnlyList<ChatMessage> messages, IReadOnlyList<GovernedTool> tools, CallTool call, TurnJournal journal,
        bool wantsDeltas, CancellationToken ct)
    {
        var text = new StringBuilder();
        var none = "the model did not come to an end in time";
        try
        {
            var options = new ChatOptions { Tools = config.MaxToolRounds == 0 ? [] : [.. tools] };
            if (options.Tools.Count > model.MostTools)
            {
                await journal.DegradeAsync(new Degradation(
                    "model", null, null, "left_out",
                    $"{model.Choice} takes {model.MostTools} tools; {tools.Count - model.MostTools} were left out, "
                        + "those of the worst priority."));
            }

            using var loop = Loop(model, call);
            if (wantsDeltas)
            {
                await StreamAsync(loop, messages, options, text, journal, ct).WaitAsync(ct);
            }
            else
            {
                text.Append(Last(await loop.GetResponseAsync(messages, options, ct).WaitAsync(ct)));
            }

            if (Words(text).Length == 0 && model.Failure is null)
            {
                none = $"the model asked for tools again after {config.MaxToolRounds} rounds of calls";
                await journal.DegradeAsync(new Degradation(
                    "model", null, null, "failed",
                    $"{model.Choice} did not come to an answer within {config.MaxToolRounds} rounds of calls."));
            }
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            await journal.DegradeAsync(
                new Degradation("model", null, null, "timeout", $"The answer was not ready within {config.DeadlineSeconds} s."));
        }
        catch (ModelException)
        {
            // Said as it happened.
        }

        if (model.Failure is { } failure)
        {
            none = $"the model {model.Choice} gave none ({failure.Reason})";
        }

        // What a broken stream has said was told, and stands.
        var words = Words(text);
        var said = words.Length > 0 ? ToolText.Clean(words) : $"There is no answer: {none}. What was called is in toolCalls.";
        return new ModelAnswer(said, model.Choice, model.Usage);
    }

    /// <summary>Adds what the turn took to its hour.</summary>
    public Task RecordAsync(ChatAgent agent, TurnModel model) => router.RecordAsync(agent.Id, model);

    public ChatUsage Usage(ModelAnswer answer, TimeSpan duration) => new(
        answer.Choice.ToString(),
        answer.Usage.Sum(u => u.InputTokens),
        answer.Usage.Sum(u => u.OutputTokens),
        answer.Usage.Sum(u => u.InputTokens + u.OutputTokens),
        (long)duration.TotalMilliseconds,
        answer.Usage.All(u => u.CostMicros is not null) ? answer.Usage.Sum(u => u.CostMicros) : null,
        router.Currency);

    private IChatClient Loop(TurnModel model, CallTool call)
    {
        if (config.MaxToolRounds == 0)
        {
            return model;
        }

        var asked = new ModelToolCalls(model, call);
        return new FunctionInvokingChatClient(asked)
        {
            AllowConcurrentInvocation = true,
            MaximumIterationsPerRequest = config.MaxToolRounds,
            AdditionalTools = asked.Unknown,
        };
    }

    /// <summary>The text of the last round. What was said in those before led to calls; who listens has heard it.</summary>
    private static async Task StreamAsync(
        IChatClient loop, IReadOnlyList<ChatMessage> messages, ChatOptions options, StringBuilder text, TurnJournal journal,
        CancellationToken ct)
    {
        var round = 0;
        var isBetween = false;
        await foreach (var update in loop.GetStreamingResponseAsync(messages, options, ct))
        {
            if (update.Role == ChatRole.Tool)
            {
                lock (text)
                {
                    text.Clear();
                }

                round += isBetween ? 0 : 1;
                isBetween = true;
            }
            else if (update.Text is { Length: > 0 } piece)
            {
                lock (text)
                {
                    text.Append(piece);
                }

                isBetween = false;
                await journal.EmitAsync("delta", new { round, text = piece });
            }
            else if (update.Contents.Count > 0)
            {
                isBetween = false;
            }
        }
    }

    /// <summary>Whoever streams may not have noticed yet that the time is over.</summary>
    private static string Words(StringBuilder text)
    {
        lock (text)
        {
            return text.ToString();
        }
    }

    private static string Last(ChatResponse response) => response.Messages.LastOrDefault(m => m.Role == ChatRole.Assistant)?.Text ?? "";

    private static Degradation Degradation(GivenUp given) => new(
        "model", null, null, given.Failure.Reason,
        $"{given.Choice}: {given.Failure.Message}{(given.Next is null ? "" : $" {given.Next} was asked instead.")}");
}
