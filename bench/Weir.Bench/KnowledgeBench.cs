using System.Globalization;
using Microsoft.Extensions.AI;
using Npgsql;
using Weir.Configuration;
using Weir.Identity;
using Weir.Knowledge;
using Weir.Knowledge.Store;
using Weir.Knowledge.Vectors;
using Weir.Postgres;

namespace Weir.Bench;

/// <summary>
/// <c>weir bench knowledge</c>: search in 100,000 documents of one organization, by words, by vectors of 384 numbers that this process
/// compares exactly, and by both. Each search decides anew what the person sees, as the product's does. Words are as frequent as in a
/// language (Zipf); an equally large second organization has the same words.
/// </summary>
internal sealed class KnowledgeBench(
    KnowledgeSearch byWords, KnowledgeSearch byBoth, KnowledgeQueries queries, ExactVectors exact, Principal principal)
{
    private const int Vocabulary = 30_000;
    private const int Dimensions = 384;
    private const string Model = "bench";

    public static async Task<int> RunAsync(BenchOptions options)
    {
        await using var database = await BenchDatabase.StartAsync("shared_buffers=1GB");
        await using var owner = NpgsqlDataSource.Create(DatabaseUrl.Parse(database.Postgres.OwnerUrl).ConnectionString);
        await using var databases = Databases.Open(database.Config);
        var users = new UserSession(databases.Gateway);
        var queries = new KnowledgeQueries(users, databases);
        var principal = await PopulateAsync(database, owner, users, "one", options.Documents);
        await PopulateAsync(database, owner, users, "two", options.Documents);
        await database.Superuser.ExecuteAsync("vacuum analyze", [], CancellationToken.None);
        await database.Superuser.ExecuteAsync("checkpoint", [], CancellationToken.None);

        var config = new KnowledgeConfig { Embeddings = new EmbeddingsConfig { Model = Model } };
        var exact = new ExactVectors(new VectorCache(queries, 1024L * 1024 * 1024, TimeProvider.System));
        var backends = new VectorBackends(exact, new PgVectors(queries), exact);
        using var embeddings = new RandomEmbeddings();
        var bench = new KnowledgeBench(
            new KnowledgeSearch(queries, backends, embeddings: null, config, TimeProvider.System),
            new KnowledgeSearch(queries, backends, embeddings, config, TimeProvider.System), queries, exact, principal);
        await bench.MeasureAsync(options);
        return 0;
    }

    private async Task MeasureAsync(BenchOptions options)
    {
        var started = TimeProvider.System.GetTimestamp();
        await VectorsAsync();
        Console.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{options.Documents} documents in each of two organizations; {options.Rounds} rounds of {options.Seconds} s; medians over "
                    + $"the rounds; {Environment.ProcessorCount} cores shared by all processes; reading all vectors once: "
                    + $"{TimeProvider.System.GetElapsedTime(started).TotalSeconds:0.0} s"));
        (string Name, int Callers, Func<Task> Work)[] all =
        [
            ("by words, one to five of them", 1, () => byWords.SearchAsync(principal, Words(), 10, CancellationToken.None)),
            ("by words, one to five of them", 4, () => byWords.SearchAsync(principal, Words(), 10, CancellationToken.None)),
            ($"by vectors of {Dimensions}, exactly", 1, VectorsAsync),
            ("by both, fused", 1, () => byBoth.SearchAsync(principal, Words(), 10, CancellationToken.None)),
        ];
        var rounds = all.Select(_ => new List<(double P50, double P99, double PerSecond)>()).ToArray();
        for (var round = 0; round <= options.Rounds; round++)
        {
            for (var i = 0; i < all.Length; i++)
            {
                var taken = await LatenciesAsync(all[i].Work, all[i].Callers, TimeSpan.FromSeconds(options.Seconds));
                // The first round only warms.
                if (round > 0)
                {
                    rounds[i].Add((taken[taken.Count / 2], taken[(int)(taken.Count * 0.99)], taken.Count / (double)options.Seconds));
                }
            }
        }

        Console.WriteLine();
        Console.WriteLine("| what | callers | p50 ms | p99 ms | each second |");
        Console.WriteLine("|---|---|---|---|---|");
        for (var i = 0; i < all.Length; i++)
        {
            Console.WriteLine(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"| {all[i].Name} | {all[i].Callers} | {Median(rounds[i], r => r.P50):0.0} | {Median(rounds[i], r => r.P99):0.0} | "
                        + $"{Median(rounds[i], r => r.PerSecond):0} |"));
        }

        Console.WriteLine();
        Console.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"By words, p99 {Median(rounds[0], r => r.P99):0.0} ms (aim 50); by vectors, p99 {Median(rounds[2], r => r.P99):0.0} ms "
                    + $"(aim 100)."));
    }

    /// <summary>What a search by meaning does without its embedding: what may be seen, the nearest, their texts.</summary>
    private async Task VectorsAsync()
    {
        var (user, agent) = (principal.UserId!.Value, principal.AgentId!.Value);
        var (sources, _) = await queries.SourcesAsync(user, agent, CancellationToken.None);
        var hits =
            await exact.SearchAsync(new VectorQuery(user, agent, Model, RandomEmbeddings.Vector(), sources, 10), CancellationToken.None);
        var passages = await queries.PassagesAsync(user, agent, [.. hits.Select(h => h.ChunkId)], CancellationToken.None);
        if (passages.Count != 10)
        {
            throw new InvalidOperationException($"{passages.Count} passages were found, and not 10.");
        }
    }

    private static async Task<Principal> PopulateAsync(
        BenchDatabase database, NpgsqlDataSource owner, UserSession users, string name, int documents)
    {
        Console.Error.WriteLine($"making {documents} documents of organization {name}");
        var user = await owner.ScalarAsync<Guid>(
            "select weir.create_user($1, 'unused')", [Sql.Text($"{name}@weir.example")], CancellationToken.None);
        var organization = await IdAsync("select public.create_organization($1)", Sql.Text(name));
        var agent = await IdAsync("select public.create_agent($1, 'bench')", Sql.Uuid(organization));
        var datastore = await IdAsync("select public.create_datastore($1, 'bench')", Sql.Uuid(organization));
        await users.CallAsync(user, "select public.link_datastore($1, $2)", [Sql.Uuid(datastore), Sql.Uuid(agent)], CancellationToken.None);
        foreach (var sql in new[]
        {
            "create table if not exists public.bench_texts as select n, (select string_agg('word' || floor(exp(random() * "
                + "ln($3)))::integer, ' ') from generate_series(1, 80) where n is not null) as content from generate_series(1, $4) n where "
                + "$1 <> $2",
            """
            insert into public.documents (organization_id, datastore_id, title, media_type, content_hash, size_bytes, chunk_count, status, embedding_model, embed_after)
            select $1, $2, 'Document ' || n, 'text/plain', sha256(convert_to(n::text, 'UTF8')), 600, 1, 'embedded', 'bench', 'infinity' from generate_series(1, $4) n where $3 > 0
            """,
            """
            insert into weir.document_chunks (organization_id, datastore_id, document_id, ordinal, content, content_hash, terms, embedding, embedding_model, embedded_version)
            select $1, $2, d.id, 0, t.content, sha256(convert_to(t.content, 'UTF8')), weir.chunk_terms($2, d.title, '', t.content),
                   (select array_agg((random() - 0.5)::real) from generate_series(1, 384) where t.n is not null), 'bench', 1
            from (select d.*, row_number() over () as n from public.documents d where d.datastore_id = $2) d join public.bench_texts t on t.n = d.n where $3 > 0 and $4 > 0
            """,
            "update public.datastores set version = 1 where organization_id = $1 and id = $2 and $3 > 0 and $4 > 0",
        })
        {
            await using var connection = await database.Superuser.OpenConnectionAsync(CancellationToken.None);
            await using var batch = new NpgsqlBatch(connection) { Timeout = 0 };
            // Its rows are consistent as they are: the triggers would count each of them.
            batch.BatchCommands.Add(new NpgsqlBatchCommand("set local session_replication_role = replica"));
            var command = new NpgsqlBatchCommand(sql);
            command.Parameters.AddRange(
                new[] { Sql.Uuid(organization), Sql.Uuid(datastore), Sql.Integer(Vocabulary), Sql.Integer(documents) });
            batch.BatchCommands.Add(command);
            await batch.ExecuteNonQueryAsync(CancellationToken.None);
        }

        return Principal.OfPerson(user, agent);

        async Task<Guid> IdAsync(string sql, NpgsqlParameter parameter) =>
            (await users.CallAsync(user, sql, [parameter], CancellationToken.None)).GetProperty("id").GetGuid();
    }

    /// <summary>As frequent in questions as in texts, which is the hard case.</summary>
    private static string Words() =>
        string.Join(
            ' ', Enumerable.Range(0, 1 + Chance(5)).Select(_ => "word" + (int)Math.Exp(Chance(1_000_000) / 1e6 * Math.Log(Vocabulary))));

    private static int Chance(int below) => System.Security.Cryptography.RandomNumberGenerator.GetInt32(below);

    private static async Task<List<double>> LatenciesAsync(Func<Task> work, int callers, TimeSpan duration)
    {
        var started = TimeProvider.System.GetTimestamp();
        var lists = await Task.WhenAll(Enumerable.Range(0, callers).Select(_ => Task.Run(async () =>
        {
            var taken = new List<double>();
            while (TimeProvider.System.GetElapsedTime(started) < duration)
            {
                var begun = TimeProvider.System.GetTimestamp();
                await work();
                taken.Add(TimeProvider.System.GetElapsedTime(begun).TotalMilliseconds);
            }

            return taken;
        })));
        return [.. lists.SelectMany(l => l).Order()];
    }

    private static double Median<T>(IEnumerable<T> rounds, Func<T, double> figure)
    {
        var sorted = rounds.Select(figure).Order().ToArray();
        return sorted[sorted.Length / 2];
    }

    /// <summary>Vectors at once: what an API takes for one is not what is measured.</summary>
    private sealed class RandomEmbeddings : IEmbeddingGenerator<string, Embedding<float>>
    {
        public static float[] Vector() => [.. Enumerable.Range(0, Dimensions).Select(_ => (Chance(1_000_000) / 1e6f) - 0.5f)];

        public Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(
            IEnumerable<string> values, EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default) =>
            Task.FromResult(new GeneratedEmbeddings<Embedding<float>>(values.Select(_ => new Embedding<float>(Vector()))));

        public object? GetService(Type serviceType, object? serviceKey = null) => null;

        public void Dispose()
        {
            // Holds nothing.
        }
    }
}
