using System.Globalization;
using System.Text;
using Microsoft.Extensions.AI;
using Weir.Configuration;
using Weir.Errors;
using Weir.Identity;
using Weir.Knowledge.Store;
using Weir.Knowledge.Vectors;

namespace Weir.Knowledge;

/// <summary>The three places where vectors are.</summary>
internal sealed record VectorBackends(IVectorSearch Exact, IVectorSearch PgVector, IVectorSearch Pinecone);

/// <summary>
/// Finds passages for a person through an agent: in the datastores that are linked to the agent, where the person may use it. The database
/// decides that in each statement that reads. Words are always searched; where there is an embedding model, meaning is too, and the two
/// lists are fused.
/// </summary>
internal sealed class KnowledgeSearch(
    KnowledgeQueries queries, VectorBackends backends, IEmbeddingGenerator<string, Embedding<float>>? embeddings, KnowledgeConfig config,
    TimeProvider time)
{
    private const int MaxLimit = 50;
    private const int MaxQuery = 1000;

    /// <summary>How deep each list is read for so many passages: what is far down in both may be first of all.</summary>
    private const int Depth = 3;
    private const int MinDepth = 30;

    /// <summary>Beyond it words alone are the answer. A replica that reads many vectors for the first time goes on reading.</summary>
    private TimeSpan VectorTimeout => TimeSpan.FromMilliseconds(config.Embeddings.QueryMilliseconds);

    /// <param name="principal">A person through an agent.</param>
    /// <param name="query">Plain words, or as in a web search: <c>"a phrase"</c>, <c>or</c>, <c>-not</c>.</param>
    /// <exception cref="WeirException">WR004: the agent is not there for this person. WR003: a viewer. WR009: the database does not answer.
    /// WR010: an agent's key.</exception>
    public async Task<IReadOnlyList<Passage>> SearchAsync(Principal principal, string query, int limit, CancellationToken ct) =>
        (await FindAsync(principal, query, limit, ct)).Passages;

    /// <summary>The same, and what had to be done without.</summary>
    /// <exception cref="WeirException">As for <see cref="SearchAsync"/>; what fails outside of the database is no error.</exception>
    public async Task<KnowledgeAnswer> FindAsync(Principal principal, string query, int limit, CancellationToken ct)
    {
        if (principal is not { UserId: { } userId, AgentId: { } agentId })
        {
            throw new WeirException(ErrorCode.NotSupported, "Documents are searched for a person who acts through an agent.");
        }

        var text = Clean(query);
        limit = Math.Clamp(limit, 1, MaxLimit);
        if (embeddings is null || text.Length == 0)
        {
            return new KnowledgeAnswer([.. (await queries.SearchAsync(userId, agentId, text, limit, ct)).Select(p => p.Passage)], []);
        }

        var depth = Math.Max(limit * Depth, MinDepth);
        var words = queries.SearchAsync(userId, agentId, text, depth, ct);
        var meaning = MeaningAsync(userId, agentId, text, depth, ct);
        await Task.WhenAll(words, meaning);
        var (byWords, (byMeaning, missing)) = (await words, await meaning);
        return byMeaning.Count == 0
            ? new KnowledgeAnswer([.. byWords.Take(limit).Select(p => p.Passage)], missing)
            : new KnowledgeAnswer(await FuseAsync(userId, agentId, byWords, byMeaning, limit, ct), missing);
    }

    private async Task<(IReadOnlyList<Hit> Hits, IReadOnlyList<string> Missing)> MeaningAsync(
        Guid userId, Guid agentId, string text, int depth, CancellationToken ct)
    {
        var (sources, hasPgVector) = await queries.SourcesAsync(userId, agentId, ct);
        if (sources.Count == 0)
        {
            return ([], []);
        }

        float[] vector;
        try
        {
            vector = await EmbedAsync(text, ct);
        }
        catch (WeirException e)
        {
            return ([], [e.Message]);
        }

        var missing = new List<string>();
        var here = config.Vectors == "pgvector" || (config.Vectors == "auto" && hasPgVector) ? backends.PgVector : backends.Exact;
        var lists = await Task.WhenAll(
            AskAsync(here, sources.Where(s => s.Index is null)),
            AskAsync(backends.Pinecone, sources.Where(s => s.Index is not null)));
        return ([.. lists.SelectMany(l => l).OrderByDescending(h => h.Score).ThenBy(h => h.ChunkId).Take(depth)], missing);

        async Task<IReadOnlyList<Hit>> AskAsync(IVectorSearch backend, IEnumerable<KnowledgeSource> of)
        {
            KnowledgeSource[] asked = [.. of];
            try
            {
                return asked.Length == 0 ? []
                    : await backend.SearchAsync(new VectorQuery(userId, agentId, config.Embeddings.Model!, vector, asked, depth), ct)
                        .WaitAsync(VectorTimeout, time, ct);
            }
            catch (TimeoutException)
            {
                lock (missing)
                {
                    missing.Add("The vectors were not searched in time.");
                }

                return [];
            }
            catch (WeirException e) when (backend == backends.Pinecone || e.Code == ErrorCode.NotSupported)
            {
                lock (missing)
                {
                    missing.Add(e.Message);
                }

                return [];
            }
        }
    }

    private async Task<float[]> EmbedAsync(string text, CancellationToken ct)
    {
        var timeout = TimeSpan.FromMilliseconds(config.Embeddings.QueryMilliseconds);
        using var limit = new CancellationTokenSource(timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, limit.Token);
        try
        {
            return (await embeddings!.GenerateAsync([text], cancellationToken: either.Token))[0].Vector.ToArray();
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw new WeirException(ErrorCode.UpstreamTimeout, string.Create(
                CultureInfo.InvariantCulture, $"The embedding API did not answer within {timeout.TotalSeconds:0.#} s."), inner: e);
        }
    }

    private async Task<IReadOnlyList<Passage>> FuseAsync(
        Guid userId, Guid agentId, IReadOnlyList<(Guid ChunkId, Passage Passage)> byWords, IReadOnlyList<Hit> byMeaning, int limit,
        CancellationToken ct)
    {
        var fused = RankFusion.Fuse([.. byWords.Select(p => p.ChunkId)], [.. byMeaning.Select(h => h.ChunkId)]);
        var known = byWords.ToDictionary(p => p.ChunkId, p => p.Passage);
        // All of them: one that is not seen, or gone, leaves its place to the next.
        var unread = fused.Select(h => h.ChunkId).Where(id => !known.ContainsKey(id)).ToArray();
        foreach (var (id, passage) in unread.Length == 0 ? [] : await queries.PassagesAsync(userId, agentId, unread, ct))
        {
            known[id] = passage;
        }

        return [.. fused.Where(h => known.ContainsKey(h.ChunkId)).Take(limit).Select(h => known[h.ChunkId] with { Score = h.Score })];
    }

    /// <summary>What the database can hold.</summary>
    private static string Clean(string query)
    {
        var text = query.Length > MaxQuery ? query[..MaxQuery] : query;
        return Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)).Replace('\0', ' ').Trim();
    }
}
