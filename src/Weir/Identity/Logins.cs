using System.Net;
using Microsoft.AspNetCore.Identity;
using Weir.Configuration;
using Weir.Errors;
using Weir.Keys;
using Weir.Postgres;

namespace Weir.Identity;

/// <summary>A sign-in that succeeded, or goes on.</summary>
internal sealed record Login(LoginUser User, string AccessToken, string RefreshToken);

/// <summary>
/// The embedded issuer: passwords, and refresh tokens that are good once. A token that comes again after it was used ends its whole
/// family, because one of the two who have it is a thief.
/// </summary>
internal sealed class Logins(
    LoginQueries queries, PersonTokens tokens, Keyring keyring, AuthConfig config, UnverifiedCallers callers, SignInRefusals refusals)
{
    private const int MinPassword = 8;
    private const int MaxPassword = 256;
    private const int MaxEmail = 320;
    private static readonly string[] Scopes = ["global", "local", "others"];
    private static readonly PasswordHasher<string> Hasher = new();

    /// <summary>
    /// A password is slow to check on purpose. As many at once as there are processors: the others wait without a thread.
    /// </summary>
    private static readonly SemaphoreSlim Hashing = new(Environment.ProcessorCount);

    /// <summary>Compared against when nobody has that address, so that the answer takes as long as for somebody.</summary>
    private static readonly string NobodysHash = Hasher.HashPassword("", "nobody's");

    public bool SignUpIsOn => config.SignUp;

    public static string Hash(string password) => Hasher.HashPassword("", password);

    /// <param name="address">The caller's; attempts are counted by it, by the e-mail address, and by both together.</param>
    /// <exception cref="AuthException">No such login or a wrong password (one text for both), too many attempts, a login that is
    /// disabled.</exception>
    public async Task<Login> PasswordAsync(string email, string password, IPAddress address, CancellationToken ct)
    {
        RefuseForm(email, password);
        using var permit = await EnterAsync(email, address, ct);
        var attempt = await BeginAsync(email, address);
        var verified = await HashingAsync(() => Hasher.VerifyHashedPassword("", attempt.PasswordHash ?? NobodysHash, password), ct)
            != PasswordVerificationResult.Failed;
        return !verified || attempt.PasswordHash is null ? throw AuthException.InvalidCredentials()
            : attempt.Disabled ? throw AuthException.Banned()
            : await OpenAsync(attempt.UserId!.Value, address, attempt.PasswordHash, ct);
    }

    /// <summary>
    /// Signs in by the token of a link: joins an organization with a new account, also where sign-up is off, or recovers an account.
    /// Attempts are counted by the caller's network address, as for signing up. Text that does not look like a token costs no statement.
    /// </summary>
    /// <exception cref="AuthException">
    /// The token opens nothing (one text), the invited address has an account, or the organization is full.
    /// </exception>
    public async Task<Login> VerifyAsync(LinkTokenKind kind, string text, IPAddress address, CancellationToken ct)
    {
        var token = LinkToken.Parse(kind, text) ?? throw AuthException.TokenExpired();
        using var permit = await EnterAsync(email: "", address, ct);
        await BeginAsync(email: null, address);
        var verified = await queries.VerifyAsync(token, address);
        return verified.Problem switch
        {
            null => await IssueAsync(verified.UserId, new RefreshToken(verified.SignInId, 0), ct),
            "user_exists" => throw AuthException.InvitedUserExists(),
            "quota_exceeded" => throw AuthException.OrganizationIsFull(),
            _ => throw AuthException.TokenExpired(),
        };
    }

    /// <summary>
    /// Sets the password of who is signed in, and ends their other sign-ins; access tokens already issued live on. Counted as an attempt,
    /// because a password is slow to hash.
    /// </summary>
    /// <exception cref="AuthException">The password has not the form, the sign-in is too old for it, or it has ended.</exception>
    public async Task<LoginUser> SetPasswordAsync(ReadToken token, string password, IPAddress address, CancellationToken ct)
    {
        RefusePassword(password);
        var signIn = token.SessionId ?? throw AuthException.NoSession();
        using var permit = await EnterAsync(email: "", address, ct);
        await BeginAsync(email: null, address);
        // Permission first: hashing is expensive.
        Refuse(await queries.SetPasswordAsync(token.UserId, signIn, passwordHash: null));
        Refuse(await queries.SetPasswordAsync(token.UserId, signIn, await HashingAsync(() => Hash(password), ct)));
        return await UserAsync(token, ct);

        static void Refuse(string? problem)
        {
            if (problem is not null)
            {
                throw problem == "reauthentication_needed" ? AuthException.ReauthenticationNeeded() : AuthException.NoSession();
            }
        }
    }

    /// <exception cref="AuthException">Not a refresh token of this issuer; used, revoked, expired; or the login is disabled.</exception>
    public async Task<Login> RefreshAsync(string text, IPAddress address, CancellationToken ct)
    {
        var token = RefreshToken.Open(keyring, text) ?? throw AuthException.Refresh("refresh_token_not_found");
        RefreshOutcome outcome;
        using (await callers.EnterSignInAsync(address, ct))
        {
            outcome = await queries.RefreshAsync(token);
        }

        return outcome.Problem is { } problem ? throw AuthException.Refresh(problem)
            : await IssueAsync(outcome.UserId, token with { Counter = outcome.Counter }, ct);
    }

    /// <summary>A new login, signed in. Weir sends no mail, so the address is taken as it is.</summary>
    /// <exception cref="AuthException">It is off, the address is taken or is none, or the password is too short.</exception>
    public async Task<Login> SignUpAsync(string email, string password, IPAddress address, CancellationToken ct)
    {
        if (!config.SignUp)
        {
            throw AuthException.SignUpDisabled();
        }

        RefuseNew(email, password);
        using var permit = await EnterAsync(email: "", address, ct);
        await BeginAsync(email: null, address);
        return await queries.SignUpAsync(email, await HashingAsync(() => Hash(password), ct)) is { } user
            ? await OpenAsync(user, address, passwordHash: null, ct)
            : throw AuthException.UserExists();
    }

    /// <summary>The person of a verified token.</summary>
    /// <exception cref="AuthException">There is no such person any more, or their sign-in has ended.</exception>
    public async Task<LoginUser> UserAsync(ReadToken token, CancellationToken ct) =>
        await queries.UserAsync(token.UserId, token.SessionId, ct) ?? throw AuthException.NoSession();

    /// <summary>Ends refresh tokens. Access tokens stay good until they expire, as with every issuer of such.</summary>
    public Task SignOutAsync(ReadToken token, string scope, CancellationToken ct) => Scopes.Contains(scope, StringComparer.Ordinal)
        ? queries.CloseAsync(token.UserId, token.SessionId, scope, ct)
        : throw AuthException.Invalid("Unsupported logout scope: one of global, local, others was expected.");

    /// <summary>
    /// Refuses at once what the database refused a moment ago; else waits for one of the few permits of that network address.
    /// </summary>
    private async ValueTask<IDisposable> EnterAsync(string email, IPAddress address, CancellationToken ct)
    {
        RefuseLimited();
        var permit = await callers.EnterSignInAsync(address, ct);
        try
        {
            // One that went before may have reached the limit.
            RefuseLimited();
            return permit;
        }
        catch
        {
            permit.Dispose();
            throw;
        }

        void RefuseLimited()
        {
            if (refusals.Find(address, email) is { } wait)
            {
                throw AuthException.TooManyAttempts(wait);
            }
        }
    }

    /// <param name="email">Null: to sign up.</param>
    private async Task<SignInAttempt> BeginAsync(string? email, IPAddress address)
    {
        var attempt = await queries.BeginAsync(email, address);
        if (attempt.Allowed)
        {
            return attempt;
        }

        refusals.Keep(address, attempt.LimitedBy == "address" ? "" : email!, attempt.RetryAfter);
        throw AuthException.TooManyAttempts(attempt.RetryAfter);
    }

    /// <exception cref="AuthException">The address is none, or the password is too short or too long for a new login.</exception>
    public static void RefuseNew(string email, string password)
    {
        RefuseForm(email, password);
        RefusePassword(password);
    }

    private static void RefusePassword(string password)
    {
        RefuseLength(password);
        if (password.Length < MinPassword)
        {
            throw AuthException.WeakPassword(MinPassword);
        }
    }

    private static void RefuseLength(string password)
    {
        if (password.Length is 0 or > MaxPassword)
        {
            throw AuthException.Invalid($"A password of 1 to {MaxPassword} characters is required.");
        }
    }

    private static void RefuseForm(string email, string password)
    {
        if (email.Length is 0 or > MaxEmail || email.IndexOf('@', StringComparison.Ordinal) is not (> 0 and var at)
            || at == email.Length - 1 || email.Any(char.IsControl))
        {
            throw AuthException.Invalid("Unable to validate email address: invalid format");
        }

        RefuseLength(password);
    }

    private static async Task<T> HashingAsync<T>(Func<T> work, CancellationToken ct)
    {
        await Hashing.WaitAsync(ct);
        try
        {
            return work();
        }
        finally
        {
            Hashing.Release();
        }
    }

    private async Task<Login> OpenAsync(Guid userId, IPAddress address, string? passwordHash, CancellationToken ct) =>
        // A password that was changed while it was verified.
        await queries.OpenAsync(userId, address, passwordHash, ct) is { } signIn
            ? await IssueAsync(userId, new RefreshToken(signIn, 0), ct)
            : throw AuthException.InvalidCredentials();

    private async Task<Login> IssueAsync(Guid userId, RefreshToken refresh, CancellationToken ct)
    {
        var user = await queries.UserAsync(userId, refresh.SignInId, ct) ?? throw AuthException.NoSession();
        var signIn = user.SignedInAt is { } at ? new SignIn(at, refresh.SignInId) : null;
        return new Login(user, tokens.Issue(userId, user.Email, signIn), refresh.Seal(keyring));
    }
}
