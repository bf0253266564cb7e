using System.Text.Json.Serialization;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Mvc;
using Weir.Errors;
using Weir.Identity;

namespace Weir.Server.Auth;

/// <summary>The embedded issuer's login, in the form that supabase-js expects of <c>/auth/v1</c>. Absent where tokens are another issuer's.</summary>
internal static class AuthEndpoints
{
    public const string LimitPolicy = "login";

    /// <summary>Ten attempts a minute and address: a password check is meant to be slow, and must not be a way to keep Weir busy.</summary>
    public static void AddLoginLimit(this IServiceCollection services) => services.AddRateLimiter(options =>
    {
        options.OnRejected = static (context, _) => new ValueTask(Http.JsonErrors.WriteAsync(
            context.HttpContext, new WeirException(ErrorCode.RateLimited, "Too many attempts to sign in from this address.", "Retry in a minute.")));
        options.AddPolicy(LimitPolicy, static http => RateLimitPartition.GetFixedWindowLimiter(
            http.Connection.RemoteIpAddress?.ToString() ?? "", static _ => new FixedWindowRateLimiterOptions { PermitLimit = 10, Window = TimeSpan.FromMinutes(1) }));
    });

    public static void MapAuth(this IEndpointRouteBuilder routes)
    {
        routes.MapPost("/auth/v1/token", static async (
            [FromQuery(Name = "grant_type")] string? grantType, TokenRequest request, PersonTokens tokens, Logins logins, CancellationToken ct) =>
        {
            if (!tokens.IsEmbedded)
            {
                throw new WeirException(ErrorCode.NotFound, "People sign in at their own issuer.");
            }

            var login = grantType switch
            {
                "password" when request is { Email: { Length: > 0 } email, Password: { Length: > 0 } password } => await logins.PasswordAsync(email, password, ct),
                "refresh_token" when request.RefreshToken is { Length: > 0 } token => await logins.RefreshAsync(token, ct),
                _ => throw new WeirException(ErrorCode.InvalidArgument, "grant_type must be password, with email and password, or refresh_token, with refresh_token."),
            };
            return Results.Json(TokenResponse.Of(login));
        }).RequireRateLimiting(LimitPolicy);
    }

    internal sealed record TokenRequest(string? Email, string? Password, [property: JsonPropertyName("refresh_token")] string? RefreshToken);

    /// <summary>GoTrue's token response.</summary>
    /// <param name="ExpiresIn">Seconds.</param>
    internal sealed record TokenResponse(
        [property: JsonPropertyName("access_token")] string AccessToken,
        [property: JsonPropertyName("token_type")] string TokenType,
        [property: JsonPropertyName("expires_in")] int ExpiresIn,
        [property: JsonPropertyName("refresh_token")] string RefreshToken,
        [property: JsonPropertyName("user")] TokenUser User)
    {
        public static TokenResponse Of(Login login) => new(
            login.AccessToken,
            "bearer",
            (int)PersonTokens.Lifetime.TotalSeconds,
            login.RefreshToken,
            new TokenUser(login.UserId, "authenticated", "authenticated", login.Email));
    }

    internal sealed record TokenUser(
        [property: JsonPropertyName("id")] Guid Id,
        [property: JsonPropertyName("aud")] string Aud,
        [property: JsonPropertyName("role")] string Role,
        [property: JsonPropertyName("email")] string Email);
}
