using Microsoft.Extensions.DependencyInjection;
using Weir.Configuration;
using Weir.Egress;
using Weir.Errors;
using Weir.Knowledge;
using Weir.Knowledge.Store;
using Weir.Knowledge.Vectors;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Knowledge;

/// <summary>
/// Documents found by their meaning, in this process, and vectors in Pinecone; with a local API that speaks as OpenAI's, and one as
/// Pinecone's.
/// </summary>
public sealed class EmbeddingTests(EmbeddingWorld weir) : IClassFixture<EmbeddingWorld>
{
    [Fact]
    public async Task A_text_without_a_word_of_the_query_is_found_by_its_meaning()
    {
        var (agent, datastore) = await weir.CreateAsync();
        await weir.UntilEmbeddedAsync(
            await weir.IngestAsync(datastore, "Rest", "Everybody gets twenty days of vacation."),
            await weir.IngestAsync(datastore, "Pets", "A puppy may come to the office."));

        (await weir.TitlesAsync(agent, "holidays", 1)).ShouldBe(["Rest"]);
        (await weir.TitlesAsync(agent, "dogs", 1)).ShouldBe(["Pets"]);
    }

    [Fact]
    public async Task What_words_and_meaning_find_both_comes_first()
    {
        var (agent, datastore) = await weir.CreateAsync();
        await weir.UntilEmbeddedAsync(
            await weir.IngestAsync(datastore, "Words", "holiday salary recipe doctor song"),
            await weir.IngestAsync(datastore, "Meaning", "vacation leave"),
            await weir.IngestAsync(datastore, "Both", "holiday holiday leave"));

        var passages = (await weir.FindAsync(agent, "holiday")).Passages;

        passages[0].Title.ShouldBe("Both");
        passages.Select(p => p.Score).ShouldBeInOrder(SortDirection.Descending);
        passages.ShouldAllBe(p => p.Score > 0 && p.Score <= 1);
    }

    [Fact]
    public async Task What_comes_and_goes_later_is_found_and_is_not_although_vectors_are_kept()
    {
        var (agent, datastore) = await weir.CreateAsync();
        var first = await weir.IngestAsync(datastore, "First", "an automobile");
        await weir.UntilEmbeddedAsync(first);
        (await weir.TitlesAsync(agent, "car")).ShouldBe(["First"]);

        await weir.UntilEmbeddedAsync(await weir.IngestAsync(datastore, "Second", "a vehicle"));
        (await weir.TitlesAsync(agent, "car")).ShouldBe(["First", "Second"], ignoreOrder: true);
        await weir.World.CallAsync("select public.delete_document($1)", Sql.Uuid(first));
        (await weir.TitlesAsync(agent, "car")).ShouldBe(["Second"]);
    }

    [Fact]
    public async Task Vectors_that_are_read_for_long_are_named_as_missing_and_are_there_for_a_later_question()
    {
        const string Signature = "(uuid, uuid, uuid, text, bigint, bigint, bigint)";
        var (agent, datastore) = await weir.CreateAsync();
        await weir.UntilEmbeddedAsync(await weir.IngestAsync(datastore, "Late", "a storm"));
        await weir.Database.Superuser.ExecuteAsync(
            $$"""
            alter function weir.chunk_vectors{{Signature}} rename to chunk_vectors_at_once;
            create function weir.chunk_vectors(p_user_id uuid, p_agent_id uuid, p_datastore_id uuid, p_model text, p_after bigint, p_until bigint, p_limit bigint)
            returns table (chunk_id uuid, embedding real[]) language plpgsql as $$
            begin
              perform pg_advisory_xact_lock_shared(4711);
              return query select * from weir.chunk_vectors_at_once(p_user_id, p_agent_id, p_datastore_id, p_model, p_after, p_until, p_limit);
            end; $$
            """,
            [], CancellationToken.None);
        try
        {
            await using (var holder = await weir.Database.Superuser.OpenConnectionAsync())
            {
                await using var transaction = await holder.BeginTransactionAsync();
                await using var hold = new Npgsql.NpgsqlCommand("select pg_advisory_xact_lock(4711)", holder, transaction);
                await hold.ExecuteNonQueryAsync();

                var answer = await weir.FindAsync(agent, "rain");
                answer.Passages.ShouldBeEmpty();
                answer.Missing.ShouldHaveSingleItem().ShouldContain("vectors");
            }

            await Until.AsyncTrue(async () => (await weir.TitlesAsync(agent, "rain")) is ["Late"], "the vectors are read");
        }
        finally
        {
            await weir.Database.Superuser.ExecuteAsync(
                $"drop function weir.chunk_vectors{Signature}; alter function weir.chunk_vectors_at_once{Signature} rename to "
                    + "chunk_vectors", [], CancellationToken.None);
        }
    }

