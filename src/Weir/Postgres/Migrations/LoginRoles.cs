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
        NpgsqlConnection owner, string? gatewayUrl, string? engineUrl, CancellationToken cancellationToken)
    {
        var done = new List<string>();
        foreach (var (role, url) in new[] { ("weir_gateway", gatewayUrl), ("weir_engine", engineUrl) })
        {
            if (url is not null)
            {
                await EnsureAsync(owner, role, DatabaseUrl.Parse(url), cancellationToken);
                done.Add(role);
            }
        }

        return done;
    }

    private static async Task EnsureAsync(
        NpgsqlConnection owner, string role, NpgsqlConnectionStringBuilder url, CancellationToken cancellationToken)
    {
        // A pooler in front may want "weir_gateway.project" as the user.
        if (url.Username is null || url.Username.Split('.')[0] != role)
        {
            throw new MigrationException(
                $"The URL of the login {role} names the user \"{url.Username}\". Weir's logins have fixed names: write {role} there.");
        }

        // Neither value can hold a quote: the role is ours, the verifier is base64. Roles belong to the cluster, and another database's
        // migration may be at the same one ("tuple concurrently updated"). The retry is the server's: after such an error the driver
        // gives up its connection, and with it the migration's lock.
        var sql = $"""
            do $weir$ begin
              for attempt in 1..{Attempts} loop
                begin
                  alter role {role} login password '{ScramVerifier.Compute(url.Password ?? "")}';
                  return;
                exception when internal_error then
                  if attempt = {Attempts} then raise; end if;
                  perform pg_sleep(0.02 * attempt);
                end;
              end loop;
            end $weir$
            """;
        await using var command = new NpgsqlCommand(sql, owner);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
