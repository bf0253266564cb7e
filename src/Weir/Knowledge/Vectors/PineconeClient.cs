using System.Collections.Concurrent;
using System.Text.Json;
using Weir.Configuration;
using Weir.Egress;
using Weir.Errors;
using Weir.Knowledge.Store;

namespace Weir.Knowledge.Vectors;

/// <summary>A vector on its way to Pinecone. Its text stays here.</summary>
internal sealed record PineconeVector(Guid ChunkId, float[] Values, Guid DatastoreId, Guid DocumentId);

/// <summary>
/// Pinecone's HTTP API: where an index is, upsert, query, delete. Each organization has a namespace of its own, its id. The control plane's
/// URL is the operator's; the host that it names for an index goes through the checks of a destination from outside.
/// </summary>
internal sealed class PineconeClient(PineconeConfig config, EgressHttp egress, Func<string, string?> environment, TimeProvider time)
{
    /// <summary>Pinecone takes 2 MB and 1,000 vectors in a request: of 1,536 numbers about a hundred.</summary>
    private const int UpsertBatch = 100;
    private const int DeleteBatch = 1000;
    private const string ApiVersion = "2025-10";
    private const string Name = "Pinecone";
    private const int MaxAnswer = 8 * 1024 * 1024;
    private static readonly TimeSpan HostLifetime = TimeSpan.FromMinutes(5);

    private readonly ConcurrentDictionary<string, (Uri Host, long At)> _hosts = new(StringComparer.Ordinal);

    /// <exception cref="WeirException">WR003: the operator has not named this index. WR008, WR010, WR012, WR013.</exception>
    public async Task UpsertAsync(string index, Guid organizationId, IReadOnlyList<PineconeVector> vectors, CancellationToken ct)
    {
        foreach (var batch in vectors.Chunk(UpsertBatch))
        {
            using var answer = await PostAsync(index, "vectors/upsert", new
            {
                vectors = batch.Select(v => new
                {
                    id = v.ChunkId, values = v.Values, metadata = new { datastore_id = v.DatastoreId, document_id = v.DocumentId },
                }),
                @namespace = organizationId,
            }, ct);
        }
    }

    /// <summary>The nearest first, of these datastores only.</summary>
    /// <exception cref="WeirException">As for <see cref="UpsertAsync"/>.</exception>
    public async Task<IReadOnlyList<Hit>> QueryAsync(
        string index, Guid organizationId, float[] vector, IEnumerable<Guid> datastoreIds, int limit, CancellationToken ct)
    {
        using var answer = await PostAsync(index, "query", new Dictionary<string, object>(StringComparer.Ordinal)
        {
            ["namespace"] = organizationId,
            ["vector"] = vector,
            ["topK"] = limit,
            ["filter"] = new Dictionary<string, object>(StringComparer.Ordinal)
            {
                ["datastore_id"] = new Dictionary<string, object>(StringComparer.Ordinal) { ["$in"] = datastoreIds },
            },
            ["includeValues"] = false,
            ["includeMetadata"] = false,
        }, ct);
        if (answer.RootElement.ValueKind != JsonValueKind.Object || !answer.RootElement.TryGetProperty("matches", out var matches)
            || matches.ValueKind != JsonValueKind.Array)
        {
            throw Broken();
        }

        var hits = new List<Hit>();
        foreach (var match in matches.EnumerateArray())
        {
            // An id that is none of ours is nobody's chunk.
            if (match.ValueKind == JsonValueKind.Object && match.TryGetProperty("id", out var id) && id.ValueKind == JsonValueKind.String
                && Guid.TryParseExact(id.GetString(), "D", out var chunk)
                && match.TryGetProperty("score", out var score) && score.ValueKind == JsonValueKind.Number
                && score.TryGetDouble(out var value))
            {
                hits.Add(new Hit(chunk, value));
            }
        }

        return [.. hits.DistinctBy(h => h.ChunkId).OrderByDescending(h => h.Score).ThenBy(h => h.ChunkId).Take(limit)];
    }

    /// <exception cref="WeirException">As for <see cref="UpsertAsync"/>.</exception>
    public async Task DeleteAsync(string index, Guid organizationId, IReadOnlyList<Guid> chunkIds, CancellationToken ct)
    {
        foreach (var batch in chunkIds.Chunk(DeleteBatch))
        {
            using var answer = await PostAsync(index, "vectors/delete", new { ids = batch, @namespace = organizationId }, ct);
        }
    }

    private async Task<JsonDocument> PostAsync<T>(string index, string path, T body, CancellationToken ct)
    {
        var host = await HostAsync(index, ct);
        try
        {
            using var request = Request(HttpMethod.Post, new Uri(host, path));
            request.Content = OutgoingJson.Body(body);
            return await SendAsync(egress.Guarded, request, ct);
        }
        catch (WeirException e) when (e.Code == ErrorCode.UpstreamFailed)
        {
            // It may have moved.
            _hosts.TryRemove(index, out _);
            throw;
        }
    }

    private async Task<Uri> HostAsync(string index, CancellationToken ct)
    {
        if (!config.Indexes.Contains(index, StringComparer.Ordinal))
        {
            throw new WeirException(ErrorCode.Forbidden, $"The index {index} is not one that this Weir uses.",
                "Only the operator can name it, with knowledge.pinecone.indexes.");
        }

        if (_hosts.TryGetValue(index, out var known) && time.GetElapsedTime(known.At) < HostLifetime)
        {
            return known.Host;
        }

        using var request = Request(HttpMethod.Get, new Uri(config.Url, "/indexes/" + Uri.EscapeDataString(index)));
        using var answer = await SendAsync(egress.Operator, request, ct);
        var host = answer.RootElement.ValueKind == JsonValueKind.Object && answer.RootElement.TryGetProperty("host", out var name)
            && name.ValueKind == JsonValueKind.String
            && Uri.TryCreate($"{config.Url.Scheme}://{name.GetString()}/", UriKind.Absolute, out var url) && url.PathAndQuery == "/"
            ? url : throw Broken();
        egress.CheckUrl(host);
        _hosts[index] = (host, time.GetTimestamp());
        return host;
    }

    private HttpRequestMessage Request(HttpMethod method, Uri url)
    {
        var request = new HttpRequestMessage(method, url);
        request.Headers.TryAddWithoutValidation("Api-Key", OutgoingJson.Key(environment, config.KeyVariable));
        request.Headers.TryAddWithoutValidation("X-Pinecone-Api-Version", ApiVersion);
        return request;
    }

    private Task<JsonDocument> SendAsync(HttpMessageInvoker http, HttpRequestMessage request, CancellationToken ct) =>
        OutgoingJson.SendAsync(http, request, Name, TimeSpan.FromSeconds(config.TimeoutSeconds), MaxAnswer, time, ct);

    private static WeirException Broken() => new(ErrorCode.UpstreamFailed, $"{Name} answered what its API does not have.");
}

/// <summary>In Pinecone. Its answer is taken for ids to ask the database for, and for nothing else.</summary>
internal sealed class PineconeVectors(PineconeClient client) : IVectorSearch
{
    public async Task<IReadOnlyList<Hit>> SearchAsync(VectorQuery query, CancellationToken ct)
    {
        var found = await Task.WhenAll(query.Sources.GroupBy(s => (s.Index, s.OrganizationId)).Select(
            g => client.QueryAsync(g.Key.Index!, g.Key.OrganizationId, query.Vector, g.Select(s => s.DatastoreId), query.Limit, ct)));
        return [.. found.SelectMany(f => f).OrderByDescending(h => h.Score).ThenBy(h => h.ChunkId).Take(query.Limit)];
    }
}
