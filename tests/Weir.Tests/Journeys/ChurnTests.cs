using Microsoft.Extensions.DependencyInjection;
using Weir.Configuration;
using Weir.Gateway.Parking;
using Weir.Gateway.Watching;
using Weir.Tests.Infrastructure;
using Weir.Upstream;

namespace Weir.Tests.Journeys;

/// <summary>Time can pass at once, for what is kept for a while; and nobody who has gone is waited for longer than a second.</summary>
public sealed class WeirInAHurry(TestCluster cluster) : WeirWithNode(cluster)
{
    internal ShiftedTime Clock { get; } = new();

    private protected override TimeProvider Time => Clock;

    private protected override WeirConfig Configure(WeirConfig config) =>
        config with { Mcp = config.Mcp with { CallTimeoutSeconds = 60, InputTimeoutSeconds = 1 } };
}

/// <summary>ATTACKS 35: clients that do not say goodbye.</summary>
public sealed class ChurnTests(WeirInAHurry weir) : IClassFixture<WeirInAHurry>
{
    private const int Waves = 20;
    private const int ClientsInAWave = 25;

    private const string Question =
        """{"method":"elicitation/"""
            + """create","params":{"message":"Who?","requestedSchema":{"type":"object","properties":{"name":{"type":"string"}}}}}""";

    private const string ModernMeta =
        ",\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\"io.modelcontextprotocol/"
            + "clientCapabilities\":{\"elicitation\":{\"form\":{}}}}";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>
    /// Some hold a stream open as they go, some have been asked something in the middle of a call, some leave a parked call behind. What
    /// they had ends by the times that are set for it.
    /// </summary>
    [Fact]
    public async Task Five_hundred_clients_that_vanish_leave_no_child_session_stream_or_parked_call_behind()
    {
        await weir.AddAsync("own", "weir-fixture", "1.0.0", "weir-fixture", [], "session");
        await weir.AddAsync("shared", "weir-fixture", "1.0.0", "weir-fixture", []);
        weir.Clock.Advance(TimeSpan.FromMinutes(11));
        await weir.Services.GetRequiredService<UpstreamSessions>().SweepAsync(Token);
        var before = await CountAsync();
        var most = 0;
        for (var wave = 0; wave < Waves; wave++)
        {
            await Task.WhenAll(Enumerable.Range(0, ClientsInAWave).Select(VisitAsync));
            most = Math.Max(most, (await weir.Node.NodeStatusAsync()).Children);
            weir.Clock.Advance(TimeSpan.FromMinutes(11));
            await weir.Services.GetRequiredService<UpstreamSessions>().SweepAsync(Token);
        }

        most.ShouldBeGreaterThan(ClientsInAWave / 2);
        var last = before;
        await Until.AsyncTrue(
            async () =>
            {
                // A sweep spares what a call still runs on; the calls of those who hung up end in a moment.
                await weir.Services.GetRequiredService<UpstreamSessions>().SweepAsync(Token);
                return (last = await CountAsync()) == before;
            },
            () => $"everything returns to {before}, not to {last}");
        (await new RawClient(weir.Client(weir.World.AgentKey)).CallAsync("own__echo", """{"message":"still here"}""")).Body.ShouldContain(
            "still here");
    }

    private async Task<Counts> CountAsync() => new(
        (await weir.Node.NodeStatusAsync()).Children,
        weir.Services.GetRequiredService<UpstreamSessions>().Count,
        weir.Services.GetRequiredService<ChangeStreams>().Count,
        weir.Services.GetRequiredService<InstanceWatches>().Count,
        weir.Services.GetRequiredService<ParkedCalls>().Count);

    private async Task VisitAsync(int client)
    {
        using var http = weir.Client(weir.World.AgentKey);
        var raw = new RawClient(http);
        var session = await OpenAsync(raw);
        foreach (var server in (string[])["own", "shared"])
        {
            var answer = await raw.PostAsync(Call(server + "__echo", """{"message":"hello"}"""), [session]);
            answer.Body.ShouldContain("hello", customMessage: answer.Body);
        }

        switch (client % 5)
        {
            // One at a time: an agent's modern clients share a session, and on stdio nobody could tell which of two calls a question is
            // about.
            case 0 when client == 0:
                var parked = await raw.PostAsync(Call("own__ask", Question, ModernMeta), RawClient.ModernHeaders("tools/call", "own__ask"));
                parked.Body.ShouldContain("input_required");
                break;
            case 0:
                await LeaveStreamAsync(http, HttpMethod.Get, content: null, session, until: ":");
                break;
            case 1:
                await LeaveStreamAsync(http, HttpMethod.Post, Call("own__ask", Question), session, until: "data: ");
                break;
            default:
                break;
        }
    }

    private static string Call(string tool, string arguments, string meta = "") =>
        $$"""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"{{tool}}","arguments":{{arguments}}{{meta}} } }""";

    private static async Task<(string Name, string Value)> OpenAsync(RawClient raw)
    {
        var answer = await raw.PostAsync(
            """{"jsonrpc":"2."""
                + """0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{}},"clientIn"""
                + """fo":{"name":"raw","version":"1"} } }""");
        answer.Status.ShouldBe(System.Net.HttpStatusCode.OK, answer.Body);
        return ("Mcp-Session-Id", answer.Headers.GetValues("Mcp-Session-Id").Single());
    }

    /// <summary>Hangs up as soon as the stream has said something.</summary>
    private static async Task LeaveStreamAsync(
        HttpClient http, HttpMethod method, string? content, (string Name, string Value) session, string until)
    {
        using var request = new HttpRequestMessage(method, "/mcp")
        {
            Content = content is null ? null : new StringContent(content, System.Text.Encoding.UTF8, "application/json"),
        };
        request.Headers.TryAddWithoutValidation(
            "Accept", method == HttpMethod.Get ? "text/event-stream" : "application/json, text/event-stream");
        request.Headers.TryAddWithoutValidation(session.Name, session.Value);
        using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Token);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Token));
        string? line;
        do
        {
            line = await reader.ReadLineAsync(Token) ?? throw new IOException("The stream ended first.");
        }
        while (!line.StartsWith(until, StringComparison.Ordinal));
    }

    /// <summary>What a client may leave behind.</summary>
    private sealed record Counts(int Children, int Sessions, int Streams, int Watches, int Parked);
}
