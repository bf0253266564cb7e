namespace Weir.Postgres;

/// <summary>Whose logins a database holds.</summary>
internal static class DatabaseKind
{
    /// <summary>Whether there is a table of users that Weir has not made: Supabase's.</summary>
    /// <param name="ownerUrl">The migrator's URL; the database need not be migrated yet.</param>
    public static async Task<bool> HasForeignUsersAsync(string ownerUrl, CancellationToken cancellationToken)
    {
        var connection = Configuration.DatabaseUrl.Parse(ownerUrl);
        connection.Pooling = false;
        await using var source = Npgsql.NpgsqlDataSource.Create(connection.ConnectionString);
        return await source.ScalarAsync<bool>("""
            select coalesce(obj_description(to_regclass('auth.users'), 'pg_class') not like 'user: logins of the embedded issuer%', to_regclass('auth.users') is not null)
            """, [], cancellationToken);
    }
}
