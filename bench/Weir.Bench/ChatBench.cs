using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Weir.Configuration;
using Weir.Identity;
using Weir.Keys;
using Weir.Postgres;

namespace Weir.Bench;

/// <summary>
/// <c>weir bench chat</c>: whole turns over HTTP by people of 50 organizations, each with five servers that add a resource to every turn,
/// of which one hangs and one fails. Weir's own share is what a turn takes with the model offline and three servers that answer at once,
/// but for what these take when they are asked directly.
/// </summary>
internal static class ChatBench
{
    private const int Organizations = 50;
    private static readonly int[] Concurrency = [1, 100, 500];

    /// <summary>Where somebody says something to whom.</summary>
    private sealed record Seat(string Token, Guid Agent, Guid Channel);

    private sealed record Result(double[] Latencies, double Seconds, int Errors, int Degraded)
    {
        public double Percentile(double p) => Latencies.Length == 0
            ? double.NaN : Latencies[(int)Math.Min(Latencies.Length - 1, Latencies.Length * p)] * 1e3;
    }

    public static async Task<int> RunAsync(BenchOptions options)
    {
        var modelPort = BenchWorld.FreePort();
        var settings = new Dictionary<string, string>(BenchWorld.Unlimited, StringComparer.Ordinal)
        {
            ["WEIR_MODELS_PROVIDERS"] = JsonSerializer.Serialize(
                new { stub = new { kind = "openai", url = $"http://127.0.0.1:{modelPort}/v1", models = new { stub = new { } } } }),
            ["WEIR_MODELS_DEFAULT"] = "stub/stub",
            ["WEIR_EGRESS_ALLOW"] = $"127.0.0.1:{modelPort}",
        };
        foreach (var limit in (string[])[
            "MAX_CONCURRENT_PER_PERSON", "MAX_CONCURRENT_PER_AGENT", "MAX_CONCURRENT_PER_ORGANIZATION", "PER_MINUTE_PER_PERSON",
            "PER_MINUTE_PER_AGENT", "PER_MINUTE_PER_ORGANIZATION",
        ])
        {
            settings["WEIR_CHAT_" + limit] = "0";
        }

        await using var world = await BenchWorld.StartAsync(settings);
        await world.StartAsync("the stub model", "dotnet", [typeof(ChatBench).Assembly.Location, "model", $"{modelPort}"], modelPort);
        var seats = new List<Seat>();
        for (var i = 0; i < Organizations; i++)
        {
            seats.Add(await SeatAsync(world, $"org{i:00}", isSick: true));
        }

        var healthy = await SeatAsync(world, "healthy", isSick: false, """{"provider": "offline", "model": "offline"}""");
        // Loopback, and only of what this benchmark itself started.
#pragma warning disable RS0030
        using var client = new HttpClient(new SocketsHttpHandler { PooledConnectionLifetime = Timeout.InfiniteTimeSpan })
        {
            BaseAddress = new Uri(world.Weir, "/"),
            Timeout = TimeSpan.FromMinutes(2),
        };
#pragma warning restore RS0030
        var ask = (int turn) => SayAsync(client, seats[turn % seats.Count]);
        var askHealthy = (int _) => SayAsync(client, healthy);
        await LoadAsync(askHealthy, 8, Math.Min(200, options.Turns), world, memory: null);
        await world.AnalyzeAsync();
        using (await client.PostAsync(new Uri(world.Upstream, "/stop"), content: null))
        {
            // From now on one server hangs and one fails.
        }

        Console.WriteLine(
            $"Chat turns; {Environment.ProcessorCount} cores shared by all processes; the model needs 300 ms to its first token, but for "
                + "the rows with one turn at a time and servers that answer, where it is offline");
        Console.WriteLine();
        Console.WriteLine(
            "| | concurrent turns | turns | turns/s | p50 ms | p99 ms | errors | degraded, a turn | memory of weir, MB, by tenths |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|");
        var errors = await MeasureAsync("three servers, without Weir", _ => ReadAsync(client, world.Upstream, 3), 1, options.Turns, world);
        errors += await MeasureAsync("a turn with three servers that answer, offline", askHealthy, 1, options.Turns, world);
        foreach (var concurrent in Concurrency)
        {
            // One after another each turn waits for the server that hangs, until it is left alone.
            var turns = concurrent == 1 ? Math.Min(options.Turns, Organizations) : Math.Max(options.Turns, concurrent * 2);
            errors += await MeasureAsync("five servers, one hangs, one fails", ask, concurrent, turns, world);
        }

        return errors == 0 ? 0 : 1;
    }