    [Fact]
    public async Task F05_a_datastore_with_more_vectors_than_are_kept_is_refused_before_they_are_read_and_the_others_are_searched()
    {
        var (agent, datastore) = await weir.CreateAsync();
        var (otherAgent, small) = await weir.CreateAsync();
        await weir.UntilEmbeddedAsync(
            [.. await Task.WhenAll(Enumerable.Range(0, 8).Select(i => weir.IngestAsync(datastore, "Large" + i, "rain " + i))),
            await weir.IngestAsync(small, "Small", "rain")]);
        var queries = weir.Services.GetRequiredService<KnowledgeQueries>();
        var source = (await queries.SourcesAsync(weir.World.OwnerId, agent, CancellationToken.None)).Sources.ShouldHaveSingleItem();
        var other = (await queries.SourcesAsync(weir.World.OwnerId, otherAgent, CancellationToken.None)).Sources.ShouldHaveSingleItem();
        var model = weir.Services.GetRequiredService<KnowledgeConfig>().Embeddings.Model!;
        // Room for two of ten dimensions.
        var time = new ShiftedTime();
        using var cache = new VectorCache(queries, 2 * VectorSegment.BytesOf(10), time);

        foreach (var _ in Enumerable.Range(0, 2))
        {
            var refusal = await cache.SegmentsAsync(weir.World.OwnerId, agent, model, 10, source, CancellationToken.None)
                .ShouldThrowAsync<WeirException>();
            refusal.Code.ShouldBe(ErrorCode.NotSupported);
            refusal.Message.ShouldContain("knowledge.vectorCacheMegabytes");
        }

        cache.Read.Readings.ShouldBe(1, "what was too large is not read for each search");
        cache.Read.Most.ShouldBe(3, "one more than there is room for");
        (await cache.SegmentsAsync(weir.World.OwnerId, otherAgent, model, 10, other, CancellationToken.None)).Sum(s => s.Count).ShouldBe(1);
        cache.Bytes.ShouldBe(VectorSegment.BytesOf(10));
        time.Advance(TimeSpan.FromMinutes(2));
        await cache.SegmentsAsync(weir.World.OwnerId, agent, model, 10, source, CancellationToken.None).ShouldThrowAsync<WeirException>();
        cache.Read.Readings.ShouldBe(3);
    }

