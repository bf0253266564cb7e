using Npgsql;
using Weir.Configuration;
using Weir.Postgres;

namespace Weir.Rest;

/// <summary>The one row of a <see cref="RestStatement"/>.</summary>
/// <param name="Total">How many rows fit; null where that was not asked.</param>
/// <param name="Rows">How many of them are in the body.</param>
/// <param name="Body">JSON; null where there is no row, or nothing to say.</param>
internal sealed record RestRows(long? Total, long Rows, byte[]? Body);

/// <summary>What <c>/rest/v1</c> asks of the database: the published names, as the engine; everything else as the caller.</summary>
internal sealed class RestQueries(Databases databases, UserSession users, RestConfig config)
{
    private const string Columns = "select relation_name, column_name, column_type from weir.published_columns()";
    private const string Functions = """
        select function_name, argument_names, argument_types, required, returns_set, result_type, columns, column_types from weir.published_functions()
        """;

    public async Task<PublishedApi> PublishedAsync(CancellationToken ct)
    {
        var columns = await databases.Engine.QueryAsync(Columns, [], r => (Relation: r.GetString(0), Column: new PublishedColumn(r.GetString(1), r.GetString(2))), ct);
        var functions = await databases.Engine.QueryAsync(Functions, [], Function, ct);
        return new PublishedApi(columns.GroupBy(c => c.Relation, StringComparer.Ordinal).Select(g => new PublishedRelation(g.Key, [.. g.Select(c => c.Column)])), functions);
    }

    /// <summary>Identity, bounds and statement: one round trip, one transaction.</summary>
    public async Task<RestRows> RunAsync(Guid? userId, bool readOnly, RestStatement statement, CancellationToken ct)
    {
        var bounds = new StatementBounds(TimeSpan.FromSeconds(config.TimeoutSeconds), readOnly);
        var rows = await users.QueryAsync(
            userId, bounds, statement.Text, statement.Parameters, r => new RestRows(r.GetNullable<long>(0), r.GetInt64(1), r.IsDBNull(2) ? null : r.GetFieldValue<byte[]>(2)), ct);
        return rows[0];
    }

    private static PublishedFunction Function(NpgsqlDataReader r)
    {
        var name = r.GetString(0);
        var rows = r.IsDBNull(6) ? null : new PublishedRelation(name, Named(r, 6));
        return new PublishedFunction(name, Named(r, 1), r.GetInt32(3), r.GetBoolean(4), r.GetString(5), rows);
    }

    private static PublishedColumn[] Named(NpgsqlDataReader r, int ordinal) =>
        [.. r.GetFieldValue<string[]>(ordinal).Zip(r.GetFieldValue<string[]>(ordinal + 1), (name, type) => new PublishedColumn(name, type))];
}
