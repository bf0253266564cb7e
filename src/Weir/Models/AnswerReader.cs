using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Weir.Models;

/// <summary>
/// One answer of a model, read from its provider's JSON: whole, or event by event. Endpoints that speak an API speak it each in its own
/// way, so every member is optional and what is not known is passed over; the words and calls that are there are kept.
/// </summary>
internal abstract class AnswerReader
{
    /// <summary>Null until the provider has said that the answer is at its end.</summary>
    public ChatFinishReason? Finished { get; protected set; }

    public UsageDetails? Usage { get; private set; }

    protected CallParts Parts { get; } = new();

    /// <summary>The calls, when the answer is at its end; half of a call is none.</summary>
    public IEnumerable<AIContent> Calls => Finished is null ? [] : Parts.Read();

    /// <summary>The words of one event.</summary>
    /// <exception cref="ModelException">The provider ended the stream with an error.</exception>
    public abstract IList<AIContent> Take(ModelEvent happened);

    /// <summary>The stream is over, and was not broken off.</summary>
    public virtual void End()
    {
    }

    /// <summary>The words of a whole answer.</summary>
    /// <exception cref="JsonException">It is none.</exception>
    /// <exception cref="ModelException">It is an error.</exception>
    public abstract IList<AIContent> TakeWhole(JsonElement answer);

    /// <summary>As a model refused; its words, if any, are read like any others.</summary>
    protected static AIContent Refusal(string words) => new ErrorContent(words) { ErrorCode = ModelAnswers.Refusal };

    protected static ModelException Error() =>
        new(ModelFailure.Unavailable, "The provider ended its answer with an error.", mayRepeat: true);

    /// <summary>Later counts include earlier ones.</summary>
    protected void Count(long? input, long? output) => Usage = (input ?? output) is null ? Usage : new UsageDetails
    {
        InputTokenCount = Math.Max(input ?? 0, Usage?.InputTokenCount ?? 0),
        OutputTokenCount = Math.Max(output ?? 0, Usage?.OutputTokenCount ?? 0),
    };
}
