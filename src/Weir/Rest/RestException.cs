using Weir.Errors;

namespace Weir.Rest;

/// <summary>A refusal in PostgREST's form. Its texts are ours and hold nothing of any row.</summary>
internal sealed class RestException(
    int status, string code, string message, string? details = null, string? hint = null, string? page = null) : Exception(message)
{
    /// <summary>HTTP.</summary>
    public int Status => status;

    /// <summary><c>PGRST…</c>, a SQLSTATE, or a <c>WR</c> code.</summary>
    public string Code => code;

    public string? Details => details;

    public string? Hint => hint;

    /// <summary>The page of the documentation that says more, such as <c>rest#limits</c>, or null.</summary>
    public string? Page => page;

    /// <summary>The same, with what it is about.</summary>
    public RestException About(string? details) => new(status, code, Message, details, hint, page);

    public bool IsRetryable => ErrorCodes.TryParse(code, out var known) && known.IsRetryable();
}
