using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Weir.Configuration;
using Weir.Gateway.Parking;
using Weir.Gateway.Watching;
using Weir.Server.Hosting;
using Weir.Tests.Fixtures.Conformance;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys;

/// <summary>Questions, streams and cancellations between the eras, with two replicas that take turns.</summary>
public sealed class ErasTests(RunningWeir weir) : IClassFixture<RunningWeir>, IAsyncLifetime
{
    private const string All = """{"tools": {"*": {}}, "resources": ["*"], "prompts": ["*"]}""";

    private readonly List<HttpClient> _clients = [];
    private WebApplication _second = null!;
    private HttpClient _one = null!;
    private HttpClient _two = null!;

    public async ValueTask InitializeAsync()
    {
        _second = WeirHost.Build(weir.Services.GetRequiredService<WeirConfig>());
        await _second.StartAsync();
        _one = weir.Client(weir.World.AgentKey);
        _two = Second(weir.World.AgentKey);
    }

    public async ValueTask DisposeAsync()
    {
        await _second.StopAsync();
        await _second.DisposeAsync();
        _clients.ForEach(c => c.Dispose());
    }

    [Fact]
    public async Task A_legacy_servers_question_parks_a_modern_clients_call_and_any_replica_takes_the_answer()
    {
        await using var server = await ConformanceServer.StartAsync(ServerEras.Legacy);
        var (name, _) = await weir.AddReadyAsync(server.Url, All);
        var asked = await ElicitAsync(_one, name);
        var (key, question, state) = Question(asked);
        question.GetProperty("method").GetString().ShouldBe("elicitation/create");
        question.GetProperty("params").GetProperty("message").GetString().ShouldBe("Who are you?");
        Parked.Count.ShouldBe(1);

        var answer = await ElicitAsync(_two, name, Answer(key, "Ann"), state);
        answer.Json.GetProperty("result").GetProperty("resultType").GetString().ShouldBe("complete", answer.Body);
        answer.Body.ShouldContain("Ann");
        Parked.Count.ShouldBe(0);
        server.Features.Calls.ShouldBe(1);
        IReadOnlyList<LogRow> rows = [];
        await Until.AsyncTrue(async () => (rows = await RowsAsync(name)).Count(r => r.Phase == "completed") == 2,
            "the call and its retry have their outcome");
        rows.Where(r => r.Phase == "completed").Select(r => r.Outcome).ShouldBe(["ok", "ok"]);
    }

    [Fact]
    public async Task A_call_that_is_parked_when_its_replica_stops_has_an_outcome()
    {
        await using var server = await ConformanceServer.StartAsync(ServerEras.Legacy);
        var (name, _) = await weir.AddReadyAsync(server.Url, All);
        await using var stopping = WeirHost.Build(weir.Services.GetRequiredService<WeirConfig>());
        await stopping.StartAsync();
        var client = weir.Client(weir.World.AgentKey);
        _clients.Add(client);
        client.BaseAddress =
            new Uri(stopping.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());
        Question(await ElicitAsync(client, name));

        await stopping.StopAsync();
        await stopping.DisposeAsync();

        (await RowsAsync(name)).Where(r => r.Phase == "completed").Select(r => r.Outcome).ShouldBe(["cancelled"]);
    }

    [Fact]
    public async Task What_a_server_says_while_its_call_is_parked_waits_for_the_client()
    {
        await using var server = await ConformanceServer.StartAsync(ServerEras.Legacy);
        var (name, _) = await weir.AddReadyAsync(server.Url, All);
        var tool = $"{name}__progress_while_asking";
        var (key, _, state) = Question(await CallAsync(""));
        server.Features.GoOn.Release();
        await server.Features.WentOn.WaitAsync(TestContext.Current.CancellationToken);

        var answer = await CallAsync($"\"inputResponses\":{Answer(key, "Ann")},\"requestState\":{JsonSerializer.Serialize(state)},");

        answer.Body.ShouldContain("\"progress\":50");
        answer.Body.ShouldContain("Ann");

        Task<RawAnswer> CallAsync(string input) => new RawClient(_one).PostAsync(
            Modern("tools/call", $$"""{{input}}"name":"{{tool}}","arguments":{},""", capabilities: """{"elicitation":{}}""",
                progress: true), RawClient.ModernHeaders("tools/call", tool));
    }

