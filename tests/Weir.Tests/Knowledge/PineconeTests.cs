using Weir.Configuration;
using Weir.Egress;
using Weir.Errors;
using Weir.Knowledge.Vectors;

namespace Weir.Tests.Knowledge;

/// <summary>Pinecone's client alone, against a local server that speaks its HTTP API.</summary>
public sealed class PineconeTests : IAsyncLifetime
{
    private static readonly Guid OrganizationId = new(1, 0, 0, new byte[8]);
    private static readonly Guid DatastoreId = new(2, 0, 0, new byte[8]);

    private readonly FakePinecone _api = new();
    private readonly EgressHttp _egress = new(new EgressPolicy(["127.0.0.1"]));

    public ValueTask InitializeAsync() => new(_api.StartAsync());

    public async ValueTask DisposeAsync()
    {
        await _api.DisposeAsync();
        _egress.Dispose();
    }

    [Fact]
    public async Task Each_organization_has_its_namespace_and_each_query_its_datastores()
    {
        var client = Client();
        await client.UpsertAsync(FakePinecone.Index, OrganizationId,
            [Vector(1, [1, 0]), Vector(2, [0, 1]), Vector(3, [1, 0]) with { DatastoreId = Guid.Empty }], default);
        await client.UpsertAsync(FakePinecone.Index, Guid.Empty, [Vector(4, [1, 0])], default);

        var hits = await client.QueryAsync(FakePinecone.Index, OrganizationId, [1, 0], [DatastoreId], 10, default);

        hits.Select(h => h.ChunkId).ShouldBe([Id(1), Id(2)]);
        hits[0].Score.ShouldBe(1);
    }

    [Fact]
    public async Task The_index_is_looked_for_once_and_again_when_it_has_failed()
    {
        var client = Client();
        await client.UpsertAsync(FakePinecone.Index, OrganizationId, [Vector(1, [1, 0])], default);
        await client.DeleteAsync(FakePinecone.Index, OrganizationId, [Id(9)], default);
        Described().ShouldBe(1);

        _api.Failures.Enqueue(FakeApi.Status(503));
        (await FailAsync(client)).Code.ShouldBe(ErrorCode.UpstreamFailed);
        await client.QueryAsync(FakePinecone.Index, OrganizationId, [1, 0], [DatastoreId], 1, default);

        Described().ShouldBe(2);
    }

    [Fact]
    public async Task Many_vectors_go_in_requests_that_pinecone_takes()
    {
        var client = Client();
        await client.UpsertAsync(FakePinecone.Index, OrganizationId, [.. Enumerable.Range(0, 250).Select(i => Vector(i, [1, 0]))], default);
        await client.DeleteAsync(FakePinecone.Index, OrganizationId, [.. Enumerable.Range(0, 2100).Select(Id)], default);

        _api.Requests.Where(r => r.Path == "/vectors/upsert").Select(r => r.Json.GetProperty("vectors").GetArrayLength())
            .ShouldBe([100, 100, 50]);
        _api.Requests.Where(r => r.Path == "/vectors/delete").Select(r => r.Json.GetProperty("ids").GetArrayLength())
            .ShouldBe([1000, 1000, 100]);
        _api.Vectors.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("metadata.internal.example")]
    [InlineData("10.0.0.1")]
    [InlineData("169.254.169.254")]
    [InlineData("user:password@127.0.0.1")]
    [InlineData("127.0.0.1/path")]
    [InlineData("")]
    public async Task A12_a_host_that_pinecone_names_goes_through_the_checks_of_egress(string host)
    {
        _api.Host = host;

        var error = await FailAsync(Client());

        error.Code.ShouldBeOneOf(ErrorCode.Forbidden, ErrorCode.UpstreamFailed);
        _api.Requests.ShouldHaveSingleItem("no key went anywhere else");
    }

    [Theory]
    [InlineData(401, ErrorCode.UpstreamFailed)]
    [InlineData(429, ErrorCode.RateLimited)]
    [InlineData(500, ErrorCode.UpstreamFailed)]
    public async Task A_refusal_is_a_typed_error(int status, object code)
    {
        var client = Client();
        await client.UpsertAsync(FakePinecone.Index, OrganizationId, [Vector(1, [1, 0])], default);
        _api.Failures.Enqueue(FakeApi.Status(status, FakePinecone.Key));

        var error = await FailAsync(client);

        error.Code.ShouldBe((ErrorCode)code);
        error.Message.ShouldNotContain(FakePinecone.Key);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"matches": 1}""")]
    public async Task An_answer_that_is_no_answer_is_a_typed_error(string body)
    {
        var client = Client();
        await client.UpsertAsync(FakePinecone.Index, OrganizationId, [Vector(1, [1, 0])], default);
        _api.Failures.Enqueue(FakeApi.Status(200, body));

        (await FailAsync(client)).Code.ShouldBe(ErrorCode.UpstreamFailed);
    }

    [Fact]
    public async Task An_index_that_is_not_there_one_that_nobody_named_and_a_missing_key_are_typed_errors()
    {
        (await FailAsync(Client(indexes: ["gone"]), "gone")).Code.ShouldBe(ErrorCode.UpstreamFailed);
        (await FailAsync(Client(), "not-named")).Code.ShouldBe(ErrorCode.Forbidden);
        (await FailAsync(Client(key: null))).Code.ShouldBe(ErrorCode.NotSupported);
        (await FailAsync(Client(key: "a\r\nb: c"))).Code.ShouldBe(ErrorCode.NotSupported);
        _api.Failures.Enqueue(FakeApi.Hang);
        (await FailAsync(Client())).Code.ShouldBe(ErrorCode.UpstreamTimeout);
    }

    private int Described() => _api.Requests.Count(r => r.Method == "GET");

    private static Task<WeirException> FailAsync(PineconeClient client, string index = FakePinecone.Index) =>
        Should.ThrowAsync<WeirException>(() => client.QueryAsync(index, OrganizationId, [1, 0], [DatastoreId], 1, default));

    private PineconeClient Client(string[]? indexes = null, string? key = FakePinecone.Key) => new(
        new PineconeConfig { Url = _api.Url, Indexes = indexes ?? [FakePinecone.Index], KeyVariable = "PINECONE", TimeoutSeconds = 2 },
        _egress, name => name == "PINECONE" ? key : null, TimeProvider.System);

    private static PineconeVector Vector(int id, float[] values) => new(Id(id), values, DatastoreId, Guid.Empty);

    private static Guid Id(int id) => new(id, 1, 1, new byte[8]);
}
