using System.Globalization;
using System.Net.Sockets;
using System.Security.Cryptography;
using Weir.Configuration;
using Weir.Tests.Chat;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys;

/// <summary>A replica that lets an agent call as often as it likes.</summary>
public sealed class UnhurriedWeir(TestCluster cluster) : RunningWeir(cluster)
{
    private protected override WeirConfig Configure(WeirConfig config) =>
        config with { Limits = new LimitsConfig { CallsPerSecondPerAgent = 0, CallsPerSecondPerOrganization = 0 } };
}

/// <summary>
/// A hundred thousand envelopes, most of them wrong: each gets an answer, none an internal error, none a byte of another tenant.
/// </summary>
public sealed class ClientMessageFuzzTests(UnhurriedWeir weir, ITestOutputHelper output) : IClassFixture<UnhurriedWeir>
{
    private const int Messages = 100_000;
    private const int Connections = 32;
    private const int Batch = 16;

    /// <summary>In what the other tenant's server says and answers, and in nothing that is sent.</summary>
    private const string Canary = "canary-7f3a9c";

    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Every_envelope_is_answered_and_no_answer_is_an_internal_error_or_holds_anothers_data()
    {
        await using var ours = await OddServer.StartAsync();
        var (name, _) =
            await weir.AddReadyAsync(ours.Url, """{"tools": {"echo": {"args": {"message": {"type": "string"}}, "other": "deny"}}}""");
        await using var theirs = await FixtureServer.StartAsync(FixtureServer.Tool("vault", () => Canary, description: Canary));
        var (foreign, foreignAgent) = await AddForeignAsync(theirs);
        string[] paths = [
            "/mcp", "/mcp", "/mcp/" + name, "/mcp/" + name, "/mcp/" + foreign, "/mcp/missing", "/mcp/agents/" + weir.World.AgentId,
            "/mcp/agents/" + foreignAgent, "/mcp?tools=search",
        ];
        string[] names = [
            "echo", $"{name}__echo", $"{name}__hang", $"{foreign}__vault", "vault", $"{foreign}__*", "", "a\u0000b", "%00",
            new string('n', 200), "find_tools", "call_tool",
        ];
        var session = (await new RawClient(weir.Client(weir.World.AgentKey)).InitializeAsync()).Value;
        string[] sessions = [session, session, session[..^2] + "xx", session[..(session.Length / 2)], "x", "null"];

        var seed = int.TryParse(Environment.GetEnvironmentVariable("WEIR_TEST_SEED"), CultureInfo.InvariantCulture, out var given)
            ? given : RandomNumberGenerator.GetInt32(int.MaxValue);
        output.WriteLine($"WEIR_TEST_SEED={seed}");
        var started = TimeProvider.System.GetTimestamp();
        var statuses = await Task.WhenAll(Enumerable.Range(0, Connections).Select(i => Task.Run(() =>
            FuzzAsync(
                new EnvelopeGrammar(new Random(unchecked(seed + (i * 7919))), weir.Url.Authority, weir.World.AgentKey, paths, names,
                    sessions), $"WEIR_TEST_SEED={seed}, connection {i}"))));

        var all = statuses.SelectMany(s => s).GroupBy(s => s.Key).ToDictionary(g => g.Key, g => g.Sum(s => s.Value));
        var seconds = TimeProvider.System.GetElapsedTime(started).TotalSeconds;
        output.WriteLine(
            $"{all.Values.Sum()} answers in {seconds:0.0} s: "
                + $"{string.Join(", ", all.OrderBy(s => s.Key).Select(s => $"{s.Key} {s.Value}"))}");
        all.Values.Sum().ShouldBeGreaterThanOrEqualTo(Messages);
        // The grammar is no use if nothing gets through, or if everything does.
        all[200].ShouldBeGreaterThan(Messages / 50);
        all[400].ShouldBeGreaterThan(Messages / 50);
        ours.Calls.ShouldBeGreaterThan(0);
        (await new RawClient(weir.Client(weir.World.AgentKey)).CallAsync(
            $"{name}__echo", """{"message":"still here"}""")).Body.ShouldContain("\"ok\"");
    }

    private async Task<Dictionary<int, int>> FuzzAsync(EnvelopeGrammar grammar, string where)
    {
        var statuses = new Dictionary<int, int>();
        var answered = 0;
        PipelinedConnection? connection = null;
        try
        {
            while (answered < Messages / Connections)
            {
                connection ??= await PipelinedConnection.OpenAsync(weir.Url.Port);
                var batch = Enumerable.Range(0, Batch).Select(_ => grammar.Next()).ToArray();
                using var timeout = new CancellationTokenSource(Timeout);
                await connection.SendAsync(batch, timeout.Token);
                foreach (var request in batch)
                {
                    var answer = await AnswerAsync(connection, request, where, timeout.Token);
                    answered++;
                    statuses[answer.Status] = statuses.GetValueOrDefault(answer.Status) + 1;
                    if (answer.Closes)
                    {
                        // After what is no HTTP, or a body that it will not read; the rest of the batch goes with it.
                        connection.Dispose();
                        connection = null;
                        break;
                    }
                }
            }

            return statuses;
        }
        finally
        {
            connection?.Dispose();
        }
    }

    private static async Task<(int Status, bool Closes)> AnswerAsync(
        PipelinedConnection connection, FuzzedRequest request, string where, CancellationToken timeout)
    {
        try
        {
            var answer = await connection.ReadAsync(request, timeout) ?? throw new IOException("The connection was closed.");
            if (answer.Status >= 500 || answer.Text.Contains("-32603", StringComparison.Ordinal)
                || answer.Text.Contains(Canary, StringComparison.Ordinal))
            {
                throw new InvalidOperationException($"{where}:\n{request}\nwas answered\n{answer.Text}");
            }

            return (answer.Status, answer.Closes);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or SocketException)
        {
            throw new InvalidOperationException($"{where}:\n{request}\ngot no answer", e);
        }
    }

    private async Task<(string Name, Guid Agent)> AddForeignAsync(FixtureServer server)
    {
        var other = await World.CreateAsync(weir.Database);
        var name = "f" + Guid.CreateVersion7(TimeProvider.System.GetUtcNow()).ToString("N")[18..];
        await other.GrantAsync(await other.AddRemoteAsync(name, server.Url), """{"tools": {"*": {}}}""");
        var raw = new RawClient(weir.Client(other.AgentKey));
        await Until.AsyncTrue(async () => (await raw.ModernAsync("tools/list")).Body.Contains($"{name}__vault", StringComparison.Ordinal),
            "the catalog of " + name);
        (await raw.ModernAsync("tools/list")).Body.ShouldContain(Canary);
        (await raw.CallAsync($"{name}__vault")).Body.ShouldContain(Canary);
        return (name, other.AgentId);
    }
}
