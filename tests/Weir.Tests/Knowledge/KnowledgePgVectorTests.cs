using System.Diagnostics;
using System.Globalization;
using Npgsql;
using Weir.Configuration;
using Weir.Errors;
using Weir.Knowledge.Store;
using Weir.Knowledge.Vectors;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Knowledge;

/// <summary>A PostgreSQL that has pgvector: PGlite of tests/clients, in a process of its own, migrated by Weir's files.</summary>
public sealed class PgVectorDatabase : IAsyncLifetime
{
    private Process? _process;

    internal Databases Databases { get; private set; } = null!;

    internal NpgsqlDataSource Superuser { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        var start = new ProcessStartInfo("node", [Repository.PathOf("tests/clients/pglite.mjs"), Repository.PathOf("db/migrations")])
        {
            UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
            WorkingDirectory = Repository.PathOf("tests/clients"),
        };
        _process = Process.Start(start)!;
        var errors = _process.StandardError.ReadToEndAsync();
        var line = await _process.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromMinutes(2));
        var port = line?.StartsWith("listening ", StringComparison.Ordinal) == true
            ? int.Parse(line["listening ".Length..], CultureInfo.InvariantCulture)
            : throw new InvalidOperationException($"PGlite did not start: {line} {await errors}");
        // It has no passwords, and one user who may be everybody.
        var url = $"postgresql://postgres:unused@127.0.0.1:{port}/postgres?sslmode=disable";
        Databases = Databases.Open(new DatabaseConfig { Url = url, EngineUrl = url, PoolSize = 1 });
        var superuser = DatabaseUrl.Parse(url);
        (superuser.MaxPoolSize, superuser.NoResetOnClose) = (1, true);
        Superuser = NpgsqlDataSource.Create(superuser.ConnectionString);
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            _process.StandardInput.Close();
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync();
            _process.Dispose();
        }

        await Databases.DisposeAsync();
        await Superuser.DisposeAsync();
    }
}

/// <summary>Vectors that pgvector searches, beside the same ones searched in this process.</summary>
public sealed class KnowledgePgVectorTests(PgVectorDatabase database) : IClassFixture<PgVectorDatabase>
{
    private const string Model = "ten-ideas";

    private static readonly string[] Texts = [
        "holiday", "a dog and a car", "salary", "rain and music", "doctor", "holiday pay", "song", "puppy", "vehicle", "nothing",
    ];

    [Fact]
    public async Task Pgvector_finds_what_an_exact_search_finds_and_only_for_whom()
    {
        var queries = new KnowledgeQueries(new UserSession(database.Databases.Gateway), database.Databases);
        var (user, agent, datastore) = await PopulateAsync(queries);
        var (stranger, otherAgent, _) = await PopulateAsync(queries);

        var (sources, hasPgVector) = await queries.SourcesAsync(user, agent, default);
        hasPgVector.ShouldBeTrue();
        sources.ShouldHaveSingleItem().DatastoreId.ShouldBe(datastore);
        var exact = new ExactVectors(new VectorCache(queries, 1024 * 1024, TimeProvider.System));
        foreach (var text in Texts)
        {
            var query = new VectorQuery(user, agent, Model, Unit(text), sources, 5);
            var (near, wanted) = (await new PgVectors(queries).SearchAsync(query, default), await exact.SearchAsync(query, default));
            near.Select(h => Math.Round(h.Score, 4)).ShouldBe(wanted.Select(h => Math.Round(h.Score, 4)), text);
            near[0].Score.ShouldBe(1, 1e-5, text);
        }

        (await queries.NearestAsync(stranger, otherAgent, Model, Unit("holiday"), 100, default)).Count.ShouldBe(
            Texts.Length, "A01: its own, and nobody else's");
        (await queries.NearestAsync(user, agent, "another model", Unit("holiday"), 100, default)).ShouldBeEmpty();
        (await queries.NearestAsync(user, agent, Model, [1, 0], 100, default)).ShouldBeEmpty("of another length");
        (await Should.ThrowAsync<WeirException>(
            () => queries.NearestAsync(stranger, agent, Model, Unit("holiday"), 5, default))).Code.ShouldBe(ErrorCode.NotFound);
    }

    [Fact]
    public async Task An_index_of_pgvector_can_be_made_over_the_vectors_as_they_are_kept()
    {
        await database.Superuser.ExecuteAsync(
            "create index if not exists chunks_hnsw on weir.document_chunks using hnsw ((embedding::extensions.vector(10)) "
                + "extensions.vector_cosine_ops) where embedding_model = 'ten-ideas'", [], default);

        (await database.Superuser.ScalarAsync<string>(
            "select indexdef from pg_indexes where indexname = 'chunks_hnsw'", [], default)).ShouldNotBeNull().ShouldContain("hnsw");
    }

    private async Task<(Guid User, Guid Agent, Guid Datastore)> PopulateAsync(KnowledgeQueries queries)
    {
        var users = new UserSession(database.Databases.Gateway);
        var name = KnowledgeWorld.NewName("org");
        var user = await database.Superuser.ScalarAsync<Guid>(
            "select weir.create_user($1, 'unused')", [Sql.Text($"{name}@example.test")], default);
        var organization = await IdAsync("select public.create_organization($1)", Sql.Text(name));
        var agent = await IdAsync("select public.create_agent($1, 'helper')", Sql.Uuid(organization));
        var datastore = await IdAsync("select public.create_datastore($1, 'docs')", Sql.Uuid(organization));
        await users.CallAsync(user, "select public.link_datastore($1, $2)", [Sql.Uuid(datastore), Sql.Uuid(agent)], default);
        foreach (var text in Texts)
        {
            await queries.IngestAsync(user, datastore, text, null, "text/plain", $$"""[{"text": "{{text}}"}]""", default);
        }

        var chunks = await queries.ClaimAsync(Model, 100, TimeSpan.FromMinutes(1), default);
        foreach (var group in chunks.GroupBy(c => (c.OrganizationId, c.DatastoreId)))
        {
            await queries.RecordAsync(
                group.Key.OrganizationId, group.Key.DatastoreId, Model, [.. group.Select(c => c.ChunkId)],
                [.. group.SelectMany(c => Unit(c.Text.Split('\n')[^1]))], null, default);
        }

        return (user, agent, datastore);

        async Task<Guid> IdAsync(string sql, NpgsqlParameter parameter) =>
            (await users.CallAsync(user, sql, [parameter], default)).GetProperty("id").GetGuid();
    }

    private static float[] Unit(string text)
    {
        var vector = FakeEmbeddings.VectorOf(text);
        var length = MathF.Sqrt(vector.Sum(v => v * v));
        return [.. vector.Select(v => v / length)];
    }
}
