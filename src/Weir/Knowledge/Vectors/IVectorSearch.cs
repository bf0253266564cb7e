using Weir.Knowledge.Store;

namespace Weir.Knowledge.Vectors;

/// <summary>A question to the vectors of an agent's datastores.</summary>
/// <param name="Vector">Of length 1.</param>
/// <param name="Sources">Of this backend only.</param>
internal sealed record VectorQuery(
    Guid UserId, Guid AgentId, string Model, float[] Vector, IReadOnlyList<KnowledgeSource> Sources, int Limit);

/// <summary>
/// Where vectors are searched. What comes back are ids, which say nothing: the texts are read by a statement that decides anew what this
/// person sees through this agent.
/// </summary>
internal interface IVectorSearch
{
    /// <summary>The nearest by cosine, the nearest first; equal ones by id.</summary>
    /// <exception cref="Errors.WeirException">It cannot be searched now.</exception>
    Task<IReadOnlyList<Hit>> SearchAsync(VectorQuery query, CancellationToken ct);
}

/// <summary>In the database, by its extension pgvector.</summary>
internal sealed class PgVectors(KnowledgeQueries queries) : IVectorSearch
{
    public Task<IReadOnlyList<Hit>> SearchAsync(VectorQuery query, CancellationToken ct) =>
        queries.NearestAsync(query.UserId, query.AgentId, query.Model, query.Vector, query.Limit, ct);
}
