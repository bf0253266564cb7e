using Npgsql;

namespace Weir.Postgres;

/// <summary>Whose logins a database holds.</summary>
internal static class DatabaseKind
{
    /// <summary>Whether there is a table of users that Weir has not made: Supabase's.</summary>
    /// <param name="ownerUrl">The migrator's URL; the database need not be migrated yet.</param>
    public static async Task<bool> HasForeignUsersAsync(string ownerUrl, CancellationToken cancellationToken)
    {
        await using var source = Source(ownerUrl);
        return await source.ScalarAsync<bool>("""
            select coalesce(obj_description(to_regclass('auth.users'), 'pg_class') not like 'user: logins of the embedded issuer%', to_regclass('auth.users') is not null)
            """, [], cancellationToken);
    }

    /// <summary>
    /// Whether one of those users has this id. Asked only where <see cref="HasForeignUsersAsync"/> says that they are there.
    /// </summary>
    public static async Task<bool> HasUserAsync(string ownerUrl, Guid userId, CancellationToken cancellationToken)
    {
        await using var source = Source(ownerUrl);
        return await source.ScalarAsync<bool>(
            "select exists (select from auth.users where id = $1)", [Sql.Uuid(userId)], cancellationToken);
    }

    private static NpgsqlDataSource Source(string ownerUrl)
    {
        var connection = Configuration.DatabaseUrl.Parse(ownerUrl);
        connection.Pooling = false;
        return NpgsqlDataSource.Create(connection.ConnectionString);
    }
}
