using Npgsql;
using Weir.Errors;

namespace Weir.Postgres.Doctor;

/// <summary>
/// Row-level security is worth nothing to a login that steps over it. Whoever serves proves first that its two logins are what
/// they must be.
/// </summary>
internal static class LoginProbe
{
    private const string Problem = """
        select case
          when r.rolsuper then 'is a superuser'
          when r.rolbypassrls then 'bypasses row-level security'
          when r.rolcreaterole or r.rolcreatedb or r.rolreplication then 'may create roles or databases, or replicate'
          when exists (select from pg_catalog.pg_class c where c.relowner = r.oid) then 'owns tables'
          when pg_has_role(r.oid, d.datdba, 'member') then 'may act as the owner of the database'
          when r.rolname <> $1 then 'has another name: Weir serves as ' || $1
        end
        from pg_catalog.pg_roles r, pg_catalog.pg_database d
        where r.rolname = session_user and d.datname = current_database()
        """;

    /// <summary>What a login can do and may not, or null.</summary>
    public static Task<string?> ProblemAsync(NpgsqlDataSource source, string expected, CancellationToken cancellationToken) =>
        source.ScalarAsync<string>(Problem, [Sql.Text(expected)], cancellationToken);

    /// <exception cref="WeirException">
    /// Forbidden: a login can do more than it may. Unavailable: the database does not answer, or behind a pooler that keeps no sessions.
    /// </exception>
    public static async Task RefuseUnfitAsync(Databases databases, CancellationToken cancellationToken)
    {
        await ProbeAsync(databases.Gateway, "weir_gateway", "WEIR_DATABASE_URL", cancellationToken);
        await ProbeAsync(databases.Engine, "weir_engine", "WEIR_ENGINE_DATABASE_URL", cancellationToken);
    }

    private static async Task ProbeAsync(NpgsqlDataSource source, string expected, string variable, CancellationToken cancellationToken)
    {
        if (await ProblemAsync(source, expected, cancellationToken) is { } problem)
        {
            throw new WeirException(ErrorCode.Forbidden, $"The login of {variable} {problem}. Weir does not serve with it.",
                "Run weir migrate with that URL for the login it should be, then start again.");
        }

        await using var connection = await DatabaseErrors.GuardAsync(async () => await source.OpenConnectionAsync(cancellationToken));
        if (await PoolerProbe.IsTransactionPoolerAsync(source, connection, cancellationToken))
        {
            throw new WeirException(
                ErrorCode.Unavailable, $"Behind {variable} is a pooler in transaction mode.", PoolerProbe.Fix($":{connection.Port}"));
        }
    }
}