    [Fact]
    public async Task A03_kept_vectors_hold_no_permission()
    {
        var (agent, datastore) = await weir.CreateAsync();
        var (other, _) = await weir.CreateAsync();
        await weir.UntilEmbeddedAsync(await weir.IngestAsync(datastore, "One", "a storm"));
        (await weir.TitlesAsync(agent, "rain")).ShouldBe(["One"]);

        (await weir.TitlesAsync(other, "rain")).ShouldBeEmpty();
        await weir.World.CallAsync("select public.unlink_datastore($1, $2)", Sql.Uuid(datastore), Sql.Uuid(agent));
        (await weir.TitlesAsync(agent, "rain")).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_document_that_cannot_be_embedded_says_so_is_found_by_its_words_and_harms_no_other()
    {
        var (agent, datastore) = await weir.CreateAsync();
        var bad = await weir.IngestAsync(datastore, "Bad", "unembeddable recipe");
        var good = await weir.IngestAsync(datastore, "Good", "cooking");

        await weir.UntilEmbeddedAsync(good);
        await Until.AsyncTrue(async () => (await weir.StatusAsync(bad)).Status == "embedding_failed", "the failure of a document");

        var (_, detail) = await weir.StatusAsync(bad);
        detail.ShouldBe("The embedding API answered 400.", "and nothing of what the API said");
        (await weir.TitlesAsync(agent, "unembeddable", 1)).ShouldBe(["Bad"]);
        // Tried again later, it would make another test's batch fail, whose documents are then sent once more, each by itself.
        await weir.World.CallAsync("select public.delete_document($1)", Sql.Uuid(bad));
    }

    [Fact]
    public async Task The_same_text_is_embedded_once_in_an_organization()
    {
        var (_, datastore) = await weir.CreateAsync();
        var (_, other) = await weir.CreateAsync();
        var text = "budget " + KnowledgeWorld.NewName("n");
        await weir.UntilEmbeddedAsync(await weir.IngestAsync(datastore, "Same", text));

        await weir.UntilEmbeddedAsync(await weir.IngestAsync(other, "Same", text));

        weir.Embeddings.Requests.Count(r => r.Body.Contains(text, StringComparison.Ordinal)).ShouldBe(1);
    }

    [Fact]
    public async Task A_search_goes_on_by_words_where_the_api_does_not_answer_and_says_so()
    {
        var (agent, datastore) = await weir.CreateAsync();
        await weir.UntilEmbeddedAsync(await weir.IngestAsync(datastore, "One", "wombats and music"));
        weir.Embeddings.Failures.Enqueue(FakeApi.Hang);

        var answer = await weir.FindAsync(agent, "wombats");

        answer.Passages.ShouldHaveSingleItem().Title.ShouldBe("One");
        answer.Missing.ShouldHaveSingleItem().ShouldBe("The embedding API did not answer within 2 s.");
    }

    [Fact]
    public async Task Vectors_of_a_pinecone_datastore_are_there_and_its_texts_are_here()
    {
        var (agent, datastore) = await weir.CreateAsync("pinecone", """{"index": "weir-docs"}""");
        var id = await weir.IngestAsync(datastore, "Pine", "a physician");
        await weir.UntilEmbeddedAsync(id);

        (await weir.TitlesAsync(agent, "doctor")).ShouldBe(["Pine"]);

        var described = weir.Pinecone.Requests.First(r => r.Method == "GET");
        described.Path.ShouldBe("/indexes/weir-docs");
        described.Headers["Api-Key"].ShouldBe(FakePinecone.Key);
        described.Headers["X-Pinecone-Api-Version"].ShouldBe("2025-10");
        var upsert = weir.Pinecone.Requests.First(
            r => r.Path == "/vectors/upsert" && r.Body.Contains(datastore.ToString(), StringComparison.Ordinal)).Json;
        upsert.GetProperty("namespace").GetString().ShouldBe(weir.World.OrganizationId.ToString());
        var vector = upsert.GetProperty("vectors").EnumerateArray()
            .Single(v => v.GetProperty("metadata").GetProperty("document_id").GetGuid() == id);
        vector.GetProperty("metadata").EnumerateObject().Select(p => p.Name).ShouldBe(["datastore_id", "document_id"], "no text leaves");
        vector.GetProperty("values").GetArrayLength().ShouldBe(10);
        var query =
            weir.Pinecone.Requests.First(r => r.Path == "/query" && r.Body.Contains(datastore.ToString(), StringComparison.Ordinal)).Json;
        query.GetProperty("namespace").GetString().ShouldBe(weir.World.OrganizationId.ToString());
        query.GetProperty("topK").GetInt32().ShouldBe(30);
        query.GetProperty("includeMetadata").GetBoolean().ShouldBeFalse();
        (await weir.Database.Superuser.ScalarAsync<long>(
            "select count(*) from weir.document_chunks where document_id = $1 and embedding is not null", [Sql.Uuid(id)],
            CancellationToken.None)).ShouldBe(0);
    }

    [Fact]
    public async Task What_is_deleted_here_is_deleted_in_pinecone()
    {
        var (_, datastore) = await weir.CreateAsync("pinecone", """{"index": "weir-docs"}""");
        var id = await weir.IngestAsync(datastore, "Pine", "a song to delete");
        await weir.UntilEmbeddedAsync(id);
        bool IsThere() => weir.Pinecone.Vectors.Values.Any(v => v.Metadata.GetProperty("document_id").GetGuid() == id);
        IsThere().ShouldBeTrue();

        await weir.World.CallAsync("select public.delete_document($1)", Sql.Uuid(id));

        await Until.True(() => !IsThere(), "the removal of a vector");
    }

    [Fact]
    public async Task A03_an_id_that_pinecone_makes_up_shows_nothing_of_anybody_else()
    {
        var (_, secret) = await weir.CreateAsync();
        var hidden = await weir.IngestAsync(secret, "Secret", "not for this agent");
        var chunk = await weir.Database.Superuser.ScalarAsync<Guid>(
            "select id from weir.document_chunks where document_id = $1", [Sql.Uuid(hidden)], CancellationToken.None);
        var (agent, datastore) = await weir.CreateAsync("pinecone", """{"index": "weir-docs"}""");
        await weir.UntilEmbeddedAsync(await weir.IngestAsync(datastore, "Own", "a wage"));

        weir.Pinecone.Planted = [chunk.ToString(), "no id", Guid.Empty.ToString()];
        var titles = await weir.TitlesAsync(agent, "salary");
        weir.Pinecone.Planted = [];

        titles.ShouldBe(["Own"]);
    }

    [Fact]
    public async Task An_index_that_the_operator_has_not_named_is_not_asked_and_the_document_says_so()
    {
        var (agent, datastore) = await weir.CreateAsync("pinecone", """{"index": "somebody-elses"}""");
        var id = await weir.IngestAsync(datastore, "Pine", "a storm of words");

        await Until.AsyncTrue(async () => (await weir.StatusAsync(id)).Status == "embedding_failed", "the failure of a document");

        (await weir.StatusAsync(id)).Detail.ShouldBe("The index somebody-elses is not one that this Weir uses.");
        weir.Pinecone.Requests.ShouldNotContain(r => r.Path.Contains("somebody", StringComparison.Ordinal));
        var answer = await weir.FindAsync(agent, "words");
        answer.Passages.ShouldHaveSingleItem();
        answer.Missing.ShouldHaveSingleItem();
    }
}

/// <summary>The client of OpenAI's API alone, against what an API may answer.</summary>
public sealed class OpenAiEmbeddingsTests : IAsyncLifetime
{
    private readonly FakeEmbeddings _api = new();
    private readonly EgressHttp _egress = new(new EgressPolicy([]));