    [Fact]
    public async Task A06_A19_a_state_is_good_once_for_its_own_call_and_caller_and_decided_anew()
    {
        await using var server = await ConformanceServer.StartAsync(ServerEras.Legacy);
        var (name, id) = await weir.AddReadyAsync(server.Url, All);
        var (key, _, state) = Question(await ElicitAsync(_one, name));

        (await ElicitAsync(_one, name, Answer(key, "Ann"), state, message: "Something else")).ErrorCode.ShouldBe(1001);
        var (_, otherKey) = await weir.World.CreateAgentAsync("other");
        using var other = weir.Client(otherKey);
        (await ElicitAsync(other, name, Answer(key, "Ann"), state)).Body.ShouldNotContain("\"result\"");
        (await ElicitAsync(_one, name, Answer(key, "Ann"), state[..^3] + "AAA")).Body.ShouldNotContain("\"result\"");
        (await ElicitAsync(_one, name, Answer(key, "Ann"), state)).Body.ShouldContain("Ann");
        (await ElicitAsync(_two, name, Answer(key, "Ann"), state)).ErrorCode.ShouldBe(1001);

        (key, _, state) = Question(await ElicitAsync(_two, name));
        await weir.World.RevokeAsync(id);
        (await ElicitAsync(_one, name, Answer(key, "Ann"), state)).ErrorCode.ShouldBe(-32602);
        await Until.True(
            () => Parked.Count == 0 && _second.Services.GetRequiredService<ParkedCalls>().Count == 0, "a denied retry ends the call");
        (await ElicitAsync(_two, name, Answer(key, "Ann"), state)).ErrorCode.ShouldBe(1001);
    }

    [Fact]
    public async Task A21_a_modern_servers_question_reaches_the_legacy_client_that_called_whose_answer_may_come_to_the_other_replica()
    {
        await using var server = await ConformanceServer.StartAsync(ServerEras.Modern);
        var (name, _) = await weir.AddReadyAsync(server.Url, All);
        var session = await InitializeAsync(_one, """{"elicitation":{}}""");
        await using var call =
            await EventReader.OpenAsync(_two, "/mcp", CallBody($"{name}__test_elicitation", """{"message":"Who are you?"}"""), session);
        var question = await call.NextAsync("elicitation/create");
        var answer =
            $$$"""{"jsonrpc":"2.0","id":{{{question.GetProperty("id")
                .GetRawText()}}},"result":{"action":"accept","content":{"username":"Bob"} } }""";
        (await new RawClient(_one).PostAsync(answer, [session])).Status.ShouldBe(HttpStatusCode.Accepted);
        (await call.ResponseAsync()).GetProperty("result").GetRawText().ShouldContain("Bob");

        // Nobody else's answer counts.
        await using var again =
            await EventReader.OpenAsync(_one, "/mcp", CallBody($"{name}__test_elicitation", """{"message":"Who are you?"}"""), session);
        question = await again.NextAsync("elicitation/create");
        answer =
            $$$"""{"jsonrpc":"2.0","id":{{{question.GetProperty("id")
                .GetRawText()}}},"result":{"action":"accept","content":{"username":"Mallory"} } }""";
        var foreign = await InitializeAsync(_one, "{}");
        await new RawClient(_one).PostAsync(answer, [foreign]);
        await new RawClient(_one).PostAsync(answer.Replace("Mallory", "Ann", StringComparison.Ordinal), [session]);
        (await again.ResponseAsync()).GetRawText().ShouldContain("Ann");
    }

