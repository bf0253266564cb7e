using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Logging;

namespace Weir.Models;

/// <summary>A model that did not answer, or not wholly, and the one that is asked instead, if there is one.</summary>
internal sealed record GivenUp(ModelChoice Choice, ModelException Failure, ModelChoice? Next);

/// <summary>
/// The model of one turn: each request is bounded in time, repeated where that may help and nothing was said yet, and asked of the fallback
/// where it does not. A model that was given up is not asked again in this turn.
/// </summary>
/// <param name="left">What is left of the turn's time.</param>
/// <param name="giveUp">Hears of each model that was given up, or refused.</param>
/// <param name="leaveOut">Hears of each tool that a model could not be offered.</param>
internal sealed class TurnModel(
    ModelClients clients, ModelPlan plan, ModelTally tally, Func<TimeSpan> left, Func<GivenUp, ValueTask> giveUp,
    TimeProvider time, ILogger logger, LeaveOut? leaveOut = null) : IChatClient
{
    /// <summary>Before the second attempt; twice as long before each further one, unless the provider says how long.</summary>
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(250);

    private readonly Dictionary<ModelChoice, IChatClient> _clients = [];
    private int _choice;

    public IReadOnlyList<ModelUsage> Usage => tally.Usage;

    /// <summary>The one that is asked, or was asked last.</summary>
    public ModelChoice Choice => plan.Choices[_choice];

    /// <summary>Of more, the first are offered.</summary>
    public int MostTools => Choice.IsOffline ? int.MaxValue : clients.RulesOf(Choice).MaxTools;

    /// <summary>Why there is no answer, or no whole one; null: there may be.</summary>
    public ModelException? Failure { get; private set; }

    /// <exception cref="ModelException">None of the models has answered.</exception>
    public async Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        ChatMessage[] asked = [.. messages];
        for (var attempt = 0; ;)
        {
            using var silence = new SilenceLimit(plan.Timeout, time, cancellationToken);
            ModelException? failure;
            try
            {
                var response = await Client().GetResponseAsync(asked, Options(options), silence.Token).WaitAsync(silence.Token);
                failure = Take(response);
                if (failure is null or { Failure: ModelFailure.Refused })
                {
                    await NoteAsync(failure);
                    return response;
                }
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                failure = ModelAnswers.Judge(e, silence);
                tally.AddFailure(Choice);
            }

            attempt = await AgainAsync(failure, attempt, cancellationToken);
        }
    }

    /// <summary>As <see cref="GetResponseAsync"/>, piece by piece. When a piece has come there is no other attempt.</summary>
    /// <exception cref="ModelException">None of the models has answered, or the one that did broke off.</exception>
    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ChatMessage[] asked = [.. messages];
        for (var attempt = 0; ;)
        {
            await using var stream = new ModelStream(
                token => Client().GetStreamingResponseAsync(asked, Options(options), token), plan.Timeout, time, cancellationToken);
            while (await stream.NextAsync() is { } update)
            {
                yield return update;
            }

            if (stream.IsAnswer)
            {
                tally.AddAnswer(Choice, stream.Usage);
                await NoteAsync(stream.Failure);
                yield break;
            }

            tally.AddFailure(Choice, stream.Usage);
            attempt = await AgainAsync(stream.Failure!, attempt, cancellationToken);
        }
    }

    public object? GetService(Type serviceType, object? serviceKey = null) => serviceKey is null && serviceType.IsInstanceOfType(this)
        ? this : null;

    public void Dispose()
    {
        // The clients are every turn's.
    }

    private ModelException? Take(ChatResponse response)
    {
        var contents = response.Messages.SelectMany(m => m.Contents).ToArray();
        tally.AddAnswer(Choice, response.Usage);
        foreach (var message in response.Messages)
        {
            message.Contents = ModelAnswers.Readable(message.Contents);
        }

        return ModelAnswers.Problem(response.FinishReason, contents.Any(ModelAnswers.Says), contents.Any(ModelAnswers.IsRefusal));
    }

    private ValueTask NoteAsync(ModelException? failure)
    {
        Failure = failure;
        return failure is null ? ValueTask.CompletedTask : giveUp(new GivenUp(Choice, failure, Next: null));
    }

    /// <summary>The number of the next attempt: of this model after a pause, or of the next one, which begins at zero.</summary>
    /// <exception cref="ModelException">There is none.</exception>
    private async Task<int> AgainAsync(ModelException failure, int attempt, CancellationToken ct)
    {
        logger.LogWarning("The model {Model} failed: {Reason}, {Message}", Choice, failure.Reason, failure.Message);
        var pause = failure.RetryAfter ?? FirstPause * Math.Pow(2, attempt);
        if (failure.MayRepeat && attempt < plan.Retries && pause < left())
        {
            await Task.Delay(pause, time, ct);
            return attempt + 1;
        }

        // Who refuses has answered; another model is not asked until one gives in.
        var next = failure.Failure != ModelFailure.Refused && _choice + 1 < plan.Choices.Count ? plan.Choices[_choice + 1] : null;
        if (next is null)
        {
            await NoteAsync(failure);
            throw failure;
        }

        await giveUp(new GivenUp(Choice, failure, next));

        _choice++;
        return 0;
    }

    private IChatClient Client()
    {
        if (!_clients.TryGetValue(Choice, out var client))
        {
            client = Choice.IsOffline ? clients.Of(Choice) : new ToolDialect(clients.Of(Choice), clients.RulesOf(Choice), leaveOut);
            _clients.Add(Choice, client);
        }

        return client;
    }

    private ChatOptions Options(ChatOptions? options)
    {
        var changed = options?.Clone() ?? new ChatOptions();
        changed.Temperature = (float?)plan.Temperature;
        changed.MaxOutputTokens = plan.MaxTokens;
        return changed;
    }
}
