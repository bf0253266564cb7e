using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Npgsql;

namespace Weir.Postgres;

/// <summary>
/// Hands out no dead connection of a pool. After PostgreSQL restarted, or a proxy closed what was idle, a pool's connections are dead and
/// it does not know: whoever sends the next statement finds out, and cannot tell whether it was carried out. So a connection that was idle
/// is asked first, before anything of the request is sent, and a dead one is replaced. Nothing is ever sent twice.
/// </summary>
internal static class LiveConnections
{
    /// <summary>
    /// A connection that was used so lately is not asked: PostgreSQL takes longer to stop and start. Under load this costs nothing.
    /// </summary>
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(100);

    /// <summary>Sessions whose last use is remembered for one pool; one that is not remembered is asked.</summary>
    private const int MaxKept = 1000;

    private const string Question = "select 1";

    /// <summary>
    /// Whoever does not answer it in this time is behind a firewall that forgot the connection, or too busy to take another statement.
    /// </summary>
    private const int AnswerSeconds = 2;

    private static readonly ConditionalWeakTable<NpgsqlDataSource, ConcurrentDictionary<int, long>> Pools = [];

    /// <summary>From now on <see cref="OpenLiveAsync"/> looks after this pool.</summary>
    public static NpgsqlDataSource KeepLive(this NpgsqlDataSource pool)
    {
        Pools.Add(pool, new ConcurrentDictionary<int, long>());
        return pool;
    }

    /// <exception cref="NpgsqlException">There is no live connection, and no new one.</exception>
    public static async Task<NpgsqlConnection> OpenLiveAsync(this NpgsqlDataSource pool, CancellationToken ct)
    {
        var connection = await pool.OpenConnectionAsync(ct);
        if (!Pools.TryGetValue(pool, out var uses) || IsLive(connection, uses))
        {
            return connection;
        }

        try
        {
            await AskAsync(connection, uses, ct);
            return connection;
        }
        catch (NpgsqlException)
        {
            // The others that were idle are of the same age.
            await connection.DisposeAsync();
            pool.Clear();
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }

        return await pool.OpenConnectionAsync(ct);
    }

    private static bool IsLive(NpgsqlConnection connection, ConcurrentDictionary<int, long> uses)
    {
        var now = TimeProvider.System.GetTimestamp();
        if (!uses.TryGetValue(connection.ProcessID, out var last) || TimeProvider.System.GetElapsedTime(last, now) > Moment)
        {
            return false;
        }

        uses[connection.ProcessID] = now;
        return true;
    }

    private static async Task AskAsync(NpgsqlConnection connection, ConcurrentDictionary<int, long> uses, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(Question, connection) { CommandTimeout = AnswerSeconds };
        await command.ExecuteScalarAsync(ct);
        if (uses.Count >= MaxKept)
        {
            uses.Clear();
        }

        uses[connection.ProcessID] = TimeProvider.System.GetTimestamp();
    }
}
