using System.Collections.Concurrent;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Weir.Configuration;
using Weir.Errors;
using Weir.Knowledge;
using Weir.Knowledge.Store;
using Weir.Knowledge.Vectors;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Knowledge;

/// <summary>Whose texts go into one request for embeddings, with a provider that refuses some.</summary>
public sealed class EmbeddingBatchTests(KnowledgeWorld weir) : IClassFixture<KnowledgeWorld>
{
    [Fact]
    public async Task F11_texts_that_the_provider_refuses_make_only_their_own_organizations_batch_go_one_by_one()
    {
        var queries = weir.Services.GetRequiredService<KnowledgeQueries>();
        var other = await World.CreateAsync(weir.Database);
        foreach (var number in Enumerable.Range(0, 3))
        {
            await IngestAsync(queries, weir.World, $"unembeddable {number}");
            await IngestAsync(queries, other, $"good {number}");
        }

        var provider = new Provider();
        var config = weir.Services.GetRequiredService<KnowledgeConfig>() with { Embeddings = new EmbeddingsConfig { Model = "m" } };
        using var worker = new EmbeddingWorker(
            queries, provider, weir.Services.GetRequiredService<PineconeClient>(), config, TimeProvider.System,
            NullLogger<EmbeddingWorker>.Instance);
        (await worker.RunOnceAsync(TestContext.Current.CancellationToken)).ShouldBeTrue();

        provider.Requests.Where(r => r.Any(t => t.Contains("good", StringComparison.Ordinal))).ShouldHaveSingleItem().Length.ShouldBe(3);
        provider.Requests.Where(r => r.Any(t => t.Contains("unembeddable", StringComparison.Ordinal))).Select(r => r.Length)
            .ShouldBe([3, 1, 1, 1], ignoreOrder: true);
    }

    private static async Task IngestAsync(KnowledgeQueries queries, World world, string text)
    {
        var datastore =
            (await world.CallAsync("select public.create_datastore($1, $2)", Sql.Uuid(world.OrganizationId),
                Sql.Text(KnowledgeWorld.NewName("docs")))).GetProperty("id").GetGuid();
        await queries.IngestAsync(
            world.OwnerId, datastore, text, null, "text/plain", $$"""[{"text": "{{text}}"}]""", CancellationToken.None);
    }

    private sealed class Provider : IEmbeddingGenerator<string, Embedding<float>>
    {
        public ConcurrentQueue<string[]> Requests { get; } = new();

        public Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(
            IEnumerable<string> values, EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default)
        {
            string[] texts = [.. values];
            Requests.Enqueue(texts);
            return texts.Any(t => t.Contains("unembeddable", StringComparison.Ordinal))
                ? throw new WeirException(ErrorCode.UpstreamFailed, "refused")
                : Task.FromResult(new GeneratedEmbeddings<Embedding<float>>(texts.Select(_ => new Embedding<float>(new float[] { 1, 0 }))));
        }

        public object? GetService(Type serviceType, object? serviceKey = null) => null;

        public void Dispose()
        {
        }
    }
}
