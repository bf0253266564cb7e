namespace Weir.Models;

/// <summary>Why a model gave no answer, or not a whole one.</summary>
internal enum ModelFailure
{
    /// <summary>It was silent for longer than it may be.</summary>
    Timeout,

    /// <summary>429.</summary>
    RateLimited,

    /// <summary>The model, or its provider's filter, does not want to answer this.</summary>
    Refused,

    /// <summary>No connection, a broken one, or 5xx.</summary>
    Unavailable,

    /// <summary>It answered what its API does not know, too much, or that the request is wrong.</summary>
    Failed,

    /// <summary>The provider does not have it, or the operator does not offer it any more.</summary>
    UnknownModel,

    /// <summary>The key is not in the environment, or the provider does not take it.</summary>
    KeyMissing,
}

/// <summary>A request to a model that has failed. The message is Weir's own: what a provider says may hold a part of a key.</summary>
/// <param name="mayRepeat">The same request, sent again, may succeed.</param>
/// <param name="retryAfter">How long the provider wants to be left alone.</param>
internal sealed class ModelException(
    ModelFailure failure, string message, bool mayRepeat = false, TimeSpan? retryAfter = null, Exception? inner = null)
    : Exception(message, inner)
{
    public ModelFailure Failure => failure;

    public bool MayRepeat => mayRepeat;

    public TimeSpan? RetryAfter => retryAfter;

    /// <summary>The word for it in an answer's <c>degraded</c>.</summary>
    public string Reason => failure switch
    {
        ModelFailure.Timeout => "timeout",
        ModelFailure.RateLimited => "rate_limited",
        ModelFailure.Refused => "refused",
        ModelFailure.Unavailable => "unavailable",
        ModelFailure.Failed => "failed",
        ModelFailure.UnknownModel => "unknown_model",
        ModelFailure.KeyMissing => "key_missing",
        _ => throw new InvalidOperationException($"{failure} has no word."),
    };
}