    [Fact]
    public async Task A24_a_server_asks_only_what_the_client_offers()
    {
        await using var server = await ConformanceServer.StartAsync(ServerEras.Legacy);
        var (name, _) = await weir.AddReadyAsync(server.Url, All);
        var session = await InitializeAsync(_one, "{}");
        var answer = await new RawClient(_one).PostAsync(CallBody($"{name}__test_elicitation", """{"message":"x"}"""), [session]);
        answer.Status.ShouldBe(HttpStatusCode.OK);
        answer.Body.ShouldNotContain("\"method\"");
    }

    [Theory]
    [InlineData(ServerEras.Legacy)]
    [InlineData(ServerEras.Modern)]
    public async Task A_cancellation_reaches_the_server_whichever_replica_hears_it(ServerEras eras)
    {
        await using var server = await ConformanceServer.StartAsync(eras);
        var (name, _) = await weir.AddReadyAsync(server.Url, All);
        var session = await InitializeAsync(_one, "{}");
        await using var call = await EventReader.OpenAsync(_two, "/mcp", CallBody($"{name}__test_wait", "{}", progress: true), session);
        await call.NextAsync("notifications/progress");
        await new RawClient(_one).PostAsync(
            """{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7} }""", [session]);
        await Until.True(() => server.Features.Cancelled == 1, "the server hears that nobody waits");

        // A modern client cancels by going away.
        await using (var modern = await EventReader.OpenAsync(
            _two, "/mcp", Modern("tools/call", $"\"name\":\"{name}__test_wait\",", progress: true),
            [.. RawClient.ModernHeaders("tools/call", $"{name}__test_wait")]))
        {
            await modern.NextAsync("notifications/progress");
        }

        await Until.True(() => server.Features.Cancelled == 2, "the server hears it again");
    }

    [Theory]
    [InlineData(ServerEras.Legacy)]
    [InlineData(ServerEras.Modern)]
    public async Task A24_a_legacy_client_hears_of_what_it_may_read_from_any_replica_and_of_nothing_else(ServerEras eras)
    {
        await using var server = await ConformanceServer.StartAsync(eras);
        var (name, id) = await weir.AddReadyAsync(server.Url, """{"tools": {"*": {}}, "resources": ["test://watched-resource"]}""");
        var session = await InitializeAsync(_one, "{}");
        await using var stream = await EventReader.OpenAsync(_two, "/mcp", body: null, session);
        var raw = new RawClient(_two);
        (await raw.PostAsync(UriBody("resources/subscribe", $"weir://{name}/test://watched-resource"), [session])).Json.TryGetProperty(
            "result", out _).ShouldBeTrue();
        (await raw.PostAsync(UriBody("resources/subscribe", $"weir://{name}/test://static-text"), [session])).Json.TryGetProperty(
            "error", out _).ShouldBeTrue();
        (await raw.PostAsync(UriBody("resources/subscribe", "weir://nobody/test://watched-resource"), [session])).Json.TryGetProperty(
            "error", out _).ShouldBeTrue();

        var heard = stream.NextAsync("notifications/resources/updated");
        await Until.AsyncTrue(async () =>
        {
            await raw.PostAsync(CallBody($"{name}__test_trigger_resource_update", "{}"), [session]);
            return heard.IsCompleted;
        }, "the change is heard");
        (await heard).GetProperty("params").GetProperty("uri").GetString().ShouldBe($"weir://{name}/test://watched-resource");
        (await RowsAsync(name)).Count(r => r is { Kind: "resource_read", Phase: "denied" }).ShouldBe(1);

        await weir.World.RevokeAsync(id);
        await Until.True(
            () => !IsWatched(weir.Services, id) && !IsWatched(_second.Services, id), "nobody listens to what may not be read any more");
    }

