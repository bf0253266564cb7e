using System.Net;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys;

/// <summary>Ids, <c>Accept</c> and batches, as clients and servers of all kinds write them.</summary>
public sealed class WireFormTests(RunningWeir weir) : IClassFixture<RunningWeir>
{
    private const string All = """{"tools": {"*": {}}}""";

    [Theory]
    [InlineData("2025-11-25", "ID.0", false)]
    [InlineData("2025-11-25", "IDe0", true)]
    [InlineData("2024-11-05", "ID.0", true)]
    [InlineData("2025-11-25", "\"ID\"", false)]
    [InlineData("2024-11-05", "\"ID\"", true)]
    public async Task R12_an_answer_is_found_by_the_value_of_its_id(string version, string spelled, bool asStream)
    {
        await using var server = await ToolCallServer.StartAsync(version, call =>
        {
            var answer = ScriptedCall.Text(spelled.Replace("ID", call.Id, StringComparison.Ordinal), "found");
            return asStream ? call.SendAsync(answer) : call.AnswerAsync(answer);
        });
        var (name, _) = await weir.AddReadyAsync(server.Url, All);
        (await Raw().CallAsync($"{name}__go")).Body.ShouldContain("found");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task R13_a_byte_order_mark_and_params_of_an_empty_array_are_read(bool asStream)
    {
        await using var server = await ToolCallServer.StartAsync("2025-11-25", async call =>
        {
            if (asStream)
            {
                await call.SendAsync("""{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":[]}""");
                await call.SendAsync(ScriptedCall.Text(call.Id, "found"));
            }
            else
            {
                await call.AnswerAsync("\uFEFF" + ScriptedCall.Text(call.Id, "found"));
            }
        });
        var (name, _) = await weir.AddReadyAsync(server.Url, All);
        (await Raw().CallAsync($"{name}__go")).Body.ShouldContain("found");
    }

    [Theory]
    [InlineData("24.0")]
    [InlineData("\"24\"")]
    public async Task R12_progress_finds_its_call_by_the_value_of_its_token_and_another_calls_progress_does_not(string spelled)
    {
        await using var server = await ToolCallServer.StartAsync("2025-11-25", async call =>
        {
            var token = spelled.Replace("24", call.Token!, StringComparison.Ordinal);
            await call.SendAsync(
                $$$"""{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":987654,"progress":1,"message":"foreign"}}""");
            await call.SendAsync(
                $$$"""{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":{{{token}}},"progress":2,"message":"own"}}""");
            await call.SendAsync(ScriptedCall.Text(call.Id, "done"));
        });
        var (name, _) = await weir.AddReadyAsync(server.Url, All);
        var session = await Raw().InitializeAsync();
        var answer = await Raw().PostAsync(
            $$$$"""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"{{{{name}}}}__go","arguments":{},"_meta":{"progressToken":"mine"}}}""", [session]);
        answer.Body.ShouldContain("\"own\"");
        answer.Body.ShouldContain("\"mine\"");
        answer.Body.ShouldNotContain("foreign");
    }

    [Theory]
    [InlineData("1.0")]
    [InlineData("1e0")]
    [InlineData("-0")]
    [InlineData("12345678901234567890123")]
    public async Task R12_a_clients_id_is_answered_as_it_is_spelled(string id)
    {
        var session = await Raw().InitializeAsync();
        var answer = await Raw().PostAsync($$"""{"jsonrpc":"2.0","id":{{id}},"method":"ping"}""", [session]);
        answer.Body.ShouldContain($"\"id\":{id}", Case.Sensitive, answer.Body);
    }

    [Fact]
    public async Task R12_a_cancellation_finds_its_call_by_the_value_of_the_id()
    {
        await using var server =
            await ToolCallServer.StartAsync("2025-11-25", call => Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, call.Aborted));
        var (name, _) = await weir.AddReadyAsync(server.Url, All);
        var session = await Raw().InitializeAsync();
        var call = Raw()
            .PostAsync(
            $$$$"""{"jsonrpc":"2.0","id":7.0,"method":"tools/call","params":{"name":"{{{{name}}}}__go","arguments":{}}}""", [session]);
        await Until.True(() => server.Calls == 1, "the call runs");
        await Raw().PostAsync("""{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":70e-1}}""", [session]);
        await call;
        await Until.AsyncTrue(
            async () => (await weir.LogAsync()).Any(r => r.Instance == name && r.Outcome == "cancelled"), "the outcome's row");
    }