    public ValueTask InitializeAsync() => new(_api.StartAsync());

    public async ValueTask DisposeAsync()
    {
        await _api.DisposeAsync();
        _egress.Dispose();
    }

    [Fact]
    public async Task Vectors_come_back_in_the_order_of_the_texts_and_of_length_one()
    {
        using var embeddings = Client(dimensions: 10);

        var made = await embeddings.GenerateAsync(["holiday", "dog", "nothing"]);

        made.Count.ShouldBe(3);
        made.ShouldAllBe(e => Math.Abs(e.Vector.ToArray().Sum(v => v * v) - 1) < 1e-5);
        made[0].Vector.Span[0].ShouldBeGreaterThan(0.9f);
        made[1].Vector.Span[2].ShouldBeGreaterThan(0.9f);
        made[2].Vector.Span[9].ShouldBe(1);
        var request = _api.Requests.ShouldHaveSingleItem();
        request.Path.ShouldBe("/v1/embeddings");
        request.Headers["Authorization"].ShouldBe("Bearer sk-123");
        request.Json.GetProperty("model").GetString().ShouldBe("ten-ideas");
        request.Json.GetProperty("encoding_format").GetString().ShouldBe("float");
        request.Json.GetProperty("dimensions").GetInt32().ShouldBe(10);
    }

