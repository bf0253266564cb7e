using System.Globalization;

namespace Weir.Errors;

/// <summary>A failure with a code of the closed list. Its message is written for the caller and may be shown.</summary>
internal sealed class WeirException : Exception
{
    public WeirException(ErrorCode code, string message, string? hint = null, Exception? inner = null)
        : base(message, inner)
    {
        Code = code;
        Hint = hint;
    }

    public ErrorCode Code { get; }

    /// <summary>What the caller can do, or null.</summary>
    public string? Hint { get; }

    /// <summary>
    /// The page of the documentation that says more, such as <c>rest#limits</c>, or null. <see cref="DocsLinks"/> makes an address of it.
    /// </summary>
    public string? Page { get; init; }

    /// <summary>What was asked may have been done all the same, so that a tool call is not to be repeated.</summary>
    public bool MayHaveActed { get; init; }

    /// <summary>How long a retry is of no use, where that is known.</summary>
    public TimeSpan? RetryAfter { get; init; }
}

/// <summary>The one table that maps a code to its SQLSTATE, its HTTP status and whether a retry may help.</summary>
internal static class ErrorCodes
{
    /// <summary>The published form, which is also the SQLSTATE: <c>WR001</c>.</summary>
    public static string Sqlstate(this ErrorCode code) => "WR" + ((int)code).ToString("000", CultureInfo.InvariantCulture);

    public static int HttpStatus(this ErrorCode code) => code switch
    {
        ErrorCode.InvalidArgument => 400,
        ErrorCode.Unauthenticated => 401,
        ErrorCode.Forbidden or ErrorCode.QuotaExceeded or ErrorCode.ArgumentsDenied => 403,
        ErrorCode.NotFound => 404,
        ErrorCode.Conflict => 409,
        ErrorCode.TooLarge => 413,
        ErrorCode.RateLimited => 429,
        ErrorCode.NotSupported => 501,
        ErrorCode.UpstreamFailed => 502,
        ErrorCode.Changing or ErrorCode.Unavailable or ErrorCode.InstanceUnavailable => 503,
        ErrorCode.UpstreamTimeout => 504,
        ErrorCode.Internal => 500,
        _ => throw new ArgumentOutOfRangeException(nameof(code), code, "Not a code of the list."),
    };

    /// <param name="mayHaveActed">It is of a tool call that may have reached its server: the tool may have run.</param>
    public static bool IsRetryable(this ErrorCode code, bool mayHaveActed = false) => code switch
    {
        ErrorCode.Changing or ErrorCode.RateLimited or ErrorCode.Unavailable => true,
        ErrorCode.InstanceUnavailable or ErrorCode.UpstreamTimeout or ErrorCode.UpstreamFailed => !mayHaveActed,
        _ => false,
    };

    /// <summary>The code behind a SQLSTATE of class WR; false for every other SQLSTATE.</summary>
    public static bool TryParse(string? sqlstate, out ErrorCode code)
    {
        code = ErrorCode.Internal;
        if (sqlstate is not ['W', 'R', ..]
            || !int.TryParse(sqlstate.AsSpan(2), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
        {
            return false;
        }

        code = (ErrorCode)number;
        return Enum.IsDefined(code);
    }
}
