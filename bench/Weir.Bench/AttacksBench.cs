using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Weir.Identity;
using Weir.Postgres;

namespace Weir.Bench;

/// <summary>
/// <c>weir bench attacks</c>: attacks 2 to 7 of docs/reports.md at the same time, beside an organization that only makes its calls. Quiet
/// and attacked phases take turns; the attacked ones are a minute together.
/// </summary>
internal static class AttacksBench
{
    private const int AtOnce = 4;
    private const int AttackedSeconds = 60;
    private const string Password = "a password of a benchmark";

    /// <summary>Close to the most that rules of one call may cost.</summary>
    private const string Costly = """{"tools": {"echo": {"args": {"message": {"matches": "[ab]*a[ab]{40}x"}}}}}""";
    private const string Plain = """{"tools": {"echo": {}}}""";
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    public static async Task<int> RunAsync(BenchOptions options)
    {
        var load = (await File.ReadAllTextAsync("/proc/loadavg")).Split(' ')[0];
        Console.WriteLine($"{Environment.ProcessorCount} cores shared by all processes; others' load before: {load}.");
        await using var world = await BenchWorld.StartAsync(new Dictionary<string, string>(StringComparer.Ordinal));
        var attacks = await PrepareAsync(world);
        var bystander = await world.CreateOrganizationAsync("bystander");
        var key = await world.CreateAgentAsync(bystander, "bystander", [await world.DeployAsync(bystander, "calm", world.Upstream)], Plain);
        await world.UntilKnownAsync(bystander, 1);
        var calm = LoadTarget.Call(world.Weir, "calm__echo", key);
        await LoadClient.RunAsync(calm, 1, TimeSpan.FromSeconds(options.Warm));

        var (quiet, attacked) = (new List<LoadResult>(), new List<LoadResult>());
        var answers = new ConcurrentDictionary<(string Attack, string Answer), int>();
        var (before, most) = (world.WeirUsage.ResidentMegabytes(), 0.0);
        var phase = TimeSpan.FromSeconds((double)AttackedSeconds / options.Rounds);
        for (var round = 0; round < options.Rounds; round++)
        {
            quiet.Add(await LoadClient.RunAsync(calm, 1, phase / 2, Pause));
            using var over = new CancellationTokenSource();
            var attackers = attacks.SelectMany(
                a => Enumerable.Range(0, AtOnce).Select(_ => Task.Run(() => RepeatAsync(a, answers, over.Token)))).ToArray();
            var watched = WatchAsync(world.WeirUsage, over.Token);
            attacked.Add(await LoadClient.RunAsync(calm, 1, phase, Pause));
            await over.CancelAsync();
            await Task.WhenAll(attackers);
            most = Math.Max(most, await watched);
        }

        Report(quiet, attacked, answers, before, most);
        return 0;
    }

    private sealed record Attack(string Name, Func<CancellationToken, Task<HttpStatusCode>> SendAsync);

    private static async Task<IReadOnlyList<Attack>> PrepareAsync(BenchWorld world)
    {
        var email = "outsider@weir.example";
        await world.CreateUserAsync(email, Logins.Hash(Password));
        var organization = await world.CreateOrganizationAsync("attacker");
        var server = await world.DeployAsync(organization, "odd", world.Upstream);
        var (costly, plain) =
            (await world.CreateAgentAsync(organization, "costly", [server], Costly),
            await world.CreateAgentAsync(organization, "plain", [server], Plain));
        await world.UntilKnownAsync(organization, 1);

        var client = Client();
        var token = await SignInAsync(client, world.Weir, email);
        var numbers =
            $$"""{"organization_id":"{{organization.Id}}","action":"create","server_config":{"x":[{{Many("1e131000", 7000)}}] } }""";
        var servers = $$"""{"servers":[{{Many("{}", 300_000)}}]}""";
        var text = string.Concat(Enumerable.Repeat("abbab", 819));
        return
        [
            new("F02 numbers that print to gigabytes",
                ct => PostAsync(client, new Uri(world.Weir, "/rest/v1/rpc/manage_mcp_servers"), numbers, token, ct)),
            new("F03 a megabyte of {} without a key",
                ct => PostAsync(client, new Uri(world.Weir, "/nodes/v1/heartbeat"), servers, null, ct)),
            new("F04 rules at their maximum", ct => CallAsync(client, world.Weir, "odd__echo", text, costly, read: true, ct)),
            new("F05 large answers that nobody reads",
                ct => CallAsync(client, world.Weir, "odd__echo", new string('x', 3_000_000), plain, read: false, ct)),
            new("F06 half of a surrogate pair",
                ct => PostAsync(client, new Uri(world.Weir, "/functions/v1/chat"), "{\"\\ud800\":1}", null, ct)),
            new("F07 wrong passwords", ct => PostAsync(
                client, new Uri(world.Weir, "/auth/v1/token?grant_type=password"), """{"email":"nobody@weir.example","password":"wrong"}""",
                null, ct)),
        ];
    }

