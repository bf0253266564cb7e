using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Weir.Configuration;
using Weir.Definitions;
using Weir.Tests.Infrastructure;
using Weir.Upstream;

namespace Weir.Tests.Journeys;

/// <summary>A replica at which an organization may hold 8 MiB.</summary>
public sealed class NarrowWeir(TestCluster cluster) : RunningWeir(cluster)
{
    private protected override WeirConfig Configure(WeirConfig config) =>
        config with { Limits = config.Limits with { HeldMegabytesPerOrganization = 8 } };
}

/// <summary>What one organization's calls hold at a replica is bounded in bytes, whichever way they come.</summary>
public sealed class HeldBytesTests(NarrowWeir weir) : IClassFixture<NarrowWeir>
{
    private const string All = """{"tools": {"*": {}}}""";
    private const long Most = 8 * 1024 * 1024;

    private ByteBudget Budget => weir.Services.GetRequiredService<ByteBudget>();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task F05_an_answer_that_the_organization_has_no_room_for_is_a_typed_error(bool asStream)
    {
        await using var server = await ToolCallServer.StartAsync("2025-11-25", call =>
        {
            var answer = ScriptedCall.Text(call.Id, new string('x', 9 * 1024 * 1024));
            return asStream ? call.SendAsync(answer) : call.AnswerAsync(answer);
        });
        var (name, _) = await weir.AddReadyAsync(server.Url, All);
        var answer = await Raw().CallAsync($"{name}__go");
        answer.ErrorCode.ShouldBe(1013, answer.Body);
        answer.ErrorMessage.ShouldContain("may hold at this replica");
        answer.Json.GetProperty("error").GetProperty("data").GetProperty("retryable").GetBoolean().ShouldBeFalse();
        await NothingIsHeldAsync();
    }

    [Fact]
    public async Task F05_requests_that_wait_or_run_count_with_their_bytes_and_one_too_many_is_denied_and_recorded()
    {
        await using var server = await OddServer.StartAsync();
        var (name, _) = await weir.AddReadyAsync(server.Url, All);
        var arguments = $$"""{"x":"{{new string('x', 2_000_000)}}"}""";
        using var leave = new CancellationTokenSource();
        var hanging = Raw().CallAsync($"{name}__hang", arguments, leave.Token);
        await Until.True(() => server.Calls == 1, "one call hangs");
        Budget.HeldBy(weir.World.OrganizationId).ShouldBeGreaterThan(6_000_000);

        var refused = await Raw().CallAsync($"{name}__echo", arguments);
        refused.ErrorCode.ShouldBe(1008, refused.Body);
        server.Calls.ShouldBe(1);
        (await weir.LogAsync()).ShouldContain(r => r.Instance == name && r.Item == "echo" && r.Reason == "limit");
        (await Raw().CallAsync($"{name}__echo")).Body.ShouldContain("\"ok\"", Case.Sensitive, "a small one has room");

        await leave.CancelAsync();
        await hanging.ShouldThrowAsync<OperationCanceledException>();
        await NothingIsHeldAsync();
        (await Raw().CallAsync($"{name}__echo", arguments)).Body.ShouldContain("\"ok\"");
    }

    [Fact]
    public async Task F05_questions_that_nobody_answers_are_held_up_to_the_bound_and_then_refused()
    {
        var server = default(ToolCallServer)!;
        await using var scripted = server = await ToolCallServer.StartAsync("2025-11-25", async call =>
        {
            for (var i = 0; i < 12; i++)
            {
                await call.SendAsync(
                    $$$"""{"jsonrpc":"2.0","id":"q{{{i}}}","method":"elicitation/create","params":{"message":"{{{new string(
                        'x', 900_000)}}}"} }""");
            }

            await Until.True(() => server.Refusals > 0, "one is refused");
            await call.SendAsync(ScriptedCall.Text(call.Id, "done"));
        });
        var (name, _) = await weir.AddReadyAsync(server.Url, All);
        var opened = await Raw().PostAsync(
            """{"jsonrpc":"2."""
                + """0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{}},"clientIn"""
                + """fo":{"name":"raw","version":"1"} } }""");
        var session = ("Mcp-Session-Id", opened.Headers.GetValues("Mcp-Session-Id").Single());
        var answer = await Raw()
            .PostAsync($$"""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"{{name}}__go","arguments":{} } }""", [session]);
        answer.Body.ShouldContain("done");
        Budget.Peak.ShouldBeLessThanOrEqualTo(Most);
        await NothingIsHeldAsync();
    }

