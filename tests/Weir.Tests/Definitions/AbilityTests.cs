using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Weir.Definitions;
using Weir.Mcp;
using Weir.Postgres;
using Weir.Tests.Infrastructure;
using Weir.Tests.Journeys;

namespace Weir.Tests.Definitions;

/// <summary>Tools that a server has only for clients that offer something, and tools that no client of Weir can call.</summary>
public sealed class AbilityTests(RunningWeir weir) : IClassFixture<RunningWeir>
{
    private const string AllTools = """{"tools": {"*": {}}}""";

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("{}", "")]
    [InlineData("""{"elicitation":{}}""", "elicitation.form")]
    [InlineData("""{"elicitation":{"form":{}}}""", "elicitation.form")]
    [InlineData("""{"elicitation":{"url":{}}}""", "elicitation.url")]
    [InlineData("""{"elicitation":{"form":{},"url":{}},"roots":{"listChanged":true}}""", "elicitation.form,elicitation.url,roots")]
    [InlineData("""{"sampling":{}}""", "sampling")]
    [InlineData("""{"extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["text/html;profile=mcp-app"]}}}""",
        "extensions.io.modelcontextprotocol/ui")]
    [InlineData("""{"extensions":{"com.example/other":{}}}""", "")]
    [InlineData("""{"extensions":7}""", "")]
    [InlineData("""{"sampling":{"tools":{},"context":{}},"tasks":{}}""", "sampling,sampling.tools,sampling.context")]
    public void R16_what_a_client_declares_is_what_it_offers(string declared, string abilities)
    {
        var offered = ClientCapabilities.Read(System.Text.Encoding.UTF8.GetBytes(declared));
        string.Join(',', ClientAbilities.Of(offered)).ShouldBe(abilities);
        ClientAbilities.Of(ClientAbilities.Capabilities(ClientAbilities.Of(offered))).ShouldBe(ClientAbilities.Of(offered));
    }

    [Fact]
    public async Task R16_an_unmodified_server_lists_its_conditional_tools_to_clients_that_offer_what_these_need()
    {
        await using var server = await EverythingServer.StartAsync("streamableHttp");
        var (name, id) = await weir.AddReadyAsync(server.Url, AllTools, "session");
        await Until.AsyncTrue(async () => (await NeedsAsync(id)).Count == 4, "the conditional tools are looked at");
        (await NeedsAsync(id)).ShouldBe(
            [
                "get-roots-list roots", "trigger-elicitation-request elicitation.form", "trigger-sampling-request sampling",
                "trigger-url-elicitation elicitation.url",
            ]);

        var raw = new RawClient(weir.Client(weir.World.AgentKey));
        (await raw.ModernAsync("tools/list")).Body.ShouldNotContain($"{name}__trigger-sampling-request");
        (await raw.CallAsync($"{name}__get-roots-list")).ErrorMessage.ShouldStartWith("Unknown tool");
        var sampler = await InitializeAsync(raw, """{"sampling":{}}""");
        var listed = (await raw.PostAsync("""{"jsonrpc":"2.0","id":1,"method":"tools/list"}""", [sampler])).Body;
        listed.ShouldContain($"{name}__trigger-sampling-request");
        listed.ShouldNotContain($"{name}__get-roots-list");
        (await FindAsync("""{"sampling":{}}""")).ShouldContain($"{name}__trigger-sampling-request");
        (await FindAsync("{}")).ShouldNotContain($"{name}__trigger-sampling-request");

        // And they work for a client that offers what they need.
        var steps = JsonSerializer.Serialize(new object[]
        {
            new { list = true }, new { call = $"{name}__trigger-sampling-request", arguments = new { prompt = "Hello?", maxTokens = 10 } },
            new { call = $"{name}__trigger-elicitation-request", arguments = new { } },
        });
        var answers = await NodeScript.RunAsync("legacy.mjs", [new Uri(weir.Url, "/mcp").ToString(), weir.World.AgentKey, steps]);
        answers[1].EnumerateArray().Select(t => t.GetString()).ShouldContain($"{name}__trigger-url-elicitation");
        answers[2].GetRawText().ShouldContain("a sampled answer");
        answers[3].GetRawText().ShouldNotContain("\"error\"");
    }

    [Fact]
    public async Task R16_where_callers_share_a_session_the_admin_sees_why_a_tool_is_not_listed()
    {
        await using var server = await EverythingServer.StartAsync("streamableHttp");
        var (name, id) = await weir.AddReadyAsync(server.Url, AllTools);
        await Until.AsyncTrue(async () => (await ChangesAsync(id)).Count == 5, "the conditional tools are looked at");
        (await ChangesAsync(id)).ShouldBe(
            [
                "get-roots-list unsupported roots", "simulate-research-query unsupported execution.taskSupport",
                "trigger-elicitation-request unsupported elicitation.form",
                "trigger-sampling-request unsupported sampling", "trigger-url-elicitation unsupported elicitation.url",
            ]);
        var reason = await weir.World.CallAsync(
            "select to_jsonb(c.reason) from public.get_mcp_tool_changes($1) c where c.name = 'get-roots-list'", Sql.Uuid(id));
        reason.GetString()!.ShouldContain("set share to session");
        var raw = new RawClient(weir.Client(weir.World.AgentKey));
        var everything = await InitializeAsync(raw, """{"sampling":{},"roots":{},"elicitation":{"form":{},"url":{}}}""");
        (await raw.PostAsync("""{"jsonrpc":"2.0","id":1,"method":"tools/list"}""", [everything])).Body.ShouldNotContain(
            $"{name}__get-roots-list");
    }

    [Fact]
    public async Task R16_a_tool_that_can_only_be_called_as_a_task_is_listed_to_nobody_and_unknown()
    {
        await using var server = await ListingServer.StartAsync();
        server.Announces(
            "tools", Tool("plain"), """{"name":"slow","inputSchema":{"type":"object"},"execution":{"taskSupport":"required"}}""",
            """{"name":"either","inputSchema":{"type":"object"},"execution":{"taskSupport":"optional"}}""");
        var (name, id) = await weir.AddReadyAsync(server.Url, AllTools);
        var raw = new RawClient(weir.Client(weir.World.AgentKey));
        var listed = (await raw.ModernAsync("tools/list")).Body;
        listed.ShouldContain($"{name}__either");
        listed.ShouldNotContain($"{name}__slow");
        (await raw.CallAsync($"{name}__slow")).ErrorMessage.ShouldStartWith("Unknown tool");
        (await ChangesAsync(id)).ShouldBe(["slow unsupported execution.taskSupport"]);
        server.Called.ShouldBeEmpty();
    }

    [Fact]
    public async Task R16_a_modern_server_is_looked_at_too_and_a_tool_may_need_several_abilities()
    {
        await using var server = await ListingServer.StartAsync();
        server.Announces("tools", Tool("plain"));
        server.More = c => c.TryGetProperty("sampling", out _) && c.TryGetProperty("roots", out _) ? [Tool("both")] : [];
        var (_, id) = await weir.AddReadyAsync(server.Url, AllTools, "session");
        await Until.AsyncTrue(async () => (await NeedsAsync(id)).Count == 1, "the tool is found");
        (await NeedsAsync(id)).ShouldBe(["both sampling+roots"]);

        // What was found is remembered: a refresh takes the two looks.
        var asked = server.Asked;
        await RefreshAsync(id);
        (server.Asked - asked).ShouldBe(2);

        // A server that does not answer such a client keeps what it has.
        server.Refuses = c => c.TryGetProperty("sampling", out _);
        await RefreshAsync(id);
        (await NeedsAsync(id)).ShouldBe(["both sampling+roots"]);
        server.Refuses = _ => false;
        server.More = _ => [];
        await RefreshAsync(id);
        (await NeedsAsync(id)).ShouldBeEmpty();
    }

    [Fact]
    public async Task R16_a_server_that_asks_while_it_is_looked_at_is_told_that_nobody_is_there()
    {
        await using var server = await AskingServer.StartAsync();
        var (_, id) = await weir.AddReadyAsync(server.Url, AllTools, "session");
        await Until.AsyncTrue(async () => (await NeedsAsync(id)).Count == 1, "the tool is found");
        (await NeedsAsync(id)).ShouldBe(["rooted roots"]);
    }

    private static string Tool(string name) => $$"""{"name":"{{name}}","inputSchema":{"type":"object"} }""";

    private static async Task<(string, string)> InitializeAsync(RawClient raw, string capabilities)
    {
        var answer = await raw.PostAsync(
            $$$"""{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{{{capabilities}}},"clientInfo":{"name":"raw","version":"1"} } }""");
        return ("Mcp-Session-Id", answer.Headers.GetValues("Mcp-Session-Id").Single());
    }

    private async Task<string> FindAsync(string capabilities)
    {
        var search = new RawClient(weir.Client(weir.World.AgentKey), "/mcp?tools=search");
        var session = await InitializeAsync(search, capabilities);
        return (await search.PostAsync(
            """{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"find_tools","arguments":{"query":"trigger sampling """
                + """request"} } }""", [session])).Body;
    }

    private Task<IReadOnlyList<string>> NeedsAsync(Guid id) => weir.Database.Superuser.QueryAsync(
        "select name || ' ' || array_to_string(needs, '+') from public.mcp_server_tools where instance_id = $1 and announced and needs <> "
            + "'{}' and eras <> '{}' order by name collate \"C\"",
        [Sql.Uuid(id)], r => r.GetString(0), Cancelled);

    private async Task<IReadOnlyList<string>> ChangesAsync(Guid id) =>
        [.. (await weir.World.CallAsync(
            "select coalesce(jsonb_agg(concat_ws(' ', c.name, c.change, c.path, nullif(array_to_string(c.needs, '+'), '')) order by "
                + "c.name), '[]') from public.get_mcp_tool_changes($1) c",
            Sql.Uuid(id))).EnumerateArray().Select(c => c.GetString()!)];

    private async Task RefreshAsync(Guid id)
    {
        await weir.Database.Superuser.ExecuteAsync(
            "update public.mcp_server_instances set refreshed_at = refreshed_at - interval '1 minute' where id = $1", [Sql.Uuid(id)],
            Cancelled);
        await weir.Services.GetRequiredService<DefinitionRefresh>().RefreshSoonAsync(id, Cancelled);
        await Until.AsyncTrue(() => weir.Database.Superuser.ScalarAsync<bool>(
            "select refreshed_at > clock_timestamp() - interval '30 seconds' from public.mcp_server_instances where id = $1",
            [Sql.Uuid(id)], Cancelled), "the refresh");
    }
}
