using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Weir.Keys;
using Weir.Postgres;
using Weir.Tests.Chat;
using Weir.Tests.Infrastructure;
using Weir.Tests.Journeys;

namespace Weir.Tests.Commands;

/// <summary>What <c>serve</c> does before it serves: a process of its own, on a database behind a gate.</summary>
public sealed class ServeStartTests(TestDatabase database) : IClassFixture<TestDatabase>, IDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    private readonly string _directory = Directory.CreateTempSubdirectory("weir-serve-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task It_waits_for_a_database_that_is_not_there_says_why_and_serves_when_it_comes()
    {
        using var gate = new TcpGate(database.Cluster.Postgres.Port);
        gate.Close();
        await using var serve = Start(gate.Port, ("WEIR_DATABASE_CONNECT_TIMEOUT_SECONDS", "1"));
        await Until.AsyncTrue(async () => await serve.StatusAsync("/readyz") == HttpStatusCode.ServiceUnavailable, "it listens", Timeout);
        (await serve.StatusAsync("/healthz")).ShouldBe(HttpStatusCode.OK);
        var reason = await serve.ReadAsync("/readyz");
        reason.GetProperty("code").GetString().ShouldBe("WR009");
        reason.GetProperty("message").GetString().ShouldBe("The database does not answer.");
        var error = (await serve.ReadAsync("/mcp")).GetProperty("error");
        error.GetProperty("code").GetInt32().ShouldBe(1009);
        error.GetProperty("data").GetProperty("retryable").GetBoolean().ShouldBeTrue();

        var clients = Enumerable.Range(0, 16).Select(_ => Task.Run(() => serve.StatusesUntilReadyAsync())).ToArray();
        gate.Open();

        (await Task.WhenAll(clients)).SelectMany(statuses => statuses).Distinct()
            .ShouldBeSubsetOf([HttpStatusCode.ServiceUnavailable, HttpStatusCode.OK], "whoever asks while it begins to serve");
        var (code, errors) = await serve.StopAsync();
        code.ShouldBe(0);
        var lines = errors.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        lines.Count(l => l.Contains("Weir waits for it up to 60 s (database.startTimeoutSeconds).", StringComparison.Ordinal))
            .ShouldBe(1, errors);
        lines.Count(l => l.Contains(" serves at http://127.0.0.1:", StringComparison.Ordinal)).ShouldBe(1, errors);
        lines.Count(l => l.Contains("\"Weir stops.\"", StringComparison.Ordinal)).ShouldBe(1, errors);
    }

    [Fact]
    public async Task It_gives_up_when_the_database_does_not_come_in_time()
    {
        await using var serve = Start(1, ("WEIR_DATABASE_START_TIMEOUT_SECONDS", "1"));

        var (code, errors) = await serve.EndAsync();

        code.ShouldBe(1);
        errors.Trim().Split('\n').Last()
            .ShouldStartWith("weir: The database does not answer. Weir waited for it for 1 s (database.startTimeoutSeconds).");
    }

    [Theory]
    [InlineData(false, "and there is no file")]
    [InlineData(true, "is not the one that this database was written with")]
    public async Task A_wrong_keyring_is_refused_in_one_line_and_none_is_made(bool hasFile, string problem)
    {
        await database.Superuser.ExecuteAsync("update weir.installation set keyring_fingerprint = sha256('another')", [], Token);
        var file = Path.Combine(_directory, "keyring.json");
        if (hasFile)
        {
            Keyring.LoadOrCreate(file);
        }

        await using var serve = Start(database.Cluster.Postgres.Port);
        var (code, errors) = await serve.EndAsync();
        await database.Superuser.ExecuteAsync("update weir.installation set keyring_fingerprint = null", [], Token);

        code.ShouldBe(1);
        File.Exists(file).ShouldBe(hasFile);
        var line = errors.Split('\n', StringSplitOptions.RemoveEmptyEntries).ShouldHaveSingleItem();
        line.ShouldStartWith("weir: The ");
        line.ShouldContain(problem);
    }

    [Fact]
    public async Task It_serves_with_a_public_url_that_the_database_does_not_have_and_warns()
    {
        await using var serve = Start(database.Cluster.Postgres.Port, ("WEIR_HTTP_PUBLIC_URL", "https://weir.example"));
        await serve.StatusesUntilReadyAsync();

        var (code, errors) = await serve.StopAsync();

        code.ShouldBe(0);
        errors.Split('\n')
            .Count(l => l.Contains("http.publicUrl: it is https://weir.example, and the database has none", StringComparison.Ordinal)
            && l.Contains("run weir migrate", StringComparison.Ordinal)).ShouldBe(1, errors);
    }

    private Serving Start(int databasePort, params (string Name, string Value)[] more)
    {
        var port = ServingReplica.FreePort();
        var environment = new Dictionary<string, string>
        {
            ["WEIR_DATABASE_URL"] = At(database.GatewayUrl),
            ["WEIR_ENGINE_DATABASE_URL"] = At(database.EngineUrl),
            ["WEIR_DATA_DIRECTORY"] = _directory,
            ["WEIR_HTTP_LISTEN"] = $"http://127.0.0.1:{port}",
        };
        foreach (var (name, value) in more)
        {
            environment[name] = value;
        }

        return new Serving(Process.Start(RunningUp.Command(environment, "serve"))!, new Uri($"http://127.0.0.1:{port}"));

        string At(string url) => url.Replace($":{database.Cluster.Postgres.Port}/", $":{databasePort}/", StringComparison.Ordinal);
    }

    private sealed class Serving : IAsyncDisposable
    {
        private readonly Process _process;
        private readonly Task<string> _errors;
        private readonly HttpClient _http;

        public Serving(Process process, Uri url)
        {
            _process = process;
            _errors = process.StandardError.ReadToEndAsync();
            // The tests speak to Weir from outside; the product's egress is not theirs.
#pragma warning disable RS0030
            _http = new HttpClient { BaseAddress = url };
#pragma warning restore RS0030
        }

        public async Task<HttpStatusCode?> StatusAsync(string path)
        {
            try
            {
                using var response = await _http.GetAsync(path, Token);
                return response.StatusCode;
            }
            catch (HttpRequestException)
            {
                return null;
            }
        }

        /// <summary>What a client hears that asks without a pause; a refused connection is no answer.</summary>
        public async Task<IReadOnlyList<HttpStatusCode>> StatusesUntilReadyAsync()
        {
            var heard = new List<HttpStatusCode>();
            await Until.AsyncTrue(
                async () =>
                {
                    for (var i = 0; i < 50 && heard.LastOrDefault() != HttpStatusCode.OK; i++)
                    {
                        heard.AddRange(await StatusAsync("/readyz") is { } status ? [status] : []);
                    }

                    return heard.LastOrDefault() == HttpStatusCode.OK;
                },
                "it serves",
                Timeout);
            return heard;
        }

        public async Task<JsonElement> ReadAsync(string path)
        {
            using var response = await _http.GetAsync(path, Token);
            return JsonElement.Parse(await response.Content.ReadAsStringAsync(Token));
        }

        /// <summary>SIGTERM.</summary>
        public async Task<(int Code, string Errors)> StopAsync()
        {
            using var kill = Process.Start("kill", ["-TERM", $"{_process.Id}"]);
            await kill.WaitForExitAsync(Token);
            return await EndAsync();
        }

        public async Task<(int Code, string Errors)> EndAsync()
        {
            await _process.WaitForExitAsync(Token).WaitAsync(Timeout, TimeProvider.System, Token);
            return (_process.ExitCode, await _errors);
        }

        public async ValueTask DisposeAsync()
        {
            if (!_process.HasExited)
            {
                _process.Kill(entireProcessTree: true);
                await _process.WaitForExitAsync(CancellationToken.None);
            }

            _process.Dispose();
            _http.Dispose();
        }
    }
}
