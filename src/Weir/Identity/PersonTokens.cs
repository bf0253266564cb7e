using System.Security.Claims;
using System.Text;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Weir.Configuration;
using Weir.Errors;
using Weir.Input;
using Weir.Keys;
using Weir.Postgres;

namespace Weir.Identity;

/// <summary>What a token is, as far as its signature and its claims say.</summary>
internal enum TokenKind
{
    /// <summary>Not signed by the issuer, for somebody else, or of a role that nobody has.</summary>
    Invalid,

    /// <summary>As <see cref="Invalid"/>, because its time is over or has not come.</summary>
    Expired,

    /// <summary>A person's.</summary>
    Person,

    /// <summary>The project's public key: says that nobody is logged in.</summary>
    Anon,

    /// <summary>The project's key that steps over row-level security; nothing here takes it.</summary>
    ServiceRole,

    /// <summary>No token, but a key of an organization, by its form.</summary>
    OrganizationKey,
}

/// <param name="UserId">Of a person; empty for any other kind.</param>
/// <param name="SessionId">The sign-in that the token came from, where the issuer says so.</param>
/// <param name="Email">As the issuer says.</param>
/// <param name="SignIn">When the person signed in; null: the token does not say it.</param>
internal sealed record ReadToken(
    TokenKind Kind, Guid UserId = default, Guid? SessionId = null, string? Email = null, SignIn? SignIn = null);

/// <summary>
/// Verifies people's tokens and, with the embedded issuer, makes them. HS256 with the project's secret (or one derived from the
/// keyring), or RS256 and ES256 with the issuer's published keys; the algorithm follows from the configuration, never from the
/// token. Of the claims only the subject and the time of the sign-in are used: what a person may do is looked up, not believed.
/// </summary>
internal sealed class PersonTokens(AuthConfig config, Keyring keyring, SigningKeys? signingKeys, UserOfToken? userOf, TimeProvider time)
{
    public const string EmbeddedIssuer = "weir";
    public static readonly TimeSpan Lifetime = TimeSpan.FromHours(1);
    private static readonly TimeSpan AnonLifetime = TimeSpan.FromDays(3650);
    private static readonly TimeSpan ClockSkew = TimeSpan.FromSeconds(30);

    private readonly JsonWebTokenHandler _handler = new() { SetDefaultTimesOnTokenCreation = false, MapInboundClaims = false };
    private readonly SymmetricSecurityKey? _secret = signingKeys is not null
        ? null
        : new SymmetricSecurityKey(config.JwtSecret is { } secret ? Encoding.UTF8.GetBytes(secret) : keyring.DeriveKey("auth/jwt"));

    /// <summary>Whether Weir is its own issuer: neither a project's secret nor published keys are configured.</summary>
    public bool IsEmbedded => config.JwtSecret is null && signingKeys is null;

    /// <summary>The person behind a token.</summary>
    /// <exception cref="WeirException">WR002: not signed by the issuer, expired, for somebody else, or not a person's. WR003: an
    /// organization's key.</exception>
    public async Task<Guid> VerifyAsync(string token, CancellationToken ct) => await ReadAsync(token, ct) switch
    {
        { Kind: TokenKind.Person } read => read.UserId,
        { Kind: TokenKind.OrganizationKey } => throw OrganizationKey.Misplaced(),
        _ => throw Refused(),
    };

    /// <summary>
    /// What a token is. Only a person's must name this issuer and audience: a project's keys carry neither, and give nothing.
    /// </summary>
    public async Task<ReadToken> ReadAsync(string token, CancellationToken ct)
    {
        if (token.Length > 16 * 1024)
        {
            return new ReadToken(TokenKind.Invalid);
        }

        if (OrganizationKey.Parse(token) is not null)
        {
            return new ReadToken(TokenKind.OrganizationKey);
        }

        if (TokenHeader.Read(token) is not { } header)
        {
            return new ReadToken(TokenKind.Invalid);
        }

        var keys = _secret is not null ? [_secret] : await signingKeys!.GetAsync(header.KeyId, ct);
        var person = await ValidateAsync(token, keys, isPerson: true);
        if (person is { IsValid: true, Claims: var claims } && await UserAsync(claims, ct) is { } userId)
        {
            Guid? session = Guid.TryParse(Claim(claims, "session_id"), out var id) ? id : null;
            return new ReadToken(TokenKind.Person, userId, session, Claim(claims, "email"),
                SignInTime.Of(claims) is not { } at
                    ? null : IsEmbedded ? session is null ? null : new SignIn(at, session) : new SignIn(at));
        }

        return new ReadToken(await ValidateAsync(token, keys, isPerson: false) switch
        {
            { IsValid: true, Claims: var any } => Claim(any, "role") switch
            {
                "anon" => TokenKind.Anon,
                "service_role" => TokenKind.ServiceRole,
                _ => TokenKind.Invalid,
            },
            { IsExpired: true } => TokenKind.Expired,
            _ => TokenKind.Invalid,
        });
    }

