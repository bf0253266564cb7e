using System.Buffers.Binary;
using System.Buffers.Text;
using Microsoft.AspNetCore.Identity;
using Weir.Errors;
using Weir.Keys;
using Weir.Postgres;

namespace Weir.Identity;

/// <summary>A login that succeeded.</summary>
internal sealed record Login(Guid UserId, string Email, string AccessToken, string RefreshToken);

/// <summary>
/// The embedded issuer's password and refresh grants. Refresh tokens are sealed, not stored: they expire, but rotation with
/// reuse detection is not there yet.
/// </summary>
internal sealed class Logins(Databases databases, PersonTokens tokens, Keyring keyring, TimeProvider time)
{
    private const string FindLogin = "select user_id, password_hash, disabled from weir.find_login($1)";
    private const string RefreshPurpose = "auth/refresh";
    private static readonly TimeSpan RefreshLifetime = TimeSpan.FromDays(7);
    private static readonly PasswordHasher<string> Hasher = new();

    /// <summary>Compared against when nobody has that address, so that the answer takes as long as for somebody.</summary>
    private static readonly string NobodysHash = Hasher.HashPassword("", "nobody's");

    public static string Hash(string password) => Hasher.HashPassword("", password);

    /// <exception cref="WeirException">WR002: no such login, wrong password, disabled. One text for all.</exception>
    public async Task<Login> PasswordAsync(string email, string password, CancellationToken ct)
    {
        var account = await FindAsync(email, ct);
        var verified = Hasher.VerifyHashedPassword("", account?.PasswordHash ?? NobodysHash, password) != PasswordVerificationResult.Failed;
        return verified && account is { Disabled: false } ? Issue(account.UserId, email) : throw Refused();
    }

    /// <exception cref="WeirException">WR002: not a refresh token of this issuer, expired, or the login is disabled.</exception>
    public async Task<Login> RefreshAsync(string token, CancellationToken ct)
    {
        if (token.Length > 1024 || !Base64Url.IsValid(token) || !keyring.TryOpen(RefreshPurpose, Base64Url.DecodeFromChars(token), default, out var plain))
        {
            throw Refused();
        }

        var expires = DateTimeOffset.FromUnixTimeSeconds(BinaryPrimitives.ReadInt64BigEndian(plain.AsSpan(16)));
        var email = System.Text.Encoding.UTF8.GetString(plain.AsSpan(24));
        var account = await FindAsync(email, ct);
        var good = expires > time.GetUtcNow() && account is { Disabled: false } && account.UserId == new Guid(plain.AsSpan(0, 16));
        return good ? Issue(account!.UserId, email) : throw Refused();
    }

    private Login Issue(Guid userId, string email)
    {
        var expires = (time.GetUtcNow() + RefreshLifetime).ToUnixTimeSeconds();
        var stamp = new byte[8];
        BinaryPrimitives.WriteInt64BigEndian(stamp, expires);
        byte[] plain = [.. userId.ToByteArray(), .. stamp, .. System.Text.Encoding.UTF8.GetBytes(email)];
        return new Login(userId, email, tokens.Issue(userId, email), Base64Url.EncodeToString(keyring.Seal(RefreshPurpose, plain)));
    }

    private async Task<Account?> FindAsync(string email, CancellationToken ct)
    {
        var rows = await databases.Engine.QueryAsync(
            FindLogin, [Sql.Text(email)], r => new Account(r.GetGuid(0), r.GetNullableString(1), r.GetBoolean(2)), ct);
        return rows is [{ PasswordHash: not null } account] ? account : null;
    }

    private static WeirException Refused() => new(ErrorCode.Unauthenticated, "Invalid login credentials.", null);

    private sealed record Account(Guid UserId, string? PasswordHash, bool Disabled);
}
