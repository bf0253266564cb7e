using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Weir.Models;

/// <summary>What an answer of a model, or a failure of its library, is to us.</summary>
internal static class ModelAnswers
{
    /// <summary>Whether there is something that a person would see, or a call.</summary>
    public static bool Says(AIContent content) => content switch
    {
        TextReasoningContent => false,
        TextContent text => text.Text.Length > 0,
        FunctionCallContent or ErrorContent => true,
        _ => false,
    };

    /// <summary>The code of an <see cref="ErrorContent"/> with which a model refuses.</summary>
    public const string Refusal = "Refusal";

    public static bool IsRefusal(AIContent content) => content is ErrorContent { ErrorCode: Refusal };

    /// <summary>A refusal's words are the answer.</summary>
    public static IList<AIContent> Readable(IList<AIContent> contents) => contents.Any(IsRefusal)
        ? [.. contents.Select(c => IsRefusal(c) ? new TextContent(((ErrorContent)c).Message) : c)]
        : contents;

    /// <summary>Null: a whole answer. Of one that is none, why.</summary>
    public static ModelException? Problem(ChatFinishReason? finished, bool hasSaid, bool isRefusal) =>
        isRefusal || finished == ChatFinishReason.ContentFilter ? new ModelException(ModelFailure.Refused, "The model refused to answer.")
        : finished is null ? new ModelException(ModelFailure.Unavailable, "The model's answer broke off.", mayRepeat: true)
        : !hasSaid ? new ModelException(ModelFailure.Failed, "The model's answer is empty.")
        : null;

    /// <summary>What a request threw, whatever was made of it on the way.</summary>
    public static ModelException Judge(Exception e, SilenceLimit silence)
    {
        if (silence.IsOver)
        {
            return new ModelException(ModelFailure.Timeout, $"The model was silent for {silence.Timeout.TotalSeconds:0.###} s.", inner: e);
        }

        for (var inner = e; inner is not null; inner = inner.InnerException)
        {
            switch (inner)
            {
                case ModelException known:
                    return known;
                case HttpRequestException or IOException:
                    return new ModelException(ModelFailure.Unavailable, "The connection to the provider broke.", mayRepeat: true, inner: e);
                case JsonException:
                    return new ModelException(ModelFailure.Failed, "The provider's answer is not what its API says.", inner: e);
            }
        }

        return new ModelException(ModelFailure.Failed, "The provider's answer is not what its API says.", inner: e);
    }
}
