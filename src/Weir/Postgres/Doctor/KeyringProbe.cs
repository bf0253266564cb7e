using Npgsql;
using Weir.Errors;

namespace Weir.Postgres.Doctor;

/// <summary>
/// A database is written with one keyring, and another opens nothing in it. Whoever serves proves first that its keyring is the database's,
/// before it makes one: a new keyring beside a database that has its own would be a wrong one, left behind for the next start.
/// </summary>
internal static class KeyringProbe
{
    public const string IsMigrated = "select to_regprocedure('weir.is_keyring(bytea)') is not null";

    /// <summary>Null where no replica has brought a keyring yet.</summary>
    public const string IsKeyring = "select weir.is_keyring($1)";

    /// <param name="fingerprint">Of the keyring in the file; null where there is no file.</param>
    /// <param name="path">Of the file.</param>
    /// <exception cref="WeirException">Conflict: it is another one, or the database has one and there is no file. Unavailable: the database
    /// does not answer.</exception>
    public static async Task RefuseWrongAsync(
        NpgsqlDataSource engine, byte[]? fingerprint, string path, CancellationToken cancellationToken)
    {
        if (!await engine.ScalarAsync<bool>(IsMigrated, [], cancellationToken))
        {
            throw new WeirException(ErrorCode.Conflict, "The database is not migrated.", "Run weir migrate, then start again.");
        }

        // Null from a database that no replica has brought one to.
        if (await engine.ScalarAsync<bool?>(IsKeyring, [Sql.Bytea(fingerprint ?? [])], cancellationToken) is not false)
        {
            return;
        }

        throw fingerprint is null
            ? new WeirException(ErrorCode.Conflict, $"The database was written with a keyring, and there is no file {path} (keyringFile).",
                "Copy the other replicas' keyring file there, or the one that was kept with the backup.")
            : new WeirException(
                ErrorCode.Conflict, $"The keyring in {path} (keyringFile) is not the one that this database was written with.",
                "Put the other replicas' keyring file in its place.");
    }
}
