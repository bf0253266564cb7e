using System.Globalization;
using System.Net;
using System.Text.Json;
using Weir.Audit;
using Weir.Errors;
using Weir.Identity;
using Weir.Input;
using Weir.Server.Http;

namespace Weir.Server.Auth;

/// <summary>
/// The embedded issuer, in the form that supabase-js expects of <c>/auth/v1</c> (GoTrue's). Absent where tokens are another issuer's.
/// </summary>
internal static class AuthEndpoints
{
    public static void MapAuth(this IEndpointRouteBuilder routes)
    {
        routes.MapPost("/auth/v1/token", Answered(TokenAsync));
        routes.MapPost("/auth/v1/signup", Answered(SignUpAsync));
        routes.MapPost("/auth/v1/verify", Answered(VerifyAsync));
        routes.MapMethods("/auth/v1/user", [HttpMethods.Put, HttpMethods.Get], Answered(static http =>
            HttpMethods.IsPut(http.Request.Method) ? UpdateUserAsync(http) : UserAsync(http)));
        routes.MapPost("/auth/v1/logout", Answered(LogoutAsync));
        routes.MapGet("/auth/v1/settings", Answered(static http =>
            http.Response.WriteAsJsonAsync(AuthSettings.Of(Logins(http).SignUpIsOn), http.RequestAborted)));
        routes.MapGet("/auth/v1/health", Answered(static http =>
            http.Response.WriteAsJsonAsync(new { name = "Weir", description = "Weir's embedded issuer" }, http.RequestAborted)));
        routes.Map("/auth/v1/{**path}", Answered(static _ =>
            throw AuthException.NotServed("Weir's embedded issuer has sign-in with a password, refresh, verify, user and logout only.")));
    }

    private static async Task TokenAsync(HttpContext http)
    {
        var body = await BodyAsync(http);
        var login = http.Request.Query["grant_type"].ToString() switch
        {
            "password" =>
                await Logins(http).PasswordAsync(Text(body, "email"), Text(body, "password"), ClientAddress.Of(http), http.RequestAborted),
            "refresh_token" => await Logins(http).RefreshAsync(Text(body, "refresh_token"), ClientAddress.Of(http), http.RequestAborted),
            _ => throw new AuthException(StatusCodes.Status400BadRequest, "invalid_credentials", "unsupported_grant_type"),
        };
        await AnswerAsync(http, login);
    }

    private static async Task SignUpAsync(HttpContext http)
    {
        var body = await BodyAsync(http);
        await AnswerAsync(
            http, await Logins(http).SignUpAsync(Text(body, "email"), Text(body, "password"), ClientAddress.Of(http), http.RequestAborted));
    }

    /// <summary>supabase-js' <c>verifyOtp({token_hash, type})</c>, where the "hash" is the link's token as it is.</summary>
    private static async Task VerifyAsync(HttpContext http)
    {
        var body = await BodyAsync(http);
        var kind = Text(body, "type") switch
        {
            "invite" => LinkTokenKind.Invitation,
            "recovery" => LinkTokenKind.Recovery,
            _ => throw AuthException.Invalid("type must be invite or recovery, and token_hash the token of the link."),
        };
        try
        {
            await AnswerAsync(
                http, await Logins(http).VerifyAsync(kind, Text(body, "token_hash"), ClientAddress.Of(http), http.RequestAborted));
        }
        catch (AuthException e) when (e.Code == "otp_expired")
        {
            http.RequestServices.GetRequiredService<SecurityEvents>().Count("token_refused", keyId: null, http.Connection.RemoteIpAddress);
            throw;
        }
    }

