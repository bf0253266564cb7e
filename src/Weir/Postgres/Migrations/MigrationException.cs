namespace Weir.Postgres.Migrations;

/// <summary>The database was not migrated. The message says what to do; nothing of the failed script remains.</summary>
internal sealed class MigrationException(string message, Exception? inner = null) : Exception(message, inner);