    [Theory]
    [InlineData(ServerEras.Legacy)]
    [InlineData(ServerEras.Modern)]
    public async Task A_modern_client_listens_with_one_request_to_what_was_agreed_to(ServerEras eras)
    {
        await using var server = await ConformanceServer.StartAsync(eras);
        var (name, _) =
            await weir.AddReadyAsync(server.Url, """{"tools": {"*": {}}, "prompts": ["*"], "resources": ["test://watched-resource"]}""");
        var wanted =
            $$"""{"toolsListChanged":true,"resourceSubscriptions":["weir://{{name}}/test://watched-resource","weir://{{name}}/test://static-text"]}""";
        await using var stream = await EventReader.OpenAsync(_two, "/mcp", Modern("subscriptions/listen", $"\"notifications\":{wanted},"),
            [.. RawClient.ModernHeaders("subscriptions/listen", null)]);
        var agreed = await stream.NextAsync("notifications/subscriptions/acknowledged");
        agreed.GetProperty("params").GetProperty("notifications").GetRawText()
            .ShouldBe($$"""{"toolsListChanged":true,"resourceSubscriptions":["weir://{{name}}/test://watched-resource"]}""");
        agreed.GetProperty("params").GetProperty("_meta").GetProperty("io.modelcontextprotocol/subscriptionId").GetInt32().ShouldBe(7);

        var raw = new RawClient(_one);
        var heard = stream.NextAsync(m => m.GetProperty("method").GetString() != "notifications/subscriptions/acknowledged");
        await Until.AsyncTrue(async () =>
        {
            await raw.CallAsync($"{name}__test_trigger_resource_update");
            return heard.IsCompleted;
        }, "the resource's change is heard");
        (await heard).GetProperty("method").GetString().ShouldBe("notifications/resources/updated");

        await raw.CallAsync($"{name}__test_trigger_tool_change");
        await stream.NextAsync("notifications/tools/list_changed");
        (await raw.ModernAsync("tools/list")).Body.ShouldContain($"{name}__test_dynamic_tool");
    }

    [Fact]
    public async Task Resources_and_prompts_are_listed_read_and_recorded_with_their_servers_name()
    {
        await using var server = await ConformanceServer.StartAsync(ServerEras.Dual);
        var (name, _) =
            await weir.AddReadyAsync(
                server.Url,
                """{"tools": {"test_embedded_resource": {}}, "prompts": ["test_simple_prompt"], "resources": """
                    + """["test://static-text", "test://template/*"]}""");
        var raw = new RawClient(_one);
        await Until.AsyncTrue(
            async () => (await raw.ModernAsync("resources/list")).Body.Contains($"weir://{name}/", StringComparison.Ordinal),
            "the resources are known");
        var listed = (await raw.ModernAsync("resources/list")).Json.GetProperty("result").GetProperty("resources").EnumerateArray()
            .Select(r => r.GetProperty("uri").GetString()).Where(u => u!.Contains(name, StringComparison.Ordinal));
        listed.ShouldBe([$"weir://{name}/test://static-text"]);
        (await raw.ModernAsync("resources/templates/list")).Body.ShouldContain($"weir://{name}/test://template/{{id}}/data");
        (await raw.ModernAsync("prompts/list")).Body.ShouldContain($"{name}__test_simple_prompt");

        var read = await ReadAsync(raw, $"weir://{name}/test://static-text");
        read.Json.GetProperty("result").GetProperty("contents")[0].GetProperty("uri").GetString()
            .ShouldBe($"weir://{name}/test://static-text");
        read.Json.GetProperty("result").GetProperty("cacheScope").GetString().ShouldBe("private");
        (await ReadAsync(raw, $"weir://{name}/test://template/12/data")).Body.ShouldContain("Data for ID: 12");
        var forbidden = await ReadAsync(raw, $"weir://{name}/test://static-binary");
        var unknown = await ReadAsync(raw, $"weir://{name}/test://not-there");
        (forbidden.Status, forbidden.ErrorCode).ShouldBe((unknown.Status, unknown.ErrorCode));
        forbidden.ErrorMessage.Replace("static-binary", "not-there", StringComparison.Ordinal).ShouldBe(unknown.ErrorMessage);

        var prompt = await raw.PostAsync(Modern("prompts/get", $"\"name\":\"{name}__test_simple_prompt\","),
            RawClient.ModernHeaders("prompts/get", $"{name}__test_simple_prompt"));
        prompt.Json.GetProperty("result").GetProperty("messages").GetArrayLength().ShouldBeGreaterThan(0, prompt.Body);
        (await raw.CallAsync($"{name}__test_embedded_resource")).Body.ShouldContain($"weir://{name}/test://embedded-resource");
        (await RowsAsync(name)).Where(r => r.Phase == "requested").Select(r => (r.Kind, r.Item)).Order().ShouldBe(
        [
            ("prompt_get", "test_simple_prompt"), ("resource_read", "test://static-text"), ("resource_read", "test://template/12/data"),
            ("tool_execution", "test_embedded_resource"),
        ]);
    }