    /// <summary>
    /// Where the secret is shared with the project (or Weir's own), the subject is the user. Of an issuer that only publishes its keys, the
    /// pair of issuer and subject is looked up: its subjects are its own, and may be equal to another one's. Such tokens need no role.
    /// </summary>
    private async ValueTask<Guid?> UserAsync(ClaimsIdentity claims, CancellationToken ct)
    {
        var (role, subject) = (Claim(claims, "role"), Claim(claims, JwtRegisteredClaimNames.Sub));
        if (signingKeys is null)
        {
            return role == "authenticated" && Guid.TryParse(subject, out var user) ? user : null;
        }

        var email = Claim(claims, "email");
        return role is null or "authenticated" && subject is { Length: > 0 } && TextInput.IsStorable(subject)
            && TextInput.IsStorable(email ?? "")
            ? await userOf!(config.Issuer!, subject, email, Claim(claims, "email_verified") is "true" or "True", ct)
            : null;
    }

    /// <summary>
    /// What the library makes of the token. It throws whatever the token makes it throw, also later, when the claims are first read: here,
    /// once, everything but a cancelled request means that the token is not valid.
    /// </summary>
    private async Task<(bool IsValid, bool IsExpired, ClaimsIdentity Claims)> ValidateAsync(
        string token, IList<SecurityKey> keys, bool isPerson)
    {
        try
        {
            var result = await _handler.ValidateTokenAsync(token, Parameters(keys, isPerson));
            // A token that is valid by its signature, but whose claims cannot be read (an issuer of null), has no identity.
            return result is { IsValid: true, ClaimsIdentity: { } claims }
                ? (true, false, claims)
                : (false, result.Exception is SecurityTokenInvalidLifetimeException, new ClaimsIdentity());
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            return (false, false, new ClaimsIdentity());
        }
    }

    private TokenValidationParameters Parameters(IList<SecurityKey> keys, bool isPerson) => new()
    {
        IssuerSigningKeys = keys,
        ValidAlgorithms = _secret is not null
            ? [SecurityAlgorithms.HmacSha256] : [SecurityAlgorithms.RsaSha256, SecurityAlgorithms.EcdsaSha256],
        ValidateAudience = isPerson,
        ValidAudience = config.Audience,
        ValidateIssuer = isPerson && (IsEmbedded || config.Issuer is not null),
        ValidIssuer = config.Issuer ?? EmbeddedIssuer,
        RequireExpirationTime = true,
        ClockSkew = ClockSkew,
        LifetimeValidator = (notBefore, expires, _, parameters) => IsAlive(notBefore, expires, parameters.ClockSkew),
    };

    private static string? Claim(ClaimsIdentity claims, string name) => claims.FindFirst(name)?.Value;

    /// <summary>An access token of the embedded issuer.</summary>
    /// <param name="signIn">The sign-in that it belongs to; null: none, and so nothing can refresh it.</param>
    public string Issue(Guid userId, string email, SignIn? signIn = null)
    {
        RequireEmbedded();
        Claim[] session = signIn is { Id: { } id, At: var at }
            ? [new Claim("session_id", id.ToString()), new Claim(SignInTime.Name, $"{at.ToUnixTimeSeconds()}", ClaimValueTypes.Integer64)]
            : [];
        return Create(Lifetime, [
            new Claim(JwtRegisteredClaimNames.Sub, userId.ToString()), new Claim("email", email),
            new Claim("role", "authenticated"), .. session]);
    }

    /// <summary>The public key of <c>createClient(url, anonKey)</c>: says only that nobody is logged in.</summary>
    public string IssueAnonKey()
    {
        RequireEmbedded();
        return Create(AnonLifetime, [new Claim("role", "anon")]);
    }

    private string Create(TimeSpan lifetime, Claim[] claims)
    {
        var now = time.GetUtcNow().UtcDateTime;
        return _handler.CreateToken(new SecurityTokenDescriptor
        {
            Issuer = EmbeddedIssuer,
            Audience = config.Audience,
            IssuedAt = now,
            NotBefore = now,
            Expires = now + lifetime,
            Subject = new ClaimsIdentity(claims),
            SigningCredentials = new SigningCredentials(_secret, SecurityAlgorithms.HmacSha256),
        });
    }

    private bool IsAlive(DateTime? notBefore, DateTime? expires, TimeSpan skew)
    {
        // The skew is put on the time now, because a token may say a time at either end of the calendar.
        var now = time.GetUtcNow().UtcDateTime;
        return expires is { } end && end > now - skew && (notBefore is not { } start || start <= now + skew);
    }

    private void RequireEmbedded()
    {
        if (!IsEmbedded)
        {
            throw new InvalidOperationException("Tokens are another issuer's here.");
        }
    }

    private static WeirException Refused() => new(ErrorCode.Unauthenticated, "The token is not valid here.", "Sign in again.");
}