    private static async Task<int> MeasureAsync(string name, Func<int, Task<int?>> ask, int concurrent, int turns, BenchWorld world)
    {
        var memory = new ConcurrentQueue<double>();
        var result = await LoadAsync(ask, concurrent, turns, world, memory);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"| {name} | {concurrent} | {result.Latencies.Length} | {result.Latencies.Length / result.Seconds:0.0} | "
                + $"{result.Percentile(0.5):0.0} | {result.Percentile(0.99):0.0} | {result.Errors} | "
                + $"{(double)result.Degraded / Math.Max(1, result.Latencies.Length):0.00} | "
                + $"{string.Join(' ', memory.Select(m => m.ToString("0", CultureInfo.InvariantCulture)))} |"));
        return result.Errors;
    }

    private static async Task<Result> LoadAsync(
        Func<int, Task<int?>> ask, int concurrent, int turns, BenchWorld world, ConcurrentQueue<double>? memory)
    {
        var latencies = new ConcurrentBag<double>();
        var (next, errors, degraded) = (-1, 0, 0);
        var started = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, concurrent).Select(_ => Task.Run(async () =>
        {
            for (var turn = Interlocked.Increment(ref next); turn < turns; turn = Interlocked.Increment(ref next))
            {
                var sent = Stopwatch.GetTimestamp();
                var missing = await ask(turn);
                latencies.Add(Stopwatch.GetElapsedTime(sent).TotalSeconds);
                Interlocked.Add(ref errors, missing is null ? 1 : 0);
                Interlocked.Add(ref degraded, missing ?? 0);
                if (memory is not null && turn % Math.Max(1, turns / 10) == 0)
                {
                    memory.Enqueue(world.WeirUsage.ResidentMegabytes());
                }
            }
        })));
        return new Result([.. latencies.Order()], Stopwatch.GetElapsedTime(started).TotalSeconds, errors, degraded);
    }

    /// <summary>Asks servers for the resource that they add to a turn, all at once; null where one did not answer.</summary>
    private static async Task<int?> ReadAsync(HttpClient client, Uri server, int servers)
    {
        try
        {
            await Task.WhenAll(Enumerable.Range(0, servers).Select(async _ =>
            {
                using var content = new StringContent(
                    """{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"bench:///0"}}""", Encoding.UTF8,
                    "application/json");
                using var answer = await client.PostAsync(server, content);
                await answer.EnsureSuccessStatusCode().Content.ReadAsByteArrayAsync();
            }));
            return 0;
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    /// <summary>How much the answer had to do without; null where there is none.</summary>
    private static async Task<int?> SayAsync(HttpClient client, Seat seat)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/functions/v1/chat")
        {
            Content = new StringContent(
                JsonSerializer.Serialize(new { agentId = seat.Agent, channelId = seat.Channel, message = "What does the handbook say?" }),
                Encoding.UTF8, "application/json"),
        };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", seat.Token);
        try
        {
            using var answer = await client.SendAsync(request);
            if (!answer.IsSuccessStatusCode)
            {
                await Console.Error.WriteLineAsync($"{(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync()}");
            }

            return answer.IsSuccessStatusCode
                ? JsonElement.Parse(await answer.Content.ReadAsStringAsync()).GetProperty("degraded").GetArrayLength() : null;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            return null;
        }
    }

    /// <param name="model">Settings that say which; null: the configuration's.</param>
    private static async Task<Seat> SeatAsync(BenchWorld world, string name, bool isSick, string? model = null)
    {
        var organization = await world.CreateOrganizationAsync(name);
        var workspace = await world.CallAsync(
            organization.User, "select public.create_workspace($1, $2)", Sql.Uuid(organization.Id), Sql.Text("bench"));
        var channel =
            await world.CallAsync(organization.User, "select public.create_channel($1, $2)", Sql.Uuid(workspace), Sql.Text("bench"));
        var agent = await world.CallAsync(organization.User, "select public.create_agent($1, $2, null, $3)", Sql.Uuid(organization.Id),
            Sql.Text("bench"), Sql.Uuid(workspace));
        if (model is not null)
        {
            await world.CallAsync(
                organization.User, "select public.set_model_settings($1, $2)", Sql.Uuid(organization.Id), Sql.Jsonb(model));
        }

        string[] paths = isSick ? ["/mcp", "/mcp", "/mcp", "/hang/a", "/fail/a"] : ["/mcp", "/mcp", "/mcp"];
        for (var i = 0; i < paths.Length; i++)
        {
            // Keys of their own, so that none loses to another.
            var server = await world.DeployAsync(organization, $"s{i}", new Uri(world.Upstream, paths[i]), $"bench:///{i}");
            await world.CallAsync(
                organization.User, "select public.grant_mcp_access($1, $2, $3)", Sql.Uuid(agent), Sql.Uuid(server),
                Sql.Jsonb("""{"tools": {"*": {}}, "resources": ["*"]}"""));
        }

        await world.UntilKnownAsync(organization, isSick ? 43 : 3);
        var keyring = Keyring.LoadOrCreate(Path.Combine(world.Directory, "keyring.json"));
        var tokens = new PersonTokens(new AuthConfig(), keyring, signingKeys: null, userOf: null, TimeProvider.System);
        return new Seat(tokens.Issue(organization.User, $"{name}@weir.example"), agent, channel);
    }
}
