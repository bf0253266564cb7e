using System.Buffers;
using System.Text;
using System.Text.Json;
using Weir.Gateway.AgentTools;
using Weir.Mcp;
using Weir.Tests.Definitions;
using Weir.Tests.Infrastructure;
using Weir.Tests.Journeys;

namespace Weir.Tests.Gateway.AgentTools;

/// <summary>Addresses of user interfaces: each names its server on <c>/mcp</c>, and none does on <c>/mcp/{instance}</c>.</summary>
public sealed class UiResourcesTests(RunningWeir weir) : IClassFixture<RunningWeir>
{
    private const string Granted = """{"tools": {"*": {}}, "resources": ["ui://*"]}""";
    private const string Widget = "ui://widget/view.html";

    private const string Tool = """
        {"name":"show","inputSchema":{"type":"object"},"_meta":{"ui":{"resourceUri":"ui://widget/view.html","visibility":["model"]},"ui/resourceUri":"ui:\/\/widget/view.html",
        "openai/outputTemplate":"ui://widget/view.html","other":"ui://widget/view.html"}}
        """;

    [Fact]
    public async Task R14_two_servers_with_one_address_have_two_in_tools_lists_and_reads()
    {
        await using var one = await ListingServer.StartAsync();
        await using var two = await ListingServer.StartAsync();
        // No tool of the second names its resource.
        Announce(one, Tool);
        Announce(two, """{"name":"plain","inputSchema":{"type":"object"}}""");
        var (first, _) = await weir.AddReadyAsync(one.Url, Granted);
        var (second, _) = await weir.AddReadyAsync(two.Url, Granted);
        var raw = new RawClient(weir.Client(weir.World.AgentKey));

        var meta = (await raw.ModernAsync("tools/list")).Json.GetProperty("result").GetProperty("tools").EnumerateArray()
            .Single(t => t.GetProperty("name").GetString() == $"{first}__show").GetProperty("_meta");
        meta.GetProperty("ui").GetProperty("resourceUri").GetString().ShouldBe($"ui://{first}/widget/view.html");
        meta.GetProperty("ui").GetProperty("visibility").GetRawText().ShouldBe("""["model"]""");
        meta.GetProperty("ui/resourceUri").GetString().ShouldBe($"ui://{first}/widget/view.html");
        meta.GetProperty("openai/outputTemplate").GetString().ShouldBe($"ui://{first}/widget/view.html");
        meta.GetProperty("other").GetString().ShouldBe(Widget, "only where hosts look for it");
        var listed = Uris(await raw.ModernAsync("resources/list"), "resources", "uri");
        listed.ShouldContain($"ui://{first}/widget/view.html");
        listed.ShouldContain($"ui://{second}/widget/view.html");
        listed.ShouldNotContain(Widget);
        Uris(await raw.ModernAsync("resources/templates/list"), "resourceTemplates", "uriTemplate")
            .ShouldContain($"ui://{second}/{{page}}/view.html");

        var read = await ReadAsync(raw, $"ui://{second}/widget/view.html");
        read.Json.GetProperty("result").GetProperty("contents")[0].GetProperty("uri").GetString()
            .ShouldBe($"ui://{second}/widget/view.html");
        two.Called.ShouldBe([Widget]);
        one.Called.ShouldBeEmpty();
        await ReadAsync(raw, $"ui://{first}/widget/view.html");
        one.Called.ShouldBe([Widget]);

        // What names no server, or one that is not the agent's, is nobody's; and a grant is asked as ever.
        foreach (var unknown in new[]
        {
            Widget,
            "ui://nobody/widget/view.html",
            "ui://widget",
            "ui://",
            $"weir://{first}/file:///etc/passwd",
        })
        {
            (await ReadAsync(raw, unknown)).Json.TryGetProperty("error", out _).ShouldBeTrue(unknown);
        }

        one.Called.Count.ShouldBe(1);
    }

    [Fact]
    public async Task R14_an_endpoint_of_one_server_shows_its_own_addresses()
    {
        await using var server = await ListingServer.StartAsync();
        Announce(server, Tool);
        var (name, _) = await weir.AddReadyAsync(server.Url, Granted);
        var raw = new RawClient(weir.Client(weir.World.AgentKey), "/mcp/" + name);
        (await raw.ModernAsync("tools/list")).Body.ShouldContain("""{"ui":{"resourceUri":"ui://widget/view.html",""");
        Uris(await raw.ModernAsync("resources/list"), "resources", "uri").ShouldBe([Widget]);
        (await ReadAsync(raw, Widget)).Json.GetProperty("result").GetProperty("contents")[0].GetProperty("uri").GetString()
            .ShouldBe(Widget);
        server.Called.ShouldBe([Widget]);
    }

