using NpgsqlTypes;
using Weir.Postgres;

namespace Weir.Knowledge.Store;

/// <summary>A chunk that waits for its embedding.</summary>
/// <param name="Index">The foreign index where its vector belongs; null: the database.</param>
/// <param name="Known">The embedding of the same text that the organization has already, or null.</param>
internal sealed record ChunkToEmbed(
    Guid DocumentId, Guid OrganizationId, Guid DatastoreId, string? Index, Guid ChunkId, string Text, float[]? Known);

/// <summary>A vector that a foreign index is to forget.</summary>
internal sealed record VectorRemoval(Guid OrganizationId, string Index, Guid ChunkId);

/// <summary>
/// What knowledge asks of the database: as the person what a person writes, as the engine what an agent finds and what workers do.
/// </summary>
internal sealed class KnowledgeQueries(UserSession users, Databases databases)
{
    private const string Ingest = "select public.ingest_document($1, $2, $3, $4, $5)";
    private const string Sources =
        "select datastore_id, organization_id, settings->>'index', version, removal_version, weir.vector_schema() is not null from "
            + "weir.agent_knowledge($1, $2)";
    private const string Search =
        "select chunk_id, document_id, datastore, title, source, heading, content, ordinal, score from weir.search_documents($1, $2, "
            + "$3, $4)";
    private const string Passages =
        "select chunk_id, document_id, datastore, title, source, heading, content, ordinal, 0::real from weir.passages($1, $2, $3)";
    private const string Vectors = "select chunk_id, embedding from weir.chunk_vectors($1, $2, $3, $4, $5, $6, $7)";
    private const string Nearest = "select chunk_id, score from weir.search_vectors($1, $2, $3, $4, $5)";
    private const string Reopen = "select weir.reopen_embeddings($1)";
    private const string Claim =
        "select document_id, organization_id, datastore_id, vector_index, chunk_id, content, known from weir.claim_embeddings($1, $2, $3)";
    private const string Record = "select weir.record_embeddings($1, $2, $3, $4, $5, $6)";
    private const string RecordFailure = "select weir.record_embedding_failure($1, $2)";
    private const string ClaimRemovals = "select organization_id, vector_index, chunk_id from weir.claim_vector_removals($1, $2)";
    private const string ForgetRemovals = "select weir.forget_vector_removals($1, $2, $3)";
    private const string Purge = "select weir.purge_datastores($1)";

    /// <param name="chunks">A JSON array of <c>{"text", "heading"}</c>.</param>
    /// <exception cref="Errors.WeirException">WR001, WR003, WR004, WR006: as docs/functions.md says of <c>ingest_document</c>.</exception>
    public async Task<IngestedDocument> IngestAsync(
        Guid userId, Guid datastoreId, string title, string? source, string mediaType, string chunks, CancellationToken ct)
    {
        var answer = await users.CallAsync(
            userId, Ingest, [Sql.Uuid(datastoreId), Sql.Text(title), Sql.Jsonb(chunks), Sql.Text(source), Sql.Text(mediaType)], ct);
        return new IngestedDocument(
            answer.GetProperty("id").GetGuid(), answer.GetProperty("created").GetBoolean(),
            answer.GetProperty("chunks").GetInt32(), answer.GetProperty("status").GetString()!);
    }

    /// <summary>The datastores that the agent searches for this person, and whether the database searches vectors itself.</summary>
    /// <exception cref="Errors.WeirException">WR004: the agent is not there, or not for this person. WR003: a viewer.</exception>
    public async Task<(IReadOnlyList<KnowledgeSource> Sources, bool HasPgVector)> SourcesAsync(
        Guid userId, Guid agentId, CancellationToken ct)
    {
        var rows = await databases.Engine.QueryAsync(
            Sources, [Sql.Uuid(userId), Sql.Uuid(agentId)],
            r => (new KnowledgeSource(r.GetGuid(0), r.GetGuid(1), r.GetNullableString(2), r.GetInt64(3), r.GetInt64(4)), r.GetBoolean(5)),
            ct);
        return ([.. rows.Select(r => r.Item1)], rows.Any(r => r.Item2));
    }

    /// <summary>By words, best first.</summary>
    public Task<IReadOnlyList<(Guid ChunkId, Passage Passage)>> SearchAsync(
        Guid userId, Guid agentId, string query, int limit, CancellationToken ct) =>
        databases.Engine.QueryAsync(Search, [Sql.Uuid(userId), Sql.Uuid(agentId), Sql.Text(query), Sql.Integer(limit)], ReadPassage, ct);