    [Theory]
    [InlineData("""{}""")]
    [InlineData("""[]""")]
    [InlineData("""{"data": []}""")]
    [InlineData("""{"data": {}}""")]
    [InlineData("""{"data": [{"index": 0, "embedding": [1]}, {"index": 0, "embedding": [1]}]}""")]
    [InlineData("""{"data": [{"index": 0, "embedding": [1]}, {"index": 7, "embedding": [1]}]}""")]
    [InlineData("""{"data": [{"index": 0, "embedding": [1]}, {"index": 1, "embedding": [1, 2]}]}""")]
    [InlineData("""{"data": [{"index": 0, "embedding": [1]}, {"index": 1, "embedding": []}]}""")]
    [InlineData("""{"data": [{"index": 0, "embedding": [1]}, {"index": 1, "embedding": [0]}]}""")]
    [InlineData("""{"data": [{"index": 0, "embedding": [1]}, {"index": 1, "embedding": ["x"]}]}""")]
    [InlineData("""{"data": [{"index": 0, "embedding": [1]}, {"index": 1, "embedding": [1e99]}]}""")]
    [InlineData("""{"data": [{"index": 0, "embedding": [1]}, {"index": 1, "embedding": "AAAA"}]}""")]
    [InlineData("""{"data": [1, 2]}""")]
    [InlineData("no json")]
    [InlineData("")]
    public async Task An_answer_that_is_no_answer_is_a_typed_error(string body)
    {
        _api.Failures.Enqueue(FakeApi.Status(200, body));

        (await FailAsync()).Code.ShouldBe(ErrorCode.UpstreamFailed);
    }

    [Theory]
    [InlineData(301, ErrorCode.UpstreamFailed)]
    [InlineData(400, ErrorCode.UpstreamFailed)]
    [InlineData(401, ErrorCode.UpstreamFailed)]
    [InlineData(429, ErrorCode.RateLimited)]
    [InlineData(500, ErrorCode.UpstreamFailed)]
    public async Task A_refusal_is_a_typed_error_that_repeats_nothing_of_it(int status, object code)
    {
        _api.Failures.Enqueue(FakeApi.Status(status, """{"error": {"message": "your key sk-123 is wrong"}}"""));

        var error = await FailAsync();

        error.Code.ShouldBe((ErrorCode)code);
        error.Message.ShouldNotContain("sk-123");
    }

    [Fact]
    public async Task An_api_that_hangs_or_cannot_be_reached_or_floods_is_a_typed_error()
    {
        _api.Failures.Enqueue(FakeApi.Hang);
        (await FailAsync()).Code.ShouldBe(ErrorCode.UpstreamTimeout);

        _api.Failures.Enqueue(FakeApi.Status(200, new string(' ', 2 * 1024 * 1024)));
        (await FailAsync()).Code.ShouldBe(ErrorCode.UpstreamFailed);

        await _api.DisposeAsync();
        (await FailAsync()).Code.ShouldBe(ErrorCode.UpstreamFailed);
    }

    [Fact]
    public async Task A_key_that_is_not_there_is_a_typed_error_and_nothing_is_sent()
    {
        using var embeddings = new OpenAiEmbeddings(Config(0), _egress, _ => null, TimeProvider.System);

        (await Should.ThrowAsync<WeirException>(() => embeddings.GenerateAsync(["x"]))).Code.ShouldBe(ErrorCode.NotSupported);
        _api.Requests.ShouldBeEmpty();
    }

    private async Task<WeirException> FailAsync()
    {
        using var embeddings = Client();
        return await Should.ThrowAsync<WeirException>(() => embeddings.GenerateAsync(["one", "two"]));
    }

    private OpenAiEmbeddings Client(int dimensions = 0) =>
        new(Config(dimensions), _egress, name => name == "THE_KEY" ? "sk-123" : null, TimeProvider.System);

    private EmbeddingsConfig Config(int dimensions) =>
        new()
        {
            Url = new Uri(_api.Url, "/v1/"),
            Model = "ten-ideas",
            KeyVariable = "THE_KEY",
            Dimensions = dimensions,
            TimeoutSeconds = 1,
        };
}