    [Theory]
    [InlineData("legacy.mjs", "legacy")]
    [InlineData("modern.mjs", "auto")]
    public async Task R14_an_unmodified_client_reads_what_it_is_shown(string script, string mode)
    {
        await using var server = await ListingServer.StartAsync();
        Announce(server, Tool);
        var (name, _) = await weir.AddReadyAsync(server.Url, Granted);
        var steps = JsonSerializer.Serialize(new object[] { new { resources = true }, new { read = $"ui://{name}/widget/view.html" } });
        var answers = await NodeScript.RunAsync(script, [new Uri(weir.Url, "/mcp").ToString(), weir.World.AgentKey, steps, mode]);
        answers[1].EnumerateArray().Select(u => u.GetString()).ShouldContain($"ui://{name}/widget/view.html");
        answers[2][0].GetProperty("text").GetString().ShouldBe("page");
    }

    [Theory]
    [InlineData("ui://x", "ui://files/x")]
    [InlineData("ui://", "ui://files/")]
    [InlineData("UI://x/y", "UI://files/x/y")]
    [InlineData("ui:x", "weir://files/ui:x")]
    [InlineData("ui://files/x", "ui://files/files/x")]
    [InlineData("file:///a", "weir://files/file:///a")]
    [InlineData("weir://other/x", "weir://files/weir://other/x")]
    public void R14_an_address_leads_back_to_its_server(string own, string shown)
    {
        ResourceUris.Map("files", own).ShouldBe(shown);
        var instance = new AgentServer(Guid.Empty, "files", "running", "instance");
        var catalog = new AgentToolSet(Guid.Empty, Guid.Empty, "agent", 1, [instance], []);
        ResourceUris.Split(catalog, shown)!.Item.ShouldBe(own);
    }

    [Fact]
    public void R14_results_hold_addresses_in_their_meta_too()
    {
        const string Result = """
            {"content":[{"type":"resource_link","uri":"ui://a","name":"a"},{"type":"resource","resource":{"uri":"ui:\/\/b","text":"ui://c"}}],
            "_meta":{"ui":{"resourceUri":"ui://d"},"ui/resourceUri":"ui://e","openai/outputTemplate":"ui://f","other":"ui://g"}}
            """;
        var output = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(output))
        {
            ResourceUris.WriteMapped(json, Encoding.UTF8.GetBytes(Result), "files", Methods.ToolsCall);
        }

        var mapped = JsonElement.Parse(output.WrittenSpan);
        mapped.GetProperty("content")[0].GetProperty("uri").GetString().ShouldBe("ui://files/a");
        mapped.GetProperty("content")[1].GetProperty("resource").GetProperty("uri").GetString().ShouldBe("ui://files/b");
        mapped.GetProperty("content")[1].GetProperty("resource").GetProperty("text").GetString().ShouldBe("ui://c");
        mapped.GetProperty("_meta").GetRawText().ShouldBe(
            """{"ui":{"resourceUri":"ui://files/d"},"ui/resourceUri":"ui://files/e","openai/outputTemplate":"ui://files/f","other":"ui:/"""
                + """/g"}""");
        ResourceUris.MayHold("""{"_meta":{"ui/resourceUri":"ui://e"}}"""u8, Methods.ToolsCall).ShouldBeTrue();
        ResourceUris.MayHold("""{"content":[{"type":"text","text":"x"}]}"""u8, Methods.ToolsCall).ShouldBeFalse();
    }

    private static void Announce(ListingServer server, string tool) => server.Announces("tools", tool).Announces("prompts")
        .Announces("resources", $$"""{"uri":"{{Widget}}","name":"widget"}""")
        .Announces("resourceTemplates", """{"uriTemplate":"ui://{page}/view.html","name":"pages"}""");

    private static IReadOnlyList<string> Uris(RawAnswer answer, string list, string member) =>
        [.. answer.Json.GetProperty("result").GetProperty(list).EnumerateArray().Select(r => r.GetProperty(member).GetString()!)];

    private static Task<RawAnswer> ReadAsync(RawClient raw, string uri) => raw.PostAsync(
        $$$"""
        {"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"{{{uri}}}","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"raw","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}} } }
        """,
        RawClient.ModernHeaders("resources/read", uri));
}
