using System.Net.Sockets;
using Npgsql;
using Weir.Errors;

namespace Weir.Postgres;

/// <summary>The one place that turns what PostgreSQL and its driver raise into the closed list of errors.</summary>
internal static class DatabaseErrors
{
    private const string LibraryTrouble =
        "The database cannot load a library of its own functions: its programs were replaced while it ran, as by an upgrade of its "
            + "package.";

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
        PostgresException { SqlState: PostgresErrorCodes.InsufficientPrivilege } =>
            new WeirException(ErrorCode.Forbidden, "This is not allowed.", null, error),
        PostgresException e when IsLibraryTrouble(e) => new WeirException(
            ErrorCode.Unavailable, LibraryTrouble, "Try again in a moment. If it stays so, whoever runs the database restarts it.", e),
        PostgresException e when MeansUnavailable(e.SqlState) => Unavailable(e),
        PostgresException { SqlState: PostgresErrorCodes.CharacterNotInRepertoire or PostgresErrorCodes.UntranslatableCharacter
            or PostgresErrorCodes.InvalidTextRepresentation } =>
            new WeirException(
                ErrorCode.InvalidArgument, "A value holds text that the database cannot store, or not the form of its type.", null, error),
        PostgresException => new WeirException(ErrorCode.Internal, "An internal error.", null, error),
        NpgsqlException or SocketException or TimeoutException => Unavailable(error),
        _ => new WeirException(ErrorCode.Internal, "An internal error.", null, error),
    };

    /// <summary>
    /// What PostgreSQL raised about a statement, for an API whose own codes these are; null where it raised nothing, or about itself.
    /// </summary>
    public static string? SqlstateOf(WeirException error) =>
        error.InnerException is PostgresException e && !IsLibraryTrouble(e) ? e.SqlState : null;

    /// <summary>Whether new sessions of the database have no working functions, which sessions that are older still have.</summary>
    public static bool IsLibraryTrouble(WeirException error) => error.InnerException is PostgresException e && IsLibraryTrouble(e);

    /// <summary>Whether whoever runs Weir must see it in the log: the caller can do nothing about it.</summary>
    public static bool IsForTheLog(WeirException error) => error.Code == ErrorCode.Internal || IsLibraryTrouble(error);

    // By the place in PostgreSQL's source: the SQLSTATE is that of an internal error or of whatever the system last said, and the text is
    // in the server's language.
    private static bool IsLibraryTrouble(PostgresException e) => e.File == "dfmgr.c";

    private static WeirException Unavailable(Exception error) =>
        new(ErrorCode.Unavailable, "The database does not answer.", "Try again in a moment.", error);

    // Connection, resources, operator intervention, the system's own trouble (a full disk), the retryable ends of a transaction (a
    // deadlock), a lock that did not come, and a transaction that was ended for its time.
    internal static bool MeansUnavailable(string state) =>
        state is ['0', '8', ..] or ['4', '0', ..] or ['5', '3', ..] or ['5', '7', ..] or ['5', '8', ..]
        or PostgresErrorCodes.LockNotAvailable or "25P03" or "25P04"
        or PostgresErrorCodes.InvalidPassword or PostgresErrorCodes.InvalidAuthorizationSpecification
        or PostgresErrorCodes.ReadOnlySqlTransaction;
}
