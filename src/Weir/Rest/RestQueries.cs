using Npgsql;
using Weir.Configuration;
using Weir.Identity;
using Weir.Postgres;

namespace Weir.Rest;

/// <summary>What <c>/rest/v1</c> asks of the database: the published names, as the engine; everything else as the caller.</summary>
internal sealed class RestQueries(
    Databases databases, UserSession users, RestConfig config, CallerErrors? errors = null, SeenKeys? seenKeys = null)
{
    private const string Columns = "select relation_name, column_name, column_type, for_anon from weir.published_columns()";
    private const string Authenticate = "select organization_id from weir.authenticate_organization_key($1, $2)";
    private const string ReadWithKey = """
        with "the answer" as materialized (select weir.read_with_key($1, $2, $3, $4)::text as value)
        select null::bigint, octet_length(value) > $5, case when octet_length(value) <= $5 then value end from "the answer"
        """;
    private const string Functions = """
        select function_name, argument_names, argument_types, required, returns_set, result_type, columns, column_types, for_anon from weir.published_functions()
        """;

    public async Task<PublishedApi> PublishedAsync(CancellationToken ct)
    {
        var columns = await databases.Engine.QueryAsync(
            Columns, [],
            r => (Relation: r.GetString(0), Column: new PublishedColumn(r.GetString(1), r.GetString(2)), ForAnon: r.GetBoolean(3)), ct);
        var functions = await databases.Engine.QueryAsync(Functions, [], Function, ct);
        return new PublishedApi(columns.GroupBy(c => c.Relation, StringComparer.Ordinal)
            .Select(g => new PublishedRelation(g.Key, [.. g.Select(c => c.Column)], g.Any(c => c.ForAnon))), functions);
    }

    /// <summary>Identity, bounds and statement: one round trip, one transaction.</summary>
    /// <exception cref="RestException">The rows are larger than <c>rest.maxBytes</c>.</exception>
    public Task<RestRows> RunAsync(
        Guid? userId, SignIn? signIn, bool readOnly, RestStatement statement, CancellationToken ct) => users.ReadAsync(
        userId, Bounds(readOnly), statement.Text, statement.Parameters,
        (reader, token) => RestRows.ReadAsync(reader, statement.Shape, config.MaxBytes, token), ct, signIn);

    /// <summary>
    /// What a key of an organization reads, on connections that nothing else needs; whether it may is decided in that same statement,
    /// though the key was proved before.
    /// </summary>
    public Task<RestRows> ReadWithKeyAsync(
        OrganizationKey key, bool readOnly, string function, string arguments, CancellationToken ct)
    {
        Task<RestRows> Work() => databases.KeyReads.ReadAsync(
            Bounds(readOnly), ReadWithKey,
            [Sql.Text(key.Id), Sql.Bytea(key.SecretHash), Sql.Text(function), Sql.Jsonb(arguments), Sql.Integer(config.MaxBytes)],
            (reader, token) => RestRows.ReadAsync(reader, RestShape.Object, config.MaxBytes, token), ct);

        return errors is null ? Work() : errors.RunAsync($"key {key.Id}", Work);
    }

    /// <summary>Whether this replica found it good lately.</summary>
    public bool IsSeen(OrganizationKey key) => seenKeys?.Contains(key.Id, key.SecretHash) == true;

    /// <summary>
    /// The organization of a key that is good; null of any other. It neither fails nor ends when the caller goes away, because either is
    /// lines in PostgreSQL's log.
    /// </summary>
    public async Task<Guid?> OrganizationOfAsync(OrganizationKey key, bool isSeen)
    {
        var organization = await (isSeen ? databases.KeyReads : databases.Unverified)
            .ScalarAsync<Guid?>(Authenticate, [Sql.Text(key.Id), Sql.Bytea(key.SecretHash)], CancellationToken.None);
        if (organization is null)
        {
            seenKeys?.Remove(key.Id, key.SecretHash);
        }
        else
        {
            seenKeys?.Add(key.Id, key.SecretHash);
        }

        return organization;
    }

    private StatementBounds Bounds(bool readOnly) => new(TimeSpan.FromSeconds(config.TimeoutSeconds), readOnly);

    private static PublishedFunction Function(NpgsqlDataReader r)
    {
        var name = r.GetString(0);
        var rows = r.IsDBNull(6) ? null : new PublishedRelation(name, Named(r, 6));
        return new PublishedFunction(name, Named(r, 1), r.GetInt32(3), r.GetBoolean(4), r.GetString(5), rows, r.GetBoolean(8));
    }

    private static PublishedColumn[] Named(NpgsqlDataReader r, int ordinal) =>
        [
            .. r.GetFieldValue<string[]>(ordinal)
                .Zip(r.GetFieldValue<string[]>(ordinal + 1), (name, type) => new PublishedColumn(name, type)),
        ];
}