    /// <summary>Those of the chunks that this person sees through this agent now. In no order, and without a score.</summary>
    public Task<IReadOnlyList<(Guid ChunkId, Passage Passage)>> PassagesAsync(
        Guid userId, Guid agentId, Guid[] chunkIds, CancellationToken ct) =>
        databases.Engine.QueryAsync(
            Passages, [Sql.Uuid(userId), Sql.Uuid(agentId), Sql.Array(NpgsqlDbType.Uuid, chunkIds)], ReadPassage, ct);

    /// <summary>The vectors of a datastore that came after one version and until another one, at most so many.</summary>
    public Task ReadVectorsAsync(
        Guid userId, Guid agentId, Guid datastoreId, string model, long after, long until, long limit,
        Action<Guid, float[]> read, CancellationToken ct) => databases.Engine.QueryAsync(
        Vectors,
        [
            Sql.Uuid(userId), Sql.Uuid(agentId), Sql.Uuid(datastoreId), Sql.Text(model), Sql.Bigint(after), Sql.Bigint(until),
            Sql.Bigint(limit),
        ],
        r =>
        {
            read(r.GetGuid(0), r.GetFieldValue<float[]>(1));
            return true;
        },
        ct);

    /// <summary>By pgvector, the nearest first.</summary>
    /// <exception cref="Errors.WeirException">WR010: the extension is not there.</exception>
    public Task<IReadOnlyList<Hit>> NearestAsync(
        Guid userId, Guid agentId, string model, float[] vector, int limit, CancellationToken ct) => databases.Engine.QueryAsync(
        Nearest, [Sql.Uuid(userId), Sql.Uuid(agentId), Sql.Text(model), Sql.Array(NpgsqlDbType.Real, vector), Sql.Integer(limit)],
        r => new Hit(r.GetGuid(0), r.GetFloat(1)), ct);

    public Task ReopenAsync(string model, CancellationToken ct) => databases.Engine.ExecuteAsync(Reopen, [Sql.Text(model)], ct);

    public Task<IReadOnlyList<ChunkToEmbed>> ClaimAsync(
        string model, int limit, TimeSpan lease, CancellationToken ct) => databases.Engine.QueryAsync(
        Claim,
        [Sql.Text(model), Sql.Integer(limit), Sql.Interval(lease)],
        r => new ChunkToEmbed(
            r.GetGuid(0), r.GetGuid(1), r.GetGuid(2), r.GetNullableString(3), r.GetGuid(4), r.GetString(5),
            r.IsDBNull(6) ? null : r.GetFieldValue<float[]>(6)),
        ct);

    /// <param name="values">The vectors, one behind the other; null: the foreign index has them.</param>
    public Task RecordAsync(
        Guid organizationId, Guid datastoreId, string model, Guid[] chunkIds, float[]? values, string? index,
        CancellationToken ct) => databases.Engine.ExecuteAsync(
        Record,
        [Sql.Uuid(organizationId), Sql.Uuid(datastoreId), Sql.Text(model), Sql.Array(NpgsqlDbType.Uuid, chunkIds),
            Sql.Array(NpgsqlDbType.Real, values), Sql.Text(index)],
        ct);

    public Task RecordFailureAsync(Guid[] documentIds, string detail, CancellationToken ct) =>
        databases.Engine.ExecuteAsync(RecordFailure, [Sql.Array(NpgsqlDbType.Uuid, documentIds), Sql.Text(detail)], ct);

    public Task<IReadOnlyList<VectorRemoval>> ClaimRemovalsAsync(
        int limit, TimeSpan lease, CancellationToken ct) => databases.Engine.QueryAsync(
        ClaimRemovals, [Sql.Integer(limit), Sql.Interval(lease)], r => new VectorRemoval(r.GetGuid(0), r.GetString(1), r.GetGuid(2)), ct);

    public Task ForgetRemovalsAsync(Guid organizationId, string index, Guid[] chunkIds, CancellationToken ct) =>
        databases.Engine.ExecuteAsync(
            ForgetRemovals, [Sql.Uuid(organizationId), Sql.Text(index), Sql.Array(NpgsqlDbType.Uuid, chunkIds)], ct);

    /// <summary>Documents of deleted datastores; how many that were.</summary>
    public Task<int> PurgeAsync(int limit, CancellationToken ct) => databases.Engine.ScalarAsync<int>(Purge, [Sql.Integer(limit)], ct);

    private static (Guid ChunkId, Passage Passage) ReadPassage(Npgsql.NpgsqlDataReader r) => (
        r.GetGuid(0),
        new Passage(r.GetGuid(1), r.GetString(2), r.GetString(3), r.GetNullableString(4), r.GetString(5), r.GetString(6), r.GetFloat(8),
            r.GetInt32(7)));
}
