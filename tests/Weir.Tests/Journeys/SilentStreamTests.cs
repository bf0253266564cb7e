using System.Net;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Weir.Chat;
using Weir.Configuration;
using Weir.Errors;
using Weir.Gateway.Watching;
using Weir.Server.Chat;
using Weir.Server.Hosting;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys;

/// <summary>A replica whose 15 seconds of silence are over when the test says so.</summary>
public sealed class QuietWeir(TestCluster cluster) : RunningWeir(cluster)
{
    internal HandTime Silence { get; } = new(TimeSpan.FromSeconds(15));

    private protected override TimeProvider Time => Silence;
}

/// <summary>No stream and no waiting call is silent for longer than 15 seconds.</summary>
public sealed class SilentStreamTests(QuietWeir weir) : IClassFixture<QuietWeir>
{
    private const string All = """{"tools": {"*": {}}}""";
    private const string Both = "application/json, text/event-stream";

    /// <summary>What does not come at all fails a test here, and does not hold it up.</summary>
    private readonly CancellationTokenSource _timeout = new(TimeSpan.FromMinutes(1), TimeProvider.System);

    private CancellationToken Token => _timeout.Token;

    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(false, false)]
    public async Task R09_a_call_that_waits_begins_a_stream_and_ends_in_it(bool modern, bool fails)
    {
        var goOn = new SemaphoreSlim(0);
        await using var server = await ToolCallServer.StartAsync("2025-11-25", async call =>
        {
            await goOn.WaitAsync(call.Aborted);
            if (fails)
            {
                call.Drop();
            }
            else
            {
                await call.AnswerAsync(ScriptedCall.Text(call.Id, "late"));
            }
        });
        var (name, _) = await weir.AddReadyAsync(server.Url, All);
        using var request = await RequestAsync(name + "__go", modern, Both);
        var sending = weir.Client(weir.World.AgentKey).SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Token);
        await Until.True(() => server.Calls == 1, "the call runs");
        sending.IsCompleted.ShouldBeFalse();

        weir.Silence.Fire();
        using var response = await sending;
        response.StatusCode.ShouldBe(HttpStatusCode.OK);
        response.Content.Headers.ContentType!.MediaType.ShouldBe("text/event-stream");
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Token));
        (await reader.ReadLineAsync(Token)).ShouldBe(": keep-alive");
        weir.Silence.Fire();
        (await reader.ReadLineAsync(Token)).ShouldBe("");
        (await reader.ReadLineAsync(Token)).ShouldBe(": keep-alive");

        goOn.Release();
        var rest = await reader.ReadToEndAsync(Token);
        rest.ShouldContain(fails ? "\"code\":1015" : "late");
        rest.ShouldContain("data: {");
        await Until.AsyncTrue(
            async () => (await weir.LogAsync()).Any(r => r.Instance == name && r.Outcome == (fails ? "upstream_error" : "ok")),
            "the outcome's row");
        await Until.True(() => weir.Silence.Running == 0, "nothing beats for a call that has ended");
    }

    [Fact]
    public async Task R09_who_accepts_no_stream_gets_the_late_answer_as_json()
    {
        var goOn = new SemaphoreSlim(0);
        await using var server = await ToolCallServer.StartAsync("2025-11-25", async call =>
        {
            await goOn.WaitAsync(call.Aborted);
            await call.AnswerAsync(ScriptedCall.Text(call.Id, "late"));
        });
        var (name, _) = await weir.AddReadyAsync(server.Url, All);
        using var request = await RequestAsync(name + "__go", modern: false, "application/json");
        var sending = weir.Client(weir.World.AgentKey).SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Token);
        await Until.True(() => server.Calls == 1, "the call runs");
        weir.Silence.Fire();
        goOn.Release();
        using var response = await sending;
        response.Content.Headers.ContentType!.MediaType.ShouldBe("application/json");
        (await response.Content.ReadAsStringAsync(Token)).ShouldContain("late");
    }

    [Fact]
    public async Task R09_a_call_that_waits_to_be_decided_is_refused_in_its_stream()
    {
        HttpResponseMessage response;
        using var request = await RequestAsync("nothing__there", modern: true, Both);
        await using (var holder = await HeldTransaction.BeginAsync(weir.Database.Superuser))
        {
            await holder.RunAsync("lock table public.mcp_interaction_logs in access exclusive mode");
            // Another test's stream may still be open.
            var others = weir.Silence.Running;
            var sending = weir.Client(weir.World.AgentKey).SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Token);
            await Until.True(() => weir.Silence.Running > others, "the call waits");
            weir.Silence.Fire();
            response = await sending;
        }

        using (response)
        {
            response.StatusCode.ShouldBe(HttpStatusCode.OK);
            var body = await response.Content.ReadAsStringAsync(Token);
            body.ShouldStartWith(": keep-alive");
            var error = JsonElement.Parse(body[(body.IndexOf("data: ", StringComparison.Ordinal) + 6)..]);
            error.GetProperty("id").GetInt32().ShouldBe(1);
            error.TryGetProperty("error", out _).ShouldBeTrue();
        }
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    public async Task R09_a_stream_of_changes_is_never_silent_whatever_changes_for_others_and_whoever_passes_it_on(
    bool modern, bool passedOn)
    {
        await using var second = WeirHost.Build(weir.Services.GetRequiredService<WeirConfig>());
        await second.StartAsync(Token);
        var session = modern ? default : await new RawClient(weir.Client(weir.World.AgentKey)).InitializeAsync();
        using var client = weir.Client(weir.World.AgentKey);
        if (passedOn)
        {
            client.BaseAddress =
                new Uri(second.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());
        }

        using var request = new HttpRequestMessage(modern ? HttpMethod.Post : HttpMethod.Get, "/mcp");
        request.Headers.TryAddWithoutValidation("Accept", Both);
        if (modern)
        {
            request.Content = Json("subscriptions/listen", "\"notifications\":{\"toolsListChanged\":true},");
            foreach (var (name, value) in RawClient.ModernHeaders("subscriptions/listen", null))
            {
                request.Headers.TryAddWithoutValidation(name, value);
            }
        }
        else
        {
            request.Headers.TryAddWithoutValidation(session.Name, session.Value);
        }

        using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Token);
        response.Content.Headers.ContentType!.MediaType.ShouldBe("text/event-stream");
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Token));
        await Until.True(() => weir.Silence.Running > 0, "the stream follows");
        var comments = modern ? 0 : -1;
        while (comments < 2)
        {
            weir.Services.GetRequiredService<ChangeStreams>().Announce(organizationId: null);
            weir.Silence.Fire();
            string? line;
            while ((line = await reader.ReadLineAsync(Token)) is not null && !line.StartsWith(':'))
            {
            }

            line.ShouldBe(": keep-alive");
            comments++;
        }
    }

    [Fact]
    public async Task R09_a_chat_turn_that_thinks_says_so_and_its_error_is_an_event()
    {
        var time = new HandTime(TimeSpan.FromSeconds(15));
        var goOn = new SemaphoreSlim(0);
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddSingleton(new DocsLinks(null));
        await using var app = builder.Build();
        app.MapGet("/", http => ChatEventStream.RunAsync(http, time, async tell =>
        {
            await goOn.WaitAsync(http.RequestAborted);
            await tell(new ChatEvent("delta", new { text = "word" }));
            throw new WeirException(ErrorCode.Unavailable, "gone");
        }));
        await app.StartAsync(Token);
        using var client = weir.Client();
        var sending = client.GetAsync(new Uri(app.Urls.Single()), HttpCompletionOption.ResponseHeadersRead, Token);
        await Until.True(() => time.Running == 1, "the turn waits");
        time.Fire();
        using var response = await sending;
        response.Content.Headers.ContentType!.MediaType.ShouldBe("text/event-stream");
        goOn.Release();
        var body = await response.Content.ReadAsStringAsync(Token);
        body.ShouldStartWith(": keep-alive\n\n");
        body.ShouldContain("event: delta");
        body.ShouldContain("event: error");
        body.ShouldContain("WR009");
        time.Running.ShouldBe(0);
    }

    private static StringContent Json(string method, string parameters) => new(
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"" + method + "\",\"params\":{" + parameters
            + "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\"io.modelcontextprotocol/clientCapabilities\":{}}}}",
        Encoding.UTF8, "application/json");

    private async Task<HttpRequestMessage> RequestAsync(string tool, bool modern, string accept)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "/mcp");
        request.Headers.TryAddWithoutValidation("Accept", accept);
        if (modern)
        {
            request.Content = Json("tools/call", $"\"name\":\"{tool}\",\"arguments\":{{}},");
            foreach (var (name, value) in RawClient.ModernHeaders("tools/call", tool))
            {
                request.Headers.TryAddWithoutValidation(name, value);
            }
        }
        else
        {
            var session = await new RawClient(weir.Client(weir.World.AgentKey)).InitializeAsync();
            request.Content = new StringContent(
                $$"""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"{{tool}}","arguments":{} } }""", Encoding.UTF8,
                "application/json");
            request.Headers.TryAddWithoutValidation(session.Name, session.Value);
        }

        return request;
    }
}
