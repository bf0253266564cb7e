using Microsoft.Extensions.AI;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Weir.Configuration;
using Weir.Errors;
using Weir.Knowledge.Store;
using Weir.Knowledge.Vectors;
using Weir.Postgres;

namespace Weir.Knowledge;

/// <summary>
/// Gives documents their embeddings, takes vectors out of foreign indexes, and deletes the documents of deleted datastores. Any replica
/// does it, and several may at once: what is due is leased. No transaction is open while anybody outside is asked; a replica that dies
/// leaves work that is due again.
/// </summary>
internal sealed class EmbeddingWorker(
    KnowledgeQueries queries, IEmbeddingGenerator<string, Embedding<float>>? embeddings, PineconeClient pinecone, KnowledgeConfig config,
    TimeProvider time,
    ILogger<EmbeddingWorker> logger) : BackgroundService
{
    private const int PurgeBatch = 500;
    private const int RemovalBatch = 1000;

    /// <summary>Requests for embeddings at once, each of another organization.</summary>
    private const int MostRequests = 4;
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan RemovalLease = TimeSpan.FromMinutes(2);

    private readonly PollPause _pause = new(Every, time);

    /// <summary>Longer than a batch may take, and once more for the documents of a batch that failed.</summary>
    private TimeSpan Lease => TimeSpan.FromSeconds((2 * config.Embeddings.TimeoutSeconds) + config.Pinecone.TimeoutSeconds + 60);

    /// <summary>A document came.</summary>
    public void Wake() => _pause.End();

    /// <summary>One round; whether there was something to do.</summary>
    internal async Task<bool> RunOnceAsync(CancellationToken ct)
    {
        var purged = await queries.PurgeAsync(PurgeBatch, ct);
        var removed = await RemoveAsync(ct);
        return await EmbedAsync(ct) || removed || purged > 0;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            var reopened = embeddings is null;
            while (true)
            {
                try
                {
                    if (!reopened)
                    {
                        await queries.ReopenAsync(config.Embeddings.Model!, stoppingToken);
                        reopened = true;
                    }

                    if (await RunOnceAsync(stoppingToken))
                    {
                        continue;
                    }
                }
                catch (WeirException e)
                {
                    logger.LogDebug(e, "What documents wait for could not be read.");
                }
                catch (Exception e) when (!stoppingToken.IsCancellationRequested)
                {
                    // One answer that nobody foresaw must not end the worker for everybody; the lease ends, and it is tried again.
                    logger.LogError(e, "A round of the embedding worker failed in a way that Weir did not foresee.");
                }

                await _pause.WaitAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Stopping.
        }
    }

    private async Task<bool> EmbedAsync(CancellationToken ct)
    {
        if (embeddings is null)
        {
            return false;
        }

        var claimed = await queries.ClaimAsync(config.Embeddings.Model!, config.Embeddings.Batch, Lease, ct);
        if (claimed.Count == 0)
        {
            return false;
        }

        // One organization's texts in each request: what the provider refuses of one costs no other's anything.
        await Parallel.ForEachAsync(
            claimed.GroupBy(c => c.OrganizationId), new ParallelOptions { MaxDegreeOfParallelism = MostRequests, CancellationToken = ct },
            async (organization, token) => await EmbedOfOneAsync([.. organization], token));
        return true;
    }

    private async Task EmbedOfOneAsync(IReadOnlyList<ChunkToEmbed> claimed, CancellationToken ct)
    {
        try
        {
            await EmbedAsync(claimed, ct);
        }
        catch (WeirException e) when (DocumentsOf(claimed) is { Length: > 1 } documents)
        {
            logger.LogWarning(
                "A batch of {Documents} documents was not embedded, each is tried by itself: {Message}", documents.Length, e.Message);
            foreach (var document in documents)
            {
                await TryEmbedAsync([.. claimed.Where(c => c.DocumentId == document)], ct);
            }
        }
        catch (WeirException e)
        {
            await queries.RecordFailureAsync(DocumentsOf(claimed), e.Message, ct);
        }
    }

    private async Task TryEmbedAsync(IReadOnlyList<ChunkToEmbed> chunks, CancellationToken ct)
    {
        try
        {
            await EmbedAsync(chunks, ct);
        }
        catch (WeirException e)
        {
            await queries.RecordFailureAsync(DocumentsOf(chunks), e.Message, ct);
        }
    }

    private async Task EmbedAsync(IReadOnlyList<ChunkToEmbed> chunks, CancellationToken ct)
    {
        var vectors = chunks.Where(c => c.Known is not null).DistinctBy(c => c.ChunkId).ToDictionary(c => c.ChunkId, c => c.Known!);
        var unknown = chunks.Where(c => c.Known is null).GroupBy(c => c.Text, StringComparer.Ordinal).ToArray();
        if (unknown.Length > 0)
        {
            var made = await embeddings!.GenerateAsync(unknown.Select(u => u.Key), cancellationToken: ct);
            foreach (var (same, embedding) in unknown.Zip(made))
            {
                foreach (var chunk in same)
                {
                    vectors[chunk.ChunkId] = embedding.Vector.ToArray();
                }
            }
        }

        foreach (var group in chunks.GroupBy(c => (c.DatastoreId, c.OrganizationId, c.Index)))
        {
            var ids = group.Select(c => c.ChunkId).ToArray();
            if (group.Key.Index is { } index)
            {
                await pinecone.UpsertAsync(
                    index, group.Key.OrganizationId,
                    [.. group.Select(c => new PineconeVector(c.ChunkId, vectors[c.ChunkId], c.DatastoreId, c.DocumentId))], ct);
            }

            await queries.RecordAsync(
                group.Key.OrganizationId, group.Key.DatastoreId, config.Embeddings.Model!, ids,
                group.Key.Index is null ? [.. ids.SelectMany(id => vectors[id])] : null, group.Key.Index, ct);
        }
    }

    private async Task<bool> RemoveAsync(CancellationToken ct)
    {
        var removals = await queries.ClaimRemovalsAsync(RemovalBatch, RemovalLease, ct);
        var done = false;
        foreach (var group in removals.GroupBy(r => (r.OrganizationId, r.Index)))
        {
            var ids = group.Select(r => r.ChunkId).ToArray();
            try
            {
                await pinecone.DeleteAsync(group.Key.Index, group.Key.OrganizationId, ids, ct);
                await queries.ForgetRemovalsAsync(group.Key.OrganizationId, group.Key.Index, ids, ct);
                done = true;
            }
            catch (WeirException e)
            {
                logger.LogWarning(
                    "{Count} vectors were not taken out of {Index}, it is tried again: {Message}", ids.Length, group.Key.Index, e.Message);
            }
        }

        return done;
    }

    private static Guid[] DocumentsOf(IEnumerable<ChunkToEmbed> chunks) => [.. chunks.Select(c => c.DocumentId).Distinct()];
}