    private static async Task RepeatAsync(
        Attack attack, ConcurrentDictionary<(string Attack, string Answer), int> answers, CancellationToken over)
    {
        while (!over.IsCancellationRequested)
        {
            string answer;
            try
            {
                answer = $"{(int)await attack.SendAsync(over)}";
            }
            catch (HttpRequestException)
            {
                answer = "closed";
            }
            catch (OperationCanceledException)
            {
                return;
            }

            answers.AddOrUpdate((attack.Name, answer), 1, (_, count) => count + 1);
        }
    }

    /// <summary>The most memory that was resident, MB.</summary>
    private static async Task<double> WatchAsync(ProcessUsage usage, CancellationToken over)
    {
        var most = 0.0;
        while (!over.IsCancellationRequested)
        {
            most = Math.Max(most, usage.ResidentMegabytes());
            await Task.Delay(TimeSpan.FromMilliseconds(500), TimeProvider.System, over)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        return most;
    }

    private static void Report(
        List<LoadResult> quiet, List<LoadResult> attacked, ConcurrentDictionary<(string Attack, string Answer), int> answers, double before,
        double most)
    {
        Console.WriteLine();
        Console.WriteLine("| attack | answers |");
        Console.WriteLine("|---|---|");
        foreach (var attack in answers.GroupBy(a => a.Key.Attack, StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            Console.WriteLine(
                $"| {attack.Key} | "
                    + $"{string.Join(", ",
                        attack.OrderBy(a => a.Key.Answer, StringComparer.Ordinal).Select(a => $"{a.Value} times {a.Key.Answer}"))} |");
        }

        Console.WriteLine();
        Console.WriteLine("| the bystander | calls | failures | p50 ms | p99 ms |");
        Console.WriteLine("|---|---|---|---|---|");
        Row("quiet", quiet);
        Row("attacked", attacked);
        Console.WriteLine();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Weir's memory: {before:0} MB before, {most:0} MB at most."));
    }

    private static void Row(string name, List<LoadResult> results)
    {
        var latencies = results.SelectMany(r => r.Latencies).Order().ToArray();
        var all = new LoadResult(latencies.Length, 0, latencies, results.Sum(r => r.Failures));
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"| {name} | {all.Calls} | {all.Failures} | {all.Percentile(0.5) * 1e3:0.0} | {all.Percentile(0.99) * 1e3:0.0} |"));
    }

    private static string Many(string value, int count) => string.Join(',', Enumerable.Repeat(value, count));

    private static async Task<string> SignInAsync(HttpClient client, Uri weir, string email)
    {
        using var answer =
            await client.PostAsJsonAsync(new Uri(weir, "/auth/v1/token?grant_type=password"), new { email, password = Password });
        return (await answer.EnsureSuccessStatusCode().Content.ReadFromJsonAsync<JsonElement>()).GetProperty("access_token").GetString()!;
    }

    private static async Task<HttpStatusCode> PostAsync(HttpClient client, Uri url, string body, string? bearer, CancellationToken ct)
    {
        using var request =
            new HttpRequestMessage(HttpMethod.Post, url) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        request.Headers.Authorization = bearer is null ? null : new AuthenticationHeaderValue("Bearer", bearer);
        using var answer = await client.SendAsync(request, ct);
        return answer.StatusCode;
    }

    /// <param name="read">Whether the answer is read; else it is left for a second, and the connection closed.</param>
    private static async Task<HttpStatusCode> CallAsync(
        HttpClient client, Uri url, string tool, string message, string key, bool read, CancellationToken ct)
    {
        var meta =
            """{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/"""
                + """clientInfo":{"name":"bench","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}""";
        var body =
            $$"""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"{{tool}}","arguments":{"message":"{{message}}"},"_meta":{{meta}} } }""";
        using var request =
            new HttpRequestMessage(HttpMethod.Post, url) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        request.Headers.TryAddWithoutValidation("Accept", "application/json, text/event-stream");
        request.Headers.TryAddWithoutValidation("MCP-Protocol-Version", "2026-07-28");
        request.Headers.TryAddWithoutValidation("Mcp-Method", "tools/call");
        request.Headers.TryAddWithoutValidation("Mcp-Name", tool);
        using var answer =
            await client.SendAsync(request, read ? HttpCompletionOption.ResponseContentRead : HttpCompletionOption.ResponseHeadersRead, ct);
        if (!read)
        {
            await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System, ct);
        }

        return answer.StatusCode;
    }

    private static HttpClient Client()
    {
        // Loopback, and only of what this benchmark itself started.
#pragma warning disable RS0030
        return new HttpClient();
#pragma warning restore RS0030
    }
}
