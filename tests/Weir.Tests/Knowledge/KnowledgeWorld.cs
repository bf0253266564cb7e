using System.Net;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Weir.Configuration;
using Weir.Identity;
using Weir.Knowledge;
using Weir.Knowledge.Store;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Knowledge;

/// <summary>A replica that finds documents by their words only, as it comes.</summary>
public class KnowledgeWorld(TestCluster cluster) : RunningWeir(cluster)
{
    internal const int MaxDocumentBytes = 256 * 1024;

    internal string OwnerToken => TokenOf(World.OwnerId);

    internal string TokenOf(Guid userId) => Services.GetRequiredService<PersonTokens>().Issue(userId, "someone@example.test");

    internal KnowledgeSearch Search => Services.GetRequiredService<KnowledgeSearch>();

    internal static string NewName(string prefix) => prefix + Guid.CreateVersion7(TimeProvider.System.GetUtcNow()).ToString("N")[20..];

    /// <summary>An agent of the test's own with a datastore of its own.</summary>
    internal async Task<(Guid AgentId, Guid DatastoreId)> CreateAsync(string backend = "postgres", string settings = "{}")
    {
        var agent = (await World.CreateAgentAsync(NewName("agent"))).Id;
        var datastore = (await World.CallAsync(
            "select public.create_datastore($1, $2, $3, $4)", Sql.Uuid(World.OrganizationId), Sql.Text(NewName("docs")), Sql.Text(backend),
            Sql.Jsonb(settings))).GetProperty("id").GetGuid();
        await World.CallAsync("select public.link_datastore($1, $2)", Sql.Uuid(datastore), Sql.Uuid(agent));
        return (agent, datastore);
    }

    internal async Task<Guid> IngestAsync(
        Guid datastoreId, string title, string content, string mediaType = "text/plain", string? source = null)
    {
        var (status, body) =
            await PostAsync("/functions/v1/documents", JsonSerializer.Serialize(new { datastoreId, title, content, mediaType, source }));
        status.ShouldBe(HttpStatusCode.OK, body.ToString());
        return body.GetProperty("id").GetGuid();
    }

    /// <param name="token">Empty: none; null: the owner's.</param>
    internal async Task<(HttpStatusCode Status, JsonElement Body)> PostAsync(string path, string body, string? token = null)
    {
        using var client = Client(token is "" ? null : token ?? OwnerToken);
        using var response = await client.PostAsync(path, new StringContent(body, Encoding.UTF8, "application/json"));
        return (response.StatusCode, JsonElement.Parse(await response.Content.ReadAsStringAsync()));
    }

    internal Task<KnowledgeAnswer> FindAsync(Guid agentId, string query, int limit = 10, Guid? userId = null) =>
        Search.FindAsync(Principal.OfPerson(userId ?? World.OwnerId, agentId), query, limit, TestContext.Current.CancellationToken);

    internal async Task<string[]> TitlesAsync(
        Guid agentId, string query, int limit = 10) => [.. (await FindAsync(agentId, query, limit)).Passages.Select(p => p.Title)];

    internal async Task<(string Status, string? Detail)> StatusAsync(Guid documentId) => (await Database.Superuser.QueryAsync(
        "select status, status_detail from public.documents where id = $1", [Sql.Uuid(documentId)],
        r => (r.GetString(0), r.GetNullableString(1)), CancellationToken.None)).Single();

    internal Task UntilEmbeddedAsync(params Guid[] documents) => Until.AsyncTrue(
        async () => (await Task.WhenAll(documents.Select(StatusAsync))).All(s => s.Status == "embedded"), "the embeddings of documents");

    private protected override WeirConfig Configure(WeirConfig config) =>
        config with { Knowledge = config.Knowledge with { MaxDocumentBytes = MaxDocumentBytes } };
}

/// <summary>The same with a model for embeddings, and with Pinecone.</summary>
public sealed class EmbeddingWorld(TestCluster cluster) : KnowledgeWorld(cluster)
{
    internal const int QueryMilliseconds = 2000;
    private const string KeyVariable = "WEIR_TEST_EMBEDDING_KEY";
    private const string PineconeVariable = "WEIR_TEST_PINECONE_KEY";

    internal FakeEmbeddings Embeddings { get; } = new();

    internal FakePinecone Pinecone { get; } = new();

    public override async ValueTask InitializeAsync()
    {
        Environment.SetEnvironmentVariable(KeyVariable, "sk-test");
        Environment.SetEnvironmentVariable(PineconeVariable, FakePinecone.Key);
        await Embeddings.StartAsync();
        await Pinecone.StartAsync();
        await base.InitializeAsync();
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        await Embeddings.DisposeAsync();
        await Pinecone.DisposeAsync();
    }

    private protected override WeirConfig Configure(WeirConfig config) => config with
    {
        Knowledge = config.Knowledge with
        {
            Embeddings = new EmbeddingsConfig
            {
                Url = new Uri(Embeddings.Url, "/v1"),
                Model = "ten-ideas",
                KeyVariable = KeyVariable,
                QueryMilliseconds = QueryMilliseconds,
            },
            Pinecone = new PineconeConfig { Url = Pinecone.Url, KeyVariable = PineconeVariable, Indexes = [FakePinecone.Index] },
        },
    };
}