    [Fact]
    public async Task F05_what_a_server_announces_counts_for_its_organization_while_it_is_kept()
    {
        await using var server = await OddServer.StartAsync();
        server.Lie =
            $$"""{"resultType":"complete","ttlMs":0,"cacheScope":"private","tools":[{{string.Join(',', Enumerable.Range(0, 20).Select(i =>
            $$"""{"name":"t{{i}}","description":"{{new string('d', 150_000)}}","inputSchema":{"type":"object"} }"""))}}]}""";
        var target = new UpstreamTarget(weir.World.AgentId, "wide", server.Url, NodeKey: null);
        var refresh = weir.Services.GetRequiredService<DefinitionRefresh>();
        await refresh.ProveAsync(target with { ChargedTo = Guid.CreateVersion7(TimeProvider.System.GetUtcNow()) }, () => Task.CompletedTask,
            CancellationToken.None).ShouldThrowAsync<UpstreamException>();
        var refusal =
            await refresh.ProveAsync(target with { ChargedTo = weir.World.OrganizationId }, () => Task.CompletedTask,
                CancellationToken.None).ShouldThrowAsync<UpstreamException>();
        refusal.Failure.ShouldBe(UpstreamFailure.OverBudget);
        Budget.Peak.ShouldBeLessThanOrEqualTo(Most);
        await NothingIsHeldAsync();
    }

    [Fact]
    public async Task F05_an_event_on_a_servers_own_stream_that_has_no_room_ends_the_stream_which_is_opened_again()
    {
        var opened = 0;
        var heard = new TaskCompletionSource();
        await using var server = await ToolCallServer.StartAsync("2025-11-25", call => call.AnswerAsync(ScriptedCall.Text(call.Id, "ok")));
        server.OwnStream = async response =>
        {
            if (Interlocked.Increment(ref opened) == 1)
            {
                await response.WriteAsync(
                    $$"""data: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"{{new string(
                        'x', 9 * 1024 * 1024)}}"} }""" + "\n\n");
            }
            else
            {
                heard.TrySetResult();
            }

            await response.Body.FlushAsync();
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, response.HttpContext.RequestAborted);
        };
        var (name, _) = await weir.AddReadyAsync(server.Url, All);
        using var stream = await ListChangeStream.OpenAsync(weir.Client(weir.World.AgentKey));

