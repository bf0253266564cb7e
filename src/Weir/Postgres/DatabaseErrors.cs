using System.Net.Sockets;
using Npgsql;
using Weir.Errors;

namespace Weir.Postgres;

/// <summary>The one place that turns what PostgreSQL and its driver raise into the closed list of errors.</summary>
internal static class DatabaseErrors
{
    /// <summary>Runs work on the database; what it raises comes out as a <see cref="WeirException"/> that holds it.</summary>
    public static async Task<T> GuardAsync<T>(Func<Task<T>> work)
    {
        try
        {
            return await work();
        }
        catch (Exception e) when (e is NpgsqlException or SocketException or TimeoutException)
        {
            throw Map(e);
        }
    }

    public static WeirException Map(Exception error) => error switch
    {
        PostgresException e when ErrorCodes.TryParse(e.SqlState, out var code) => new WeirException(code, e.MessageText, e.Hint, e),
        PostgresException { SqlState: PostgresErrorCodes.InsufficientPrivilege } => new WeirException(ErrorCode.Forbidden, "This is not allowed.", null, error),
        PostgresException e when MeansUnavailable(e.SqlState) => Unavailable(e),
        PostgresException { SqlState: PostgresErrorCodes.CharacterNotInRepertoire or PostgresErrorCodes.UntranslatableCharacter
            or PostgresErrorCodes.InvalidTextRepresentation } =>
            new WeirException(ErrorCode.InvalidArgument, "A value holds text that the database cannot store, or not the form of its type.", null, error),
        PostgresException => new WeirException(ErrorCode.Internal, "An internal error.", null, error),
        NpgsqlException or SocketException or TimeoutException => Unavailable(error),
        _ => new WeirException(ErrorCode.Internal, "An internal error.", null, error),
    };

    /// <summary>What PostgreSQL raised behind an error, for an API whose own codes these are; null where it raised nothing.</summary>
    public static string? SqlstateOf(WeirException error) => (error.InnerException as PostgresException)?.SqlState;

    private static WeirException Unavailable(Exception error) =>
        new(ErrorCode.Unavailable, "The database does not answer.", "Try again in a moment.", error);

    // Connection, resources, operator intervention, the system's own trouble (a full disk), the retryable ends of a transaction (a deadlock), a lock
    // that did not come, and a transaction that was ended for its time.
    internal static bool MeansUnavailable(string state) => state is ['0', '8', ..] or ['4', '0', ..] or ['5', '3', ..] or ['5', '7', ..] or ['5', '8', ..]
        or PostgresErrorCodes.LockNotAvailable or "25P03" or "25P04"
        or PostgresErrorCodes.InvalidPassword or PostgresErrorCodes.InvalidAuthorizationSpecification or PostgresErrorCodes.ReadOnlySqlTransaction;
}
