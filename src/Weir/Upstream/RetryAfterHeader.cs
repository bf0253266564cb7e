using System.Globalization;

namespace Weir.Upstream;

/// <summary>The header by which a server says how long it wants to be left alone.</summary>
internal static class RetryAfterHeader
{
    /// <summary>No server makes a client wait longer.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(300);

    /// <summary>Reads its two forms, seconds and a date. Null where there is none, or it is neither.</summary>
    public static TimeSpan? Of(HttpResponseMessage response, DateTimeOffset now)
    {
        if (!response.Headers.NonValidated.TryGetValues("Retry-After", out var values))
        {
            return null;
        }

        var text = values.ToString().Trim();
        if (text.Length > 0 && text.All(char.IsAsciiDigit))
        {
            // More digits than a number has are a long time too.
            return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
                ? Clamp(TimeSpan.FromSeconds(seconds)) : Longest;
        }

        return response.Headers.RetryAfter?.Date is { } date ? Clamp(date - now) : null;
    }

    /// <summary>Whole seconds, rounded up.</summary>
    public static int Seconds(TimeSpan wait) => (int)Math.Ceiling(Clamp(wait).TotalSeconds);

    private static TimeSpan Clamp(TimeSpan wait) => wait < TimeSpan.Zero ? TimeSpan.Zero : wait > Longest ? Longest : wait;
}