        await heard.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);

        stream.HasEnded.ShouldBeFalse();
        Budget.Peak.ShouldBeLessThanOrEqualTo(Most);
        (await Raw().CallAsync($"{name}__go")).Body.ShouldContain("ok");
        await NothingIsHeldAsync();
    }

    [Fact]
    public async Task F05_find_tools_says_how_many_tools_it_has_no_room_for()
    {
        await using var server = await OddServer.StartAsync();
        server.Lie =
            $$"""{"resultType":"complete","ttlMs":0,"cacheScope":"private","tools":[{{string.Join(',', Enumerable.Range(0, 9).Select(i =>
            $$"""{"name":"draw{{i}}","description":"Draws. {{new string('d', 200_000)}}","inputSchema":{"type":"object"} }"""))}}]}""";
        var wide = await World.CreateAsync(weir.Database);
        await wide.GrantAsync(await wide.AddRemoteAsync("wide", server.Url), All);
        var raw = new RawClient(weir.Client(wide.AgentKey), "/mcp?tools=search");
        var found = default(RawAnswer)!;
        await Until.AsyncTrue(
            async () =>
                (found = await raw.CallAsync("find_tools", """{"query":"draws","limit":20}""")).Body.Contains(
                    "draw1", StringComparison.Ordinal), "the tools are found");

        found.Body.Length.ShouldBeLessThan(3 * 1024 * 1024);
        var content = found.Json.GetProperty("result").GetProperty("structuredContent");
        var shown = content.GetProperty("tools").GetArrayLength();
        shown.ShouldBeInRange(1, 5);
        content.GetProperty("leftOut").GetInt32().ShouldBe(9 - shown);
    }

    [Fact]
    public async Task F05_a_call_that_is_denied_for_its_bytes_is_recorded_as_that_though_a_rule_wants_an_argument()
    {
        await using var server = await OddServer.StartAsync();
        var (name, _) = await weir.AddReadyAsync(server.Url, """{"tools": {"*": {"args": {"x": {"matches": "x*"}}}}}""");
        var arguments = $$"""{"x":"{{new string('x', 2_900_000)}}"}""";

        var refused = await Raw().CallAsync($"{name}__echo", arguments);

        refused.ErrorCode.ShouldBe(1008, refused.Body);
        server.Calls.ShouldBe(0);
        (await weir.LogAsync()).ShouldContain(r => r.Instance == name && r.Item == "echo" && r.Reason == "limit");
        await NothingIsHeldAsync();
    }

    private Task NothingIsHeldAsync() => Until.True(() => Budget.HeldBy(weir.World.OrganizationId) == 0, "everything is given back");

    private RawClient Raw() => new(weir.Client(weir.World.AgentKey));
}

/// <summary>Lists that are longer than a page, at a replica as it comes.</summary>
public sealed class WideListTests(RunningWeir weir) : IClassFixture<RunningWeir>
{
    [Fact]
    public async Task F05_a_page_of_a_list_ends_by_its_bytes_and_the_next_goes_on()
    {
        await using var server = await OddServer.StartAsync();
        server.Lie =
            $$"""{"resultType":"complete","ttlMs":0,"cacheScope":"private","tools":[{{string.Join(',', Enumerable.Range(0, 20).Select(i =>
            $$"""{"name":"t{{i}}","description":"{{new string('d', 240_000)}}","inputSchema":{"type":"object"} }"""))}}]}""";
        var name = "wide";
        // An organization of its own, whose list of all servers is looked at by no other test.
        var wide = await World.CreateAsync(weir.Database);
        await wide.GrantAsync(await wide.AddRemoteAsync(name, server.Url), """{"tools": {"*": {}}}""");
        var raw = new RawClient(weir.Client(wide.AgentKey), "/mcp/wide");
        var pages = new List<int>();
        await Until.AsyncTrue(
            async () => (await raw.ModernAsync("tools/list")).Body.Contains("\"t0\"", StringComparison.Ordinal), "the list");
        var cursor = "";
        do
        {
            var page = await raw.ModernAsync("tools/list", cursor.Length == 0 ? "" : $"\"cursor\":\"{cursor}\",");
            page.Status.ShouldBe(HttpStatusCode.OK);
            page.Body.Length.ShouldBeLessThan(5 * 1024 * 1024);
            var result = page.Json.GetProperty("result");
            pages.Add(result.GetProperty("tools").GetArrayLength());
            cursor = result.TryGetProperty("nextCursor", out var next) ? next.GetString()! : "";
        }
        while (cursor.Length > 0);

        pages.Sum().ShouldBe(20);
        pages.Count.ShouldBe(2);
        await Until.True(() => weir.Services.GetRequiredService<ByteBudget>().HeldBy(wide.OrganizationId) == 0, "everything is given back");
    }
}
