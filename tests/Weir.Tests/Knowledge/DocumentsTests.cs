using System.Net;
using System.Text.Json;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Knowledge;

/// <summary>Documents over HTTP, found by their words.</summary>
public sealed class DocumentsTests(KnowledgeWorld weir) : IClassFixture<KnowledgeWorld>
{
    [Fact]
    public async Task A_document_is_found_with_where_it_is_from()
    {
        var (agent, datastore) = await weir.CreateAsync();
        var id = await weir.IngestAsync(datastore, "Handbook", "# Leave\n\nTwenty days of holiday.\n\n# Pay\n\nMonthly.", "text/markdown",
            "https://intranet.example/handbook");

        var passage = (await weir.FindAsync(agent, "how many days of holiday are there?")).Passages.ShouldHaveSingleItem();

        passage.DocumentId.ShouldBe(id);
        passage.Title.ShouldBe("Handbook");
        passage.Source.ShouldBe("https://intranet.example/handbook");
        passage.Heading.ShouldBe("Leave");
        passage.Text.ShouldBe("Twenty days of holiday.");
        passage.Ordinal.ShouldBe(0);
        passage.Score.ShouldBeInRange(0.25, 0.5, "two of the three words");
        (await weir.StatusAsync(id)).ShouldBe(("indexed", null), "nobody embeds here");
    }

    [Fact]
    public async Task The_same_content_again_is_the_same_document()
    {
        var (_, datastore) = await weir.CreateAsync();
        var first = await weir.IngestAsync(datastore, "One", "the same words");

        (await weir.IngestAsync(datastore, "Two", "the same words")).ShouldBe(first);
        (await weir.IngestAsync(datastore, "One", "the same words, and more")).ShouldNotBe(first);
    }

