using System.Text.Json.Serialization;
using Weir.Identity;

namespace Weir.Server.Auth;

/// <summary>GoTrue's error.</summary>
internal sealed record AuthError(
    [property: JsonPropertyName("code")] int Code,
    [property: JsonPropertyName("error_code")] string ErrorCode,
    [property: JsonPropertyName("msg")] string Message);

/// <summary>GoTrue's session.</summary>
/// <param name="ExpiresIn">Seconds.</param>
/// <param name="ExpiresAt">Seconds since 1970.</param>
internal sealed record AuthSession(
    [property: JsonPropertyName("access_token")] string AccessToken,
    [property: JsonPropertyName("token_type")] string TokenType,
    [property: JsonPropertyName("expires_in")] int ExpiresIn,
    [property: JsonPropertyName("expires_at")] long ExpiresAt,
    [property: JsonPropertyName("refresh_token")] string RefreshToken,
    [property: JsonPropertyName("user")] AuthUser User)
{
    public static AuthSession Of(Login login, DateTimeOffset expires) => new(
        login.AccessToken, "bearer", (int)PersonTokens.Lifetime.TotalSeconds, expires.ToUnixTimeSeconds(), login.RefreshToken,
        AuthUser.Of(login.User));
}

/// <summary>
/// GoTrue's user, as far as Weir knows one. Weir sends no mail: the address of who signed up is never confirmed, and is said to be so.
/// </summary>
internal sealed record AuthUser(
    [property: JsonPropertyName("id")] Guid Id,
    [property: JsonPropertyName("aud")] string Aud,
    [property: JsonPropertyName("role")] string Role,
    [property: JsonPropertyName("email")] string Email,
    [property: JsonPropertyName("email_confirmed_at")] DateTimeOffset? EmailConfirmedAt,
    [property: JsonPropertyName("phone")] string Phone,
    [property: JsonPropertyName("last_sign_in_at")] DateTimeOffset? LastSignInAt,
    [property: JsonPropertyName("app_metadata")] AuthProvider AppMetadata,
    [property: JsonPropertyName("user_metadata")] object UserMetadata,
    [property: JsonPropertyName("identities")] object[] Identities,
    [property: JsonPropertyName("created_at")] DateTimeOffset CreatedAt,
    [property: JsonPropertyName("updated_at")] DateTimeOffset UpdatedAt,
    [property: JsonPropertyName("is_anonymous")] bool IsAnonymous)
{
    public static AuthUser Of(LoginUser user) => new(
        user.Id, "authenticated", "authenticated", user.Email, user.EmailConfirmedAt, "",
        user.SignedInAt, AuthProvider.Email, new { }, [], user.CreatedAt, user.UpdatedAt, IsAnonymous: false);
}

internal sealed record AuthProvider(
    [property: JsonPropertyName("provider")] string Name, [property: JsonPropertyName("providers")] string[] Names)
{
    public static AuthProvider Email { get; } = new("email", ["email"]);
}

/// <summary>GoTrue's settings: which ways there are to sign in.</summary>
internal sealed record AuthSettings(
    [property: JsonPropertyName("external")] IReadOnlyDictionary<string, bool> External,
    [property: JsonPropertyName("disable_signup")] bool DisableSignUp,
    [property: JsonPropertyName("mailer_autoconfirm")] bool MailerAutoconfirm,
    [property: JsonPropertyName("phone_autoconfirm")] bool PhoneAutoconfirm,
    [property: JsonPropertyName("sms_provider")] string SmsProvider,
    [property: JsonPropertyName("saml_enabled")] bool SamlEnabled)
{
    private static readonly Dictionary<string, bool> EmailOnly =
        new(StringComparer.Ordinal) { ["email"] = true, ["phone"] = false, ["anonymous_users"] = false };

    public static AuthSettings Of(bool signUp) =>
        new(EmailOnly, !signUp, MailerAutoconfirm: true, PhoneAutoconfirm: false, "", SamlEnabled: false);
}
