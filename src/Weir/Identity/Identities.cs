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
internal sealed class Identities(Databases databases)
{
    /// <summary>Above this all are forgotten, rather than kept in some order: a verified token is needed to enter one.</summary>
    private const int MostKept = 100_000;

    private const string UserOfTokenSql = "select weir.user_of_token($1, $2, $3, $4)";
    private const string AllowIssuer = "select weir.set_setting('identity_issuers', to_jsonb(array[$1]))";

    private readonly ConcurrentDictionary<(string Issuer, string Subject, string? Email, bool Verified), Guid> _known = new();

    /// <summary>What the operator configured, for the database: whose unknown people become users. With the owner's connection.</summary>
    public static async Task AllowAsync(string ownerUrl, AuthConfig auth, CancellationToken ct)
    {
        if (auth is { JwksUrl: not null, Issuer: { } issuer })
        {
            await using var source = Npgsql.NpgsqlDataSource.Create(DatabaseUrl.Parse(ownerUrl).ConnectionString);
            await source.ExecuteAsync(AllowIssuer, [Sql.Text(issuer)], ct);
        }
    }

    /// <summary>The user; made on first sight where the operator lets this issuer's people in and users are Weir's to make.</summary>
    /// <exception cref="Weir.Errors.WeirException">WR002: nobody here.</exception>
    public async ValueTask<Guid> UserAsync(string issuer, string subject, string? email, bool emailVerified, CancellationToken ct)
    {
        // With the address, which the database keeps: a new one is told.
        var person = (issuer, subject, email, emailVerified);
        if (_known.TryGetValue(person, out var known))
        {
            return known;
        }

        var user = await databases.Engine.ScalarAsync<Guid>(UserOfTokenSql, [Sql.Text(issuer), Sql.Text(subject), Sql.Text(email), Sql.Boolean(emailVerified)], ct);
        if (_known.Count >= MostKept)
        {
            _known.Clear();
        }

        return _known[person] = user;
    }
}
