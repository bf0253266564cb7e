using Npgsql;
using Weir.Postgres;

namespace Weir.Isolation.Attack;

/// <param name="Readable">The columns that a signed-in person may select.</param>
/// <param name="Columns">All of them; one that a person may update comes first.</param>
internal sealed record Table(
    string Schema, string Object, string Name, string Class, IReadOnlyList<string> Readable, IReadOnlyList<string> Columns)
{
    public bool IsPublished => Schema == "public";

    /// <summary>Whether its rows are somebody's.</summary>
    public bool IsOwned => Class is "tenant" or "user";
}

internal sealed record AttackedParameter(string Name, string Type, bool IsOptional);

/// <param name="Object">With its parameters, as a finding names it.</param>
internal sealed record Function(string Schema, string Name, string Object, IReadOnlyList<AttackedParameter> Parameters)
{
    public bool IsPublished => Schema == "public";
}

/// <summary>What there is to attack, as the live database has it.</summary>
internal sealed record Surface(IReadOnlyList<Table> Tables, IReadOnlyList<Function> Functions)
{
    private static readonly string TablesSql = IsolationSql.With(IsolationSql.Read("tables.sql"));
    private static readonly string FunctionsSql = IsolationSql.With(IsolationSql.Read("functions.sql"));

    public IEnumerable<Table> Published => Tables.Where(t => t.IsPublished);

    public static async Task<Surface> LoadAsync(Rehearsal database, CancellationToken cancellationToken) => new(
        await database.QueryAsync(TablesSql, [Sql.Jsonb(Definers.Json)], row => new Table(
            row.GetString(0), row.GetString(1), row.GetString(2), row.GetString(3),
            row.GetFieldValue<string[]>(4), row.GetFieldValue<string[]>(5)), cancellationToken),
        await database.QueryAsync(FunctionsSql, [Sql.Jsonb(Definers.Json)], row => new Function(
            row.GetString(0), row.GetString(1), row.GetString(2), Parameters(row)), cancellationToken));

    private static AttackedParameter[] Parameters(NpgsqlDataReader row)
    {
        var (names, required) = (row.GetFieldValue<string[]>(3), row.GetInt32(5));
        return [
            .. row.GetFieldValue<string[]>(4)
                .Select((type, i) => new AttackedParameter(i < names.Length ? names[i] : "", type, i >= required)),
        ];
    }
}