    [Fact]
    public async Task Two_tools_find_and_call_all_others_and_nothing_that_is_not_granted()
    {
        await using var server = await ConformanceServer.StartAsync(ServerEras.Dual);
        // An agent of its own: the tests share the other one, and with it all that its servers announce.
        var (agent, key) = await weir.World.CreateAgentAsync("searcher");
        var (name, id) = await weir.AddReadyAsync(server.Url, """{"tools": {"test_image_content": {}, "test_simple_text": {}}}""");
        await weir.World.GrantAsync(id, """{"tools": {"test_image_content": {}, "test_simple_text": {}}}""", agent);
        using var one = weir.Client(key);
        var two = Second(key);
        var raw = new RawClient(one, "/mcp?tools=search");
        (await raw.ModernAsync("tools/list")).Json.GetProperty("result").GetProperty("tools").EnumerateArray()
            .Select(t => t.GetProperty("name").GetString()).ShouldBe(["find_tools", "call_tool"]);

        var found = await raw.CallAsync("find_tools", """{"query":"simple text of a test"}""");
        var tools = found.Json.GetProperty("result").GetProperty("structuredContent").GetProperty("tools").EnumerateArray()
            .Select(t => t.GetProperty("tool").GetProperty("name").GetString()).ToArray();
        tools.ShouldContain($"{name}__test_simple_text");
        found.Body.ShouldNotContain("test_audio_content");
        (await raw.CallAsync("find_tools", "{}")).Json.GetProperty("result").GetProperty("isError").GetBoolean().ShouldBeTrue();

        (await raw.CallAsync("call_tool", $$"""{"name":"{{name}}__test_simple_text","arguments":{} }""")).Body.ShouldContain(
            "simple text response");
        var direct = new RawClient(one);
        foreach (var tool in new[] { $"{name}__test_audio_content", "nothing__there" })
        {
            var wrapped = await raw.CallAsync("call_tool", $$"""{"name":"{{tool}}"}""");
            var plain = await direct.CallAsync(tool);
            (wrapped.Status, wrapped.ErrorCode, wrapped.ErrorMessage).ShouldBe((plain.Status, plain.ErrorCode, plain.ErrorMessage));
        }

        (await raw.CallAsync("call_tool", """{"arguments":{} }""")).ErrorCode.ShouldBe(-32602);
        var session = await InitializeAsync(one, "{}", "/mcp?tools=search");
        (await new RawClient(two, "/mcp?tools=search").PostAsync(
            """{"jsonrpc":"2.0","id":1,"method":"tools/list"}""", [session])).Body.ShouldContain("find_tools");
        (await new RawClient(two).PostAsync("""{"jsonrpc":"2.0","id":1,"method":"tools/list"}""", [session])).Status.ShouldBe(
            HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task A_server_of_the_oldest_transport_is_listed_and_called()
    {
        await using var server = await EverythingServer.StartAsync("sse");
        var (name, _) = await weir.AddReadyAsync(server.Url, All);
        foreach (var client in new[] { _one, _two })
        {
            (await new RawClient(client).CallAsync($"{name}__echo", """{"message":"over the oldest transport"}""")).Body.ShouldContain(
                "over the oldest transport");
        }

        var calls = Enumerable.Range(0, 20).Select(i => new RawClient(_one).CallAsync($"{name}__echo", $$"""{"message":"number {{i}}"}"""));
        var answers = await Task.WhenAll(calls);
        answers.Select((a, i) => a.Body.Contains($"number {i}", StringComparison.Ordinal))
            .ShouldAllBe(own => own, "each gets its own answer");
    }

    private ParkedCalls Parked => weir.Services.GetRequiredService<ParkedCalls>();

    private static bool IsWatched(IServiceProvider replica, Guid instance) =>
        replica.GetRequiredService<InstanceWatches>().IsWatched(instance);

    private HttpClient Second(string key)
    {
        var client = weir.Client(key);
        client.BaseAddress =
            new Uri(_second.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());
        _clients.Add(client);
        return client;
    }

    /// <summary>The calls of a server, with their outcomes: not what was done with the server itself.</summary>
    private async Task<IReadOnlyList<LogRow>> RowsAsync(string name)
    {
        var rows = await weir.LogAsync();
        var own = rows.Where(r => r.Instance == name && r.Phase != "completed").Select(r => r.Id).ToHashSet();
        return [.. rows.Where(r => own.Contains(r.Id))];
    }

    private static async Task<(string Name, string Value)> InitializeAsync(HttpClient client, string capabilities, string path = "/mcp")
    {
        var answer = await new RawClient(client, path).PostAsync(
            $$$"""{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{{{capabilities}}},"clientInfo":{"name":"raw","version":"1"} } }""");
        return ("Mcp-Session-Id", answer.Headers.GetValues("Mcp-Session-Id").Single());
    }

    private static Task<RawAnswer> ReadAsync(RawClient raw, string uri) =>
        raw.PostAsync(Modern("resources/read", $"\"uri\":\"{uri}\","), RawClient.ModernHeaders("resources/read", uri));

    private static Task<RawAnswer> ElicitAsync(
        HttpClient client, string name, string? responses = null, string? state = null, string message = "Who are you?")
    {
        var tool = $"{name}__test_elicitation";
        var input = responses is null ? "" : $"\"inputResponses\":{responses},\"requestState\":{JsonSerializer.Serialize(state)},";
        return new RawClient(client).PostAsync(
            Modern("tools/call", $$"""{{input}}"name":"{{tool}}","arguments":{"message":"{{message}}"},""",
                capabilities: """{"elicitation":{}}"""), RawClient.ModernHeaders("tools/call", tool));
    }

    private static (string Key, JsonElement Question, string State) Question(RawAnswer answer)
    {
        var result = answer.Json.GetProperty("result");
        result.GetProperty("resultType").GetString().ShouldBe("input_required", answer.Body);
        var question = result.GetProperty("inputRequests").EnumerateObject().Single();
        return (question.Name, question.Value, result.GetProperty("requestState").GetString()!);
    }

    private static string Answer(string key, string name) =>
        $$$"""{"{{{key}}}":{"action":"accept","content":{"username":"{{{name}}}"} } }""";

    private static string Modern(string method, string parameters, string capabilities = "{}", bool progress = false) =>
        $$$"""{"jsonrpc":"2.0","id":7,"method":"{{{method}}}","params":{{{{parameters}}}"_meta":{{{{(progress
            ? "\"progressToken\":1,"
            : "")}}}"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{{{capabilities}}} } } }""";

    private static string CallBody(string tool, string arguments, bool progress = false) =>
        $$$"""{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"{{{tool}}}","arguments":{{{arguments}}}{{{(progress
            ? ",\"_meta\":{\"progressToken\":1}" : "")}}} } }""";

    private static string UriBody(string method, string uri) =>
        $$$"""{"jsonrpc":"2.0","id":8,"method":"{{{method}}}","params":{"uri":"{{{uri}}}"} }""";
}