    [Fact]
    public async Task The_same_content_twice_at_once_is_one_document()
    {
        var (_, datastore) = await weir.CreateAsync();

        var ids = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => weir.IngestAsync(datastore, "One", "at once")));

        ids.Distinct().ShouldHaveSingleItem();
    }

    [Fact]
    public async Task A_page_brings_its_title_and_no_scripts()
    {
        var (agent, datastore) = await weir.CreateAsync();
        var body = JsonSerializer.Serialize(
            new
            {
                datastoreId = datastore,
                mediaType = "text/html",
                content = "<title>A page</title><script>wombat()</script><p hidden>wombat</p><h1>Marsupials</h1><p>Kangaroo.</p>",
            });

        (await weir.PostAsync("/functions/v1/documents", body)).Status.ShouldBe(HttpStatusCode.OK);

        (await weir.FindAsync(agent, "kangaroo")).Passages.Single()
            .ShouldSatisfyAllConditions(p => p.Title.ShouldBe("A page"), p => p.Heading.ShouldBe("Marsupials"));
        (await weir.FindAsync(agent, "wombat")).Passages.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_long_document_is_found_piece_by_piece()
    {
        var (agent, datastore) = await weir.CreateAsync();
        var id = await weir.IngestAsync(
            datastore, "Long",
            string.Join("\n\n",
                Enumerable.Range(0, 500).Select(i => $"Paragraph {i} is about subject{i} and nothing else that would matter here.")));

        var passage = (await weir.FindAsync(agent, "subject321")).Passages;

        passage.ShouldAllBe(p => p.DocumentId == id && p.Text.Contains("subject321"));
        passage[0].Ordinal.ShouldBeGreaterThan(5);
        var read = await weir.Database.Users.QueryAsync(
            weir.World.OwnerId, "select ordinal from public.get_document_chunks($1, null, 200)", [Sql.Uuid(id)], r => r.GetInt32(0),
            CancellationToken.None);
        read.ShouldBe(Enumerable.Range(0, read.Count));
    }

    [Fact]
    public async Task What_is_deleted_or_unlinked_is_found_no_more()
    {
        var (agent, datastore) = await weir.CreateAsync();
        var id = await weir.IngestAsync(datastore, "One", "platypus one");
        await weir.IngestAsync(datastore, "Two", "platypus two");
        (await weir.TitlesAsync(agent, "platypus")).Length.ShouldBe(2);

        await weir.World.CallAsync("select public.delete_document($1)", Sql.Uuid(id));
        (await weir.TitlesAsync(agent, "platypus")).ShouldBe(["Two"]);
        await weir.World.CallAsync("select public.unlink_datastore($1, $2)", Sql.Uuid(datastore), Sql.Uuid(agent));
        (await weir.TitlesAsync(agent, "platypus")).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_deleted_datastore_goes_with_all_that_is_in_it()
    {
        var (_, datastore) = await weir.CreateAsync();
        var id = await weir.IngestAsync(datastore, "One", "going");

        await weir.World.CallAsync("select public.delete_datastore($1)", Sql.Uuid(datastore));

        await Until.AsyncTrue(
            async () =>
                await weir.Database.Superuser.ScalarAsync<long>("select count(*) from public.documents where id = $1", [Sql.Uuid(id)],
                    CancellationToken.None) == 0, "the deletion of a datastore");
    }

    [Fact]
    public async Task The_search_over_http_finds_the_same()
    {
        var (agent, datastore) = await weir.CreateAsync();
        await weir.IngestAsync(datastore, "One", "echidna");

        var (status, body) =
            await weir.PostAsync(
                "/functions/v1/documents/search", JsonSerializer.Serialize(new { agentId = agent, query = "echidna", limit = 3 }));

        status.ShouldBe(HttpStatusCode.OK);
        body.GetProperty("passages")[0].GetProperty("title").GetString().ShouldBe("One");
        body.GetProperty("missing").GetArrayLength().ShouldBe(0);
    }

    [Theory]
    [InlineData("/functions/v1/documents")]
    [InlineData("/functions/v1/documents/search")]
    public async Task Nobody_without_a_persons_token_gets_in(string path)
    {
        (await weir.PostAsync(path, "{}", token: "")).Status.ShouldBe(HttpStatusCode.Unauthorized);
        (await weir.PostAsync(path, "{}", token: weir.World.AgentKey)).Status.ShouldBe(HttpStatusCode.Unauthorized);
        (await weir.PostAsync(path, "{}", token: "rubbish")).Status.ShouldBe(HttpStatusCode.Unauthorized);
    }

    public static TheoryData<string, int> BadDocuments => new()
    {
        { "", 400 }, { "null", 400 }, { "[]", 400 }, { "{", 400 }, { "{}", 400 },
        { """{"datastoreId": "DS"}""", 400 }, { """{"datastoreId": "DS", "title": "t", "content": ""}""", 400 },
        { """{"datastoreId": "DS", "title": "t", "content": " \n "}""", 400 },
        { """{"datastoreId": "DS", "title": "t", "content": 1}""", 400 }, { """{"datastoreId": "DS", "title": 1, "content": "x"}""", 400 },
        { """{"datastoreId": 1, "title": "t", "content": "x"}""", 400 },
        { """{"datastoreId": "../x", "title": "t", "content": "x"}""", 400 }, { """{"datastoreId": "DS", "content": "no title"}""", 400 },
        { """{"datastoreId": "DS", "title": "a\nb", "content": "x"}""", 400 },
        { """{"datastoreId": "DS", "title": "t", "content": "x", "mediaType": "application/pdf"}""", 400 },
        { """{"datastoreId": "DS", "title": "t", "content": "x", "source": "a\u0007b"}""", 400 },
        { """{"datastoreId": "DS", "title": "t", "content": "a\u0000b"}""", 400 },
        { """{"datastoreId": "DS", "title": "t", "content": "a\ud800b"}""", 400 },
        { """{"datastoreId": "DS", "title": "t", "content": "\u0001\u0002\u0003\u0004\u0005"}""", 400 },
        { """{"datastoreId": "DS", "title": "t", "content": "x", "content": "y"}""", 400 },
        { """{"datastoreId": "DS", "title": "t", "content": "<script>x</script>", "mediaType": "text/html"}""", 400 },
        { """{"datastoreId": "DS", "title": "t", "content": "\u200b\u200b"}""", 400 },
        { """{"datastoreId": "01900000-0000-7000-8000-00000000dead", "title": "t", "content": "x"}""", 404 },
        { $$"""{"datastoreId": "DS", "title": "{{new string('t', 301)}}", "content": "x"}""", 400 },
    };

    [Theory]
    [MemberData(nameof(BadDocuments))]
    public async Task A_bad_document_is_refused_by_a_typed_error_and_nothing_is_kept(string body, int status)
    {
        var (_, datastore) = await weir.CreateAsync();

        var answer = await weir.PostAsync("/functions/v1/documents", body.Replace("DS", datastore.ToString(), StringComparison.Ordinal));

        ((int)answer.Status).ShouldBe(status, answer.Body.ToString());
        answer.Body.EnumerateObject().Select(p => p.Name).ShouldBe(["code", "message", "details", "hint"]);
        answer.Body.GetProperty("code").GetString().ShouldBe(status == 404 ? "WR004" : "WR001");
        (await CountAsync(datastore)).ShouldBe(0);
    }

    [Theory]
    [InlineData(KnowledgeWorld.MaxDocumentBytes + 1)]
    [InlineData(10 * 1024 * 1024)]
    public async Task A_huge_document_is_refused(int bytes)
    {
        var (_, datastore) = await weir.CreateAsync();

        var (status, body) =
            await weir.PostAsync("/functions/v1/documents",
                JsonSerializer.Serialize(new { datastoreId = datastore, title = "t", content = new string('x', bytes) }));

        status.ShouldBe(HttpStatusCode.RequestEntityTooLarge);
        body.GetProperty("code").GetString().ShouldBe("WR014");
        (await CountAsync(datastore)).ShouldBe(0);
    }

    [Fact]
    public async Task Bytes_that_are_no_text_are_refused()
    {
        var (_, datastore) = await weir.CreateAsync();
        using var client = weir.Client(weir.OwnerToken);
        byte[] body = [
            .. System.Text.Encoding.UTF8.GetBytes($$"""{"datastoreId": "{{datastore}}", "title": "t", "content": "x"""), 0xFF, 0xFE, 0x80,
            .. "\"}"u8,
        ];

        using var response = await client.PostAsync("/functions/v1/documents", new ByteArrayContent(body));

        response.StatusCode.ShouldBe(HttpStatusCode.BadRequest);
    }

    [Theory]
    [InlineData("""{}""")]
    [InlineData("""{"agentId": "AG"}""")]
    [InlineData("""{"agentId": "AG", "query": 1}""")]
    [InlineData("""{"agentId": "AG", "query": "x", "limit": 0}""")]
    [InlineData("""{"agentId": "AG", "query": "x", "limit": 1.5}""")]
    [InlineData("""{"agentId": "AG", "query": "x", "limit": 51}""")]
    [InlineData("""{"agentId": "AG", "query": "a\u0000"}""")]
    [InlineData("""{"agentId": "x", "query": "a"}""")]
    public async Task A_bad_search_is_refused(string body)
    {
        var (agent, _) = await weir.CreateAsync();

        var answer = await weir.PostAsync("/functions/v1/documents/search", body.Replace("AG", agent.ToString(), StringComparison.Ordinal));

        answer.Status.ShouldBe(HttpStatusCode.BadRequest);
        answer.Body.GetProperty("code").GetString().ShouldBe("WR001");
    }

    [Theory]
    [InlineData("\ud800 half")]
    [InlineData("a\0b")]
    [InlineData("")]
    public async Task Nothing_in_a_query_breaks_the_search(string query)
    {
        var (agent, _) = await weir.CreateAsync();

        (await weir.FindAsync(agent, query)).Passages.ShouldBeEmpty();
    }

    private Task<long> CountAsync(Guid datastore) =>
        weir.Database.Superuser.ScalarAsync<long>(
            "select count(*) from public.documents where datastore_id = $1", [Sql.Uuid(datastore)], CancellationToken.None)!;
}
