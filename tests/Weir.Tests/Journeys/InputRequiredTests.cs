using System.Net;
using System.Text.Json;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys;

/// <summary>A modern server that wants to know more before it answers, and a modern client that tells it.</summary>
public sealed class InputRequiredTests(RunningWeir weir) : IClassFixture<RunningWeir>, IAsyncLifetime
{
    /// <summary>As a client writes it: the order, the spaces and the escapes are its own.</summary>
    private const string Responses = """
        "inputResponses": { "day" : {"action":"accept","content":{"day":"M\u00f6nday"}} }
        """;

    private const string State = """
        "requestState" :"opaque \u00e4/+="
        """;

    private const string Answer = Responses + " , " + State;

    private OddServer _server = null!;
    private string _name = "";
    private Guid _instance;

    public async ValueTask InitializeAsync()
    {
        _server = await OddServer.StartAsync();
        (_name, _instance) =
            await weir.AddReadyAsync(_server.Url, """{"tools": {"book": {"args": {"room": {"type": "string", "equals": "red"}}}}}""");
    }

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    [Fact]
    public async Task The_question_reaches_the_client_and_its_answer_the_server_byte_for_byte()
    {
        var asked = await BookAsync("red");
        asked.Status.ShouldBe(HttpStatusCode.OK);
        var wanted = JsonElement.Parse(OddServer.DayWanted);
        foreach (var member in wanted.EnumerateObject())
        {
            asked.Json.GetProperty("result").GetProperty(member.Name).GetRawText().ShouldBe(member.Value.GetRawText());
        }

        _server.LastBody.ShouldContain("\"elicitation\"", customMessage: "the server may ask only what the client offers");
        _server.LastBody.ShouldNotContain("inputResponses");

        var booked = await BookAsync("red", Answer);
        booked.Json.GetProperty("result").GetProperty("content")[0].GetProperty("text").GetString().ShouldBe("booked for Mönday");
        _server.LastBody.ShouldContain(Responses);
        _server.LastBody.ShouldContain(State);

        await Until.AsyncTrue(
            async () => (await RowsAsync()).Count(r => r is { Phase: "completed", Outcome: "ok" }) == 2, "both calls have their outcome");
        (await RowsAsync()).Count(r => r.Phase == "requested").ShouldBe(2);
    }

    [Fact]
    public async Task A_retry_is_a_call_like_any_other_and_is_decided_anew()
    {
        (await BookAsync("red")).Body.ShouldContain("input_required");
        (await BookAsync("blue", Answer)).ErrorCode.ShouldBe(1011);
        await weir.World.RevokeAsync(_instance);
        (await BookAsync("red", Answer)).ErrorCode.ShouldBe(-32602);
        _server.Calls.ShouldBe(1);
    }

    [Fact]
    public async Task A_legacy_client_which_would_take_the_question_for_an_empty_answer_gets_an_error()
    {
        var raw = new RawClient(weir.Client(weir.World.AgentKey));
        var session = await raw.InitializeAsync();
        var answer = await raw.PostAsync(
            $$$"""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"{{{_name}}}__book","arguments":{"room":"red"} } }""",
            [session]);
        answer.ErrorCode.ShouldBe(1013, answer.Body);
        answer.ErrorMessage.ShouldContain(_name);
        answer.Body.ShouldNotContain("inputRequests");
    }

    private Task<RawAnswer> BookAsync(string room, string? more = null) => new RawClient(weir.Client(weir.World.AgentKey)).PostAsync(
        $$"""
        {"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"{{_name}}__book","arguments":{"room":{{JsonSerializer.Serialize(
            room)}} },{{(more is null ? "" : more + ",")}}
        "_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"raw","version":"1"},"io.modelcontextprotocol/clientCapabilities":{"elicitation":{} } } } }
        """,
        RawClient.ModernHeaders("tools/call", $"{_name}__book"));

    private async Task<LogRow[]> RowsAsync() => [.. (await weir.LogAsync()).Where(r => r.Instance == _name && r.Item == "book")];
}
