using Npgsql;
using Weir.Configuration;

namespace Weir.Postgres.Migrations;

/// <summary>
/// Gives the two roles that the scripts made without LOGIN their login: the passwords are those of the URLs that <c>serve</c> uses.
/// </summary>
internal static class LoginRoles
{
    private const int Attempts = 20;

    /// <summary>The roles that were given a login: one for each URL that is not null.</summary>
    public static async Task<IReadOnlyList<string>> EnsureAsync(
        NpgsqlConnection owner, string? gatewayUrl, string? engineUrl, TimeProvider time, CancellationToken cancellationToken)
    {
        var done = new List<string>();
        foreach (var (role, url) in new[] { ("weir_gateway", gatewayUrl), ("weir_engine", engineUrl) })
        {
            if (url is not null)
            {
                await EnsureAsync(owner, role, DatabaseUrl.Parse(url), time, cancellationToken);
                done.Add(role);
            }
        }

        return done;
    }

    private static async Task EnsureAsync(NpgsqlConnection owner, string role, NpgsqlConnectionStringBuilder url, TimeProvider time, CancellationToken cancellationToken)
    {
        // A pooler in front may want "weir_gateway.project" as the user.
        if (url.Username is null || url.Username.Split('.')[0] != role)
        {
            throw new MigrationException($"The URL of the login {role} names the user \"{url.Username}\". Weir's logins have fixed names: write {role} there.");
        }

        // Neither value can hold a quote: the role is ours, the verifier is base64.
        var sql = $"alter role {role} login password '{ScramVerifier.Compute(url.Password ?? "")}'";
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await using var command = new NpgsqlCommand(sql, owner);
                await command.ExecuteNonQueryAsync(cancellationToken);
                return;
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.InternalError && attempt < Attempts)
            {
                // "tuple concurrently updated": roles belong to the cluster, and another database's migration was at it.
                await Task.Delay(TimeSpan.FromMilliseconds(20 * attempt), time, cancellationToken);
            }
        }
    }
}