    /// <summary>supabase-js' <c>updateUser({password})</c>.</summary>
    private static async Task UpdateUserAsync(HttpContext http)
    {
        var person = await PersonAsync(http);
        var body = await BodyAsync(http);
        foreach (var other in (string[])["email", "phone", "data"])
        {
            if (body.TryGetProperty(other, out var value) && value.ValueKind != JsonValueKind.Null)
            {
                throw AuthException.Invalid($"{other} is not changed here: only password is.");
            }
        }

        var user = await Logins(http).SetPasswordAsync(person, Text(body, "password"), ClientAddress.Of(http), http.RequestAborted);
        await http.Response.WriteAsJsonAsync(AuthUser.Of(user), http.RequestAborted);
    }

    private static async Task UserAsync(HttpContext http) =>
        await http.Response.WriteAsJsonAsync(
            AuthUser.Of(await Logins(http).UserAsync(await PersonAsync(http), http.RequestAborted)), http.RequestAborted);

    private static async Task LogoutAsync(HttpContext http)
    {
        var scope = http.Request.Query["scope"].ToString();
        await Logins(http).SignOutAsync(await PersonAsync(http), scope.Length == 0 ? "global" : scope, http.RequestAborted);
        http.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private static Task AnswerAsync(HttpContext http, Login login)
    {
        http.Response.Headers.CacheControl = "no-store";
        var expires = http.RequestServices.GetRequiredService<TimeProvider>().GetUtcNow() + PersonTokens.Lifetime;
        return http.Response.WriteAsJsonAsync(AuthSession.Of(login, expires), http.RequestAborted);
    }

    private static async Task<ReadToken> PersonAsync(HttpContext http)
    {
        var token = Bearer.Of(http.Request) ?? throw AuthException.NoToken();
        return await http.RequestServices.GetRequiredService<PersonTokens>()
            .ReadAsync(token, http.RequestAborted) is { Kind: TokenKind.Person } read
                ? read
                : throw AuthException.BadToken();
    }

    /// <summary>A JSON object; what of it is not known is not looked at.</summary>
    private static async Task<JsonElement> BodyAsync(HttpContext http)
    {
        var body = await http.RequestServices.GetRequiredService<UnknownBodies>().ReadAsync(http, BodyLimits.SignIn)
            ?? throw new AuthException(StatusCodes.Status413PayloadTooLarge, "request_entity_too_large", "The body is too large.");
        // Not disposed: its memory is the body's, and the elements of it are read after this.
        return JsonInput.TryParse(body, JsonBounds.Small, out var document, out _) && document.RootElement.ValueKind == JsonValueKind.Object
            ? document.RootElement
            : throw AuthException.BadJson();
    }

    private static string Text(JsonElement body, string name) =>
        body.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";

    /// <summary>Refusals in GoTrue's body.</summary>
    private static RequestDelegate Answered(RequestDelegate handler) => async http =>
    {
        try
        {
            if (!http.RequestServices.GetRequiredService<PersonTokens>().IsEmbedded)
            {
                throw AuthException.NotServed("People sign in at their own issuer.");
            }

            await handler(http);
        }
        catch (AuthException e) when (!http.Response.HasStarted)
        {
            SetRetryAfter(http, e.RetryAfter);
            await WriteAsync(http, e.Status, e.Code, e.Message);
        }
        catch (WeirException e) when (!http.Response.HasStarted && e.Code is ErrorCode.Unavailable or ErrorCode.RateLimited)
        {
            SetRetryAfter(http, e.RetryAfter ?? TimeSpan.FromSeconds(1));
            await WriteAsync(
                http, e.Code.HttpStatus(), e.Code == ErrorCode.RateLimited ? "over_request_rate_limit" : "unexpected_failure", e.Message);
        }
    };

    private static void SetRetryAfter(HttpContext http, TimeSpan? wait)
    {
        if (wait is { } time)
        {
            http.Response.Headers.RetryAfter = Math.Max(1, Math.Ceiling(time.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        }
    }

    private static Task WriteAsync(HttpContext http, int status, string code, string message)
    {
        http.Response.StatusCode = status;
        return http.Response.WriteAsJsonAsync(new AuthError(status, code, message), http.RequestAborted);
    }

    private static Logins Logins(HttpContext http) => http.RequestServices.GetRequiredService<Logins>();
}
