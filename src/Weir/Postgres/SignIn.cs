using System.Globalization;

namespace Weir.Postgres;

/// <summary>
/// When a person signed in, as their verified token says; SQL decides what needs a recent sign-in (<c>weir.signed_in_recently</c>).
/// </summary>
/// <param name="Id">The embedded issuer's row of the sign-in, which may have been ended; null with another issuer.</param>
internal sealed record SignIn(DateTimeOffset At, Guid? Id = null)
{
    /// <summary>More members of the claims' JSON object, with a leading comma.</summary>
    public string Claims => string.Create(CultureInfo.InvariantCulture, $",\"auth_time\":{At.ToUnixTimeSeconds()}")
        + (Id is { } id ? $",\"session_id\":\"{id}\"" : "");
}
