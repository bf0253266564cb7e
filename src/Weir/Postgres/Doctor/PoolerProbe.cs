using Npgsql;

namespace Weir.Postgres.Doctor;

/// <summary>
/// Weir's statements are prepared and its listeners listen: both belong to a session, which a pooler in transaction mode does not
/// keep. With one, calls fail now and then, so it is found out before anything is served.
/// </summary>
internal static class PoolerProbe
{
    private const string Backend = "select pg_backend_pid()";

    /// <summary>Asks twice who serves a first client, and in between a second one's transaction keeps its server busy.</summary>
    public static async Task<bool> IsTransactionPoolerAsync(NpgsqlDataSource source, NpgsqlConnection first, CancellationToken ct)
    {
        var before = await BackendAsync(first, ct);
        await using var second = await source.OpenConnectionAsync(ct);
        await using var transaction = await second.BeginTransactionAsync(ct);
        var other = await BackendAsync(second, ct);
        return IsTransactionPooler(before, other, await BackendAsync(first, ct));
    }

    /// <summary>
    /// Whether three looks at "who serves me" show a pooler that gives each transaction another server: two clients had one, or one had
    /// two.
    /// </summary>
    /// <param name="first">The first client's.</param>
    /// <param name="second">The second one's, in a transaction, while the first is open.</param>
    /// <param name="firstAgain">The first one's, while that transaction is open.</param>
    internal static bool IsTransactionPooler(int first, int second, int firstAgain) => first == second || first != firstAgain;

    /// <param name="where">Host and port, somewhere in it.</param>
    public static string Fix(string where) => where.Contains(":6543", StringComparison.Ordinal)
        ? "Use port 5432: there Supabase's pooler keeps a session (or connect directly)."
        : "Use the port of PostgreSQL itself, or a pool in session mode: prepared statements and LISTEN need a session.";

    private static async Task<int> BackendAsync(NpgsqlConnection connection, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(Backend, connection);
        return (int)(await command.ExecuteScalarAsync(ct))!;
    }
}
