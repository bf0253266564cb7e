using System.Net;
using Npgsql;
using NpgsqlTypes;
using Weir.Postgres;

namespace Weir.Identity;

/// <summary>What may be tried, and against what.</summary>
/// <param name="LimitedBy">The limit that refused it: <c>address</c> (whatever is tried from there), <c>pair</c> or <c>email</c>; else
/// null.</param>
/// <param name="RetryAfter">How long that lasts.</param>
internal sealed record SignInAttempt(
    bool Allowed, Guid? UserId, string? PasswordHash, bool Disabled, string? LimitedBy, TimeSpan RetryAfter);

/// <param name="Problem">GoTrue's code, or null.</param>
internal sealed record RefreshOutcome(string? Problem, int Counter, Guid UserId);

/// <summary>The result of using a link token.</summary>
/// <param name="Problem">Why it was refused, or null.</param>
internal sealed record VerifiedToken(string? Problem, Guid UserId, Guid SignInId);

/// <summary>A person as the embedded issuer knows them.</summary>
internal sealed record LoginUser(
    Guid Id, string Email, DateTimeOffset? EmailConfirmedAt,
    DateTimeOffset CreatedAt, DateTimeOffset UpdatedAt, DateTimeOffset? SignedInAt);

/// <summary>
/// The embedded issuer's statements. Limits, families and their locks are the database's, so that replicas share them. A caller who is not
/// known yet cancels none of them by going away: a statement that is cancelled is lines in PostgreSQL's log.
/// </summary>
internal sealed class LoginQueries(Databases databases)
{
    private const string BeginSignIn =
        "select allowed, user_id, password_hash, disabled, limited_by, retry_after from weir.begin_sign_in($1, $2)";
    private const string OpenSignIn = "select weir.open_sign_in($1, $2, $3)";
    private const string VerifyInvitation = "select problem, user_id, sign_in_id from weir.verify_invitation($1, $2)";
    private const string VerifyRecovery = "select problem, user_id, sign_in_id from weir.verify_recovery($1, $2)";
    private const string SetPassword = "select weir.set_password($1, $2, $3)";
    private const string RefreshSignIn = "select problem, counter, user_id from weir.refresh_sign_in($1, $2)";
    private const string SignedInUser =
        "select email, email_confirmed_at, created_at, updated_at, signed_in_at from weir.signed_in_user($1, $2)";
    private const string CloseSignIns = "select weir.close_sign_ins($1, $2, $3)";
    private const string SignUp = "select weir.sign_up($1, $2)";

    /// <param name="email">Null: to sign up.</param>
    public async Task<SignInAttempt> BeginAsync(string? email, IPAddress address) => (await databases.Unverified.QueryAsync(
        BeginSignIn, [Sql.Text(email), Inet(address)],
        r => new SignInAttempt(
            r.GetBoolean(0), r.GetNullable<Guid>(1), r.GetNullableString(2), r.GetNullable<bool>(3) ?? false,
            r.GetNullableString(4), TimeSpan.FromSeconds(r.GetNullable<int>(5) ?? 0)),
        CancellationToken.None))[0];

    /// <param name="passwordHash">What the password was verified against; null: there was none.</param>
    /// <returns>Null: the user has another password by now.</returns>
    public Task<Guid?> OpenAsync(Guid userId, IPAddress address, string? passwordHash, CancellationToken ct) =>
        databases.Engine.ScalarAsync<Guid?>(OpenSignIn, [Sql.Uuid(userId), Inet(address), Sql.Text(passwordHash)], ct);

    public async Task<VerifiedToken> VerifyAsync(LinkToken token, IPAddress address) => (await databases.Unverified.QueryAsync(
        token.Kind == LinkTokenKind.Invitation ? VerifyInvitation : VerifyRecovery, [Sql.Bytea(token.Hash), Inet(address)],
        r => new VerifiedToken(r.GetNullableString(0), r.GetNullable<Guid>(1) ?? Guid.Empty, r.GetNullable<Guid>(2) ?? Guid.Empty),
        CancellationToken.None))[0];

    /// <param name="passwordHash">Null: only asks.</param>
    /// <returns>GoTrue's code of why it cannot be, or null.</returns>
    public Task<string?> SetPasswordAsync(Guid userId, Guid signInId, string? passwordHash) =>
        databases.Engine.ScalarAsync<string?>(
            SetPassword, [Sql.Uuid(userId), Sql.Uuid(signInId), Sql.Text(passwordHash)], CancellationToken.None);

    public async Task<RefreshOutcome> RefreshAsync(RefreshToken token) => (await databases.Unverified.QueryAsync(
        RefreshSignIn, [Sql.Uuid(token.SignInId), Sql.Integer(token.Counter)],
        r => new RefreshOutcome(r.GetNullableString(0), r.GetNullable<int>(1) ?? 0, r.GetNullable<Guid>(2) ?? Guid.Empty),
        CancellationToken.None))[0];

    /// <summary>Null: there is no such person, they are disabled, or that sign-in has ended.</summary>
    public async Task<LoginUser?> UserAsync(Guid userId, Guid? signInId, CancellationToken ct)
    {
        var users = await databases.Engine.QueryAsync(
            SignedInUser, [Sql.Uuid(userId), Sql.Uuid(signInId)],
            r => new LoginUser(userId, r.GetString(0), r.GetNullable<DateTimeOffset>(1), r.GetFieldValue<DateTimeOffset>(2),
                r.GetFieldValue<DateTimeOffset>(3), r.GetNullable<DateTimeOffset>(4)), ct);
        return users is [var user] ? user : null;
    }

    public Task CloseAsync(Guid userId, Guid? signInId, string scope, CancellationToken ct) =>
        databases.Engine.ScalarAsync<int>(CloseSignIns, [Sql.Uuid(userId), Sql.Uuid(signInId), Sql.Text(scope)], ct);

    /// <summary>Null: the address is taken.</summary>
    public Task<Guid?> SignUpAsync(string email, string passwordHash) =>
        databases.Unverified.ScalarAsync<Guid?>(SignUp, [Sql.Text(email), Sql.Text(passwordHash)], CancellationToken.None);

    private static NpgsqlParameter Inet(IPAddress address) => new() { NpgsqlDbType = NpgsqlDbType.Inet, Value = address };
}
