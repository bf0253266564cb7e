using System.Collections.Concurrent;
using Weir.Configuration;
using Weir.Errors;
using Weir.Postgres;

namespace Weir.Identity;

/// <summary>The user that a verified token of an issuer with published keys is of.</summary>
/// <exception cref="WeirException">WR002: nobody here.</exception>
internal delegate ValueTask<Guid> UserOfToken(string issuer, string subject, string? email, bool emailVerified, CancellationToken ct);

/// <summary>
/// Who a subject of the configured issuer is here. A pair of issuer and subject is one person for ever, so what the database
/// said once is kept; whether that person may do anything is asked of it each time.
/// </summary>
internal sealed class Identities(Databases databases, TimeProvider time)
{
    /// <summary>Above this all are forgotten, rather than kept in some order: a verified token is needed to enter one.</summary>
    private const int MostKept = 100_000;

    private const string UserOfTokenSql = "select weir.user_of_token($1, $2, $3, $4)";

    /// <summary>How long a ban, or an address that the issuer changes back, may take to be seen.</summary>
    private static readonly TimeSpan Kept = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<(string Issuer, string Subject), Known> _known = new();

    /// <summary>The user; made on first sight where the operator lets this issuer's people in and users are Weir's to make.</summary>
    /// <exception cref="Weir.Errors.WeirException">WR002: nobody here.</exception>
    public async ValueTask<Guid> UserAsync(string issuer, string subject, string? email, bool emailVerified, CancellationToken ct)
    {
        var person = (issuer, subject);
        var now = time.GetTimestamp();
        // The database keeps the address, so a new one is told.
        if (_known.TryGetValue(person, out var known) && known.Email == email && known.Verified == emailVerified
            && time.GetElapsedTime(known.At, now) < Kept)
        {
            return known.User ?? throw Refused();
        }

        var user = await databases.Engine.ScalarAsync<Guid?>(
            UserOfTokenSql, [Sql.Text(issuer), Sql.Text(subject), Sql.Text(email), Sql.Boolean(emailVerified)], ct);
        if (_known.Count >= MostKept)
        {
            _known.Clear();
        }

        _known[person] = new Known(user, email, emailVerified, now);
        return user ?? throw Refused();
    }

    private static WeirException Refused() => new(ErrorCode.Unauthenticated, "The token is not valid here.", "Sign in again.");

    /// <param name="User">Null: nobody here, which is kept as long.</param>
    private sealed record Known(Guid? User, string? Email, bool Verified, long At);
}
