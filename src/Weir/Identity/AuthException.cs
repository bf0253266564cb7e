namespace Weir.Identity;

/// <summary>A refusal of the embedded issuer, in GoTrue's terms: supabase-js tells them apart by the code.</summary>
internal sealed class AuthException(int status, string code, string message) : Exception(message)
{
    /// <summary>HTTP.</summary>
    public int Status => status;

    /// <summary>How long a retry is of no use, where that is known.</summary>
    public TimeSpan? RetryAfter { get; private init; }

    /// <summary>GoTrue's <c>error_code</c>.</summary>
    public string Code => code;

    /// <summary>One text for an address that nobody has and for a wrong password.</summary>
    public static AuthException InvalidCredentials() => new(400, "invalid_credentials", "Invalid login credentials");

    /// <param name="retryAfter">How long the limit lasts.</param>
    public static AuthException TooManyAttempts(TimeSpan retryAfter) =>
        new(429, "over_request_rate_limit", "Request rate limit reached") { RetryAfter = retryAfter };

    public static AuthException Banned() => new(400, "user_banned", "User is banned");

    public static AuthException SignUpDisabled() => new(422, "signup_disabled", "Signups not allowed for this instance");

    public static AuthException UserExists() => new(422, "user_already_exists", "User already registered");

    public static AuthException WeakPassword(int least) => new(422, "weak_password", $"Password should be at least {least} characters.");

    /// <summary>One text for every refused link token.</summary>
    public static AuthException TokenExpired() => new(403, "otp_expired", "Token has expired or is invalid");

    /// <summary>An invitation never signs in to an existing account, because whoever made it knows the token.</summary>
    public static AuthException InvitedUserExists() =>
        new(422, "user_already_exists", "The invited address has an account. Sign in, and call accept_invitation with this token.");

    public static AuthException OrganizationIsFull() =>
        new(403, "quota_exceeded", "The organization has reached max_members. Ask an owner to remove a member.");

    public static AuthException ReauthenticationNeeded() => new(
        400,
        "reauthentication_needed",
        "A password can be changed only within 15 minutes of signing in. Sign in again. "
            + "If you forgot it, ask the operator for a recovery link.");

    public static AuthException Invalid(string message) => new(400, "validation_failed", message);

    public static AuthException BadJson() => new(400, "bad_json", "Could not parse request body as JSON");

    public static AuthException NoToken() => new(401, "no_authorization", "This endpoint requires a valid Bearer token");

    public static AuthException BadToken() => new(403, "bad_jwt", "invalid JWT: unable to parse or verify signature");

    public static AuthException NoSession() => new(403, "session_not_found", "Session from session_id claim in JWT does not exist");

    public static AuthException NotServed(string message) => new(404, "feature_disabled", message);

    /// <summary>Why a refresh token is not taken.</summary>
    public static AuthException Refresh(string code) => new(400, code, "Invalid Refresh Token: " + code switch
    {
        "refresh_token_already_used" => "Already Used",
        "session_not_found" => "No Valid Session Found",
        "session_expired" => "Session Expired",
        "user_banned" => "User Banned",
        _ => "Refresh Token Not Found",
    });
}