    [Theory]
    [InlineData(null, 200)]
    [InlineData("*/*", 200)]
    [InlineData("application/*, text/*", 200)]
    [InlineData("application/json", 200)]
    [InlineData("application/json;q=0.1, text/event-stream;q=0.9", 200)]
    [InlineData("APPLICATION/JSON; charset=utf-8, Text/Event-Stream", 200)]
    [InlineData("text/html, image/gif, *; q=.2, */*; q=.2", 200)]
    [InlineData("text/event-stream", 406)]
    [InlineData("text/*", 406)]
    [InlineData("text/html", 406)]
    [InlineData("application/json;q=0, */*", 406)]
    public async Task R12_accept_is_read_by_the_rules_of_http_and_none_at_all_means_anything(string? accept, int status)
    {
        using var content = new StringContent(
            """{"jsonrpc":"2."""
                + """0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"ra"""
                + """w","version":"1"}}}""",
            System.Text.Encoding.UTF8, "application/json");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/mcp") { Content = content };
        if (accept is not null)
        {
            request.Headers.TryAddWithoutValidation("Accept", accept);
        }

        using var response = await weir.Client(weir.World.AgentKey).SendAsync(request, TestContext.Current.CancellationToken);
        ((int)response.StatusCode).ShouldBe(status, await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData("application/json", false)]
    [InlineData("application/json, text/event-stream;q=0", false)]
    [InlineData("application/json, text/event-stream", true)]
    public async Task R12_who_accepts_no_stream_gets_the_response_alone_as_json(string accept, bool streams)
    {
        await using var server = await ToolCallServer.StartAsync("2025-11-25", async call =>
        {
            await call.SendAsync(call.Progress(1, "half"));
            await call.SendAsync(ScriptedCall.Text(call.Id, "done"));
        });
        var (name, _) = await weir.AddReadyAsync(server.Url, All);
        var session = await Raw().InitializeAsync();
        var answer = await Raw().PostAsync(
            $$$$"""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"{{{{name}}}}__go","arguments":{},"_meta":{"progressToken":"p"}}}""",
            [session, ("Accept", accept)]);
        answer.Status.ShouldBe(HttpStatusCode.OK);
        answer.Body.ShouldContain("done");
        answer.Body.Contains("half", StringComparison.Ordinal).ShouldBe(streams);
        answer.Body.StartsWith("event:", StringComparison.Ordinal).ShouldBe(streams);
    }

    [Theory]
    [InlineData("2025-03-26")]
    [InlineData("2025-11-25")]
    public async Task R17_a_batch_is_refused_as_a_whole_and_nothing_of_it_runs(string version)
    {
        await using var server =
            await ToolCallServer.StartAsync("2025-11-25", call => call.AnswerAsync(ScriptedCall.Text(call.Id, "done")));
        var (name, _) = await weir.AddReadyAsync(server.Url, All);
        var session = await Raw().InitializeAsync(version);
        var call = $$$$"""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"{{{{name}}}}__go","arguments":{}}}""";
        var answer = await Raw().PostAsync($"[{call},{call.Replace("\"id\":1", "\"id\":2", StringComparison.Ordinal)}]", [session]);
        answer.Status.ShouldBe(HttpStatusCode.BadRequest);
        answer.ErrorCode.ShouldBe(-32600);
        answer.ErrorMessage.ShouldContain("one message per request");
        answer.Json.GetProperty("id").ValueKind.ShouldBe(System.Text.Json.JsonValueKind.Null);
        server.Calls.ShouldBe(0);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task R17_a_servers_batch_is_read_message_by_message(bool asStream)
    {
        await using var server = await ToolCallServer.StartAsync("2025-03-26", call =>
        {
            var batch = $"\t[ {call.Progress(1, "first")} ,{call.Progress(2, "second")},{ScriptedCall.Text(call.Id, "done")} ] ";
            return asStream ? call.SendAsync(batch) : call.AnswerAsync(batch);
        });
        var (name, _) = await weir.AddReadyAsync(server.Url, All);
        var session = await Raw().InitializeAsync();
        var answer = await Raw().PostAsync(
            $$$$"""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"{{{{name}}}}__go","arguments":{},"_meta":{"progressToken":"p"}}}""", [session]);
        answer.Body.ShouldContain("first");
        answer.Body.ShouldContain("second");
        answer.Body.ShouldContain("done");
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("[1]")]
    [InlineData("[{}]")]
    [InlineData("[RESPONSE")]
    [InlineData("[,RESPONSE]")]
    [InlineData("[[RESPONSE]]")]
    public async Task R17_a_batch_that_is_none_is_the_servers_fault(string batch)
    {
        await using var server = await ToolCallServer.StartAsync("2025-03-26", call =>
            call.AnswerAsync(
                batch.Replace("RESPONSE", batch == "[RESPONSE" ? "" : ScriptedCall.Text(call.Id, "done"), StringComparison.Ordinal)));
        var (name, _) = await weir.AddReadyAsync(server.Url, All);
        (await Raw().CallAsync($"{name}__go")).ErrorCode.ShouldBe(1013);
    }

    private RawClient Raw() => new(weir.Client(weir.World.AgentKey));
}
