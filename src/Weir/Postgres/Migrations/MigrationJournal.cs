using Npgsql;

namespace Weir.Postgres.Migrations;

/// <summary>The table of what was applied: <c>weir.schema_migrations</c>. Only the owner sees it.</summary>
internal sealed class MigrationJournal(NpgsqlConnection connection)
{
    // Forced row-level security, like every table here; the one policy is the owner's.
    private const string Create = """
        create schema if not exists weir;
        revoke all on schema weir from public;
        create table if not exists weir.schema_migrations (
          name text not null,
          checksum bytea not null,
          applied_at timestamptz not null default clock_timestamp(),
          constraint schema_migrations_pkey primary key (name),
          constraint schema_migrations_checksum_is_sha256 check (octet_length(checksum) = 32)
        );
        do $$ begin
          if not (select relforcerowsecurity from pg_catalog.pg_class where oid = 'weir.schema_migrations'::regclass) then
            alter table weir.schema_migrations enable row level security, force row level security;
            revoke all on weir.schema_migrations from public;
            comment on table weir.schema_migrations is 'platform: the migrations that this database has had';
            create policy schema_migrations_are_the_owners on weir.schema_migrations to current_user using (true) with check (true);
          end if;
        end $$
        """;

    public const string Insert = "insert into weir.schema_migrations (name, checksum) values ($1, $2)";

    /// <summary>Name and checksum of each applied script; empty where there is no journal yet.</summary>
    public async Task<IReadOnlyDictionary<string, byte[]>> ReadAsync(CancellationToken cancellationToken)
    {
        var done = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
        await using var probe = new NpgsqlCommand("select to_regclass('weir.schema_migrations') is not null", connection);
        if (await probe.ExecuteScalarAsync(cancellationToken) is not true)
        {
            return done;
        }

        await using var command = new NpgsqlCommand("select name, checksum from weir.schema_migrations", connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            done.Add(reader.GetString(0), reader.GetFieldValue<byte[]>(1));
        }

        return done;
    }

    public async Task EnsureAsync(CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await CreateAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    /// <summary>
    /// The first migrations of a database, in the caller's transaction: either all of them are there afterwards, or nothing.
    /// </summary>
    public async Task BeginWithAsync(IReadOnlyList<MigrationScript> scripts, CancellationToken cancellationToken)
    {
        await CreateAsync(cancellationToken);
        foreach (var script in scripts)
        {
            await using var command = new NpgsqlCommand(MigrationExecution.AsOneStatement(script.Text), connection);
            await command.ExecuteNonQueryAsync(cancellationToken);
            await using var journal =
                new NpgsqlCommand(Insert, connection) { Parameters = { Sql.Text(script.Name), Sql.Bytea(script.Checksum) } };
            await journal.ExecuteNonQueryAsync(cancellationToken);
        }
    }

    private async Task CreateAsync(CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(Create, connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
