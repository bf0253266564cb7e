using System.Globalization;
using System.Security.Claims;
using System.Text.Json;

namespace Weir.Identity;

/// <summary>
/// When the person behind a token signed in: <c>auth_time</c>, or else the newest timestamp in <c>amr</c>, which Supabase's issuer writes.
/// A refresh keeps both. <c>iat</c> changes with each refresh, so it is not used.
/// </summary>
internal static class SignInTime
{
    public const string Name = "auth_time";

    /// <summary>Null if the token does not say it.</summary>
    public static DateTimeOffset? Of(ClaimsIdentity claims) => claims.FindFirst(Name) is { } said
        ? Seconds(said.Value)
        : claims.FindAll("amr").Select(method => OfMethod(method.Value)).Max();

    /// <summary>A method is <c>{"method", "timestamp"}</c>, or only a name. A refresh is no sign-in.</summary>
    private static DateTimeOffset? OfMethod(string text)
    {
        if (!text.StartsWith('{'))
        {
            return null;
        }

        try
        {
            using var method = JsonDocument.Parse(text);
            return method.RootElement.TryGetProperty("timestamp", out var time) && time.ValueKind == JsonValueKind.Number
                && !(method.RootElement.TryGetProperty("method", out var name) && name.ValueKind == JsonValueKind.String
                    && name.ValueEquals("token_refresh"))
                    ? Seconds(time.GetRawText()) : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static DateTimeOffset? Seconds(string text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds) && seconds is >= 0 and <= 253_402_300_799
            ? DateTimeOffset.FromUnixTimeSeconds((long)seconds) : null;
}
