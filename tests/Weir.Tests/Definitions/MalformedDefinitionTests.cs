using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Weir.Definitions;
using Weir.Postgres;
using Weir.Tests.Infrastructure;
using Weir.Tests.Journeys;

namespace Weir.Tests.Definitions;

/// <summary>Servers whose definitions are malformed, beside one whose are not, seen by unmodified strict clients.</summary>
public sealed class MalformedDefinitionTests(RunningWeir weir) : IClassFixture<RunningWeir>
{
    private const string Everything = """{"tools": {"*": {}}, "prompts": ["*"], "resources": ["*"]}""";
    private const string Good =
        """{"name":"good","inputSchema":{"type":"object"},"outputSchema":{"type":"object","properties":{"a":{"type":"string"}}}}""";

    /// <summary>What is shown mended, or without an output schema, to each client.</summary>
    private static readonly string[] Mended =
    [
        """{"name":"empty_array","inputSchema":{"type":"object","properties":[]}}""",
        """{"name":"nulls","title":null,"description":null,"inputSchema":{"type":"object","properties":null,"required":null},"outputSchem"""
            + """a":null,"annotations":null,"execution":null,"icons":null,"_meta":null}""",
        """{"name":"untyped","inputSchema":{}}""",
        """{"name":"booleans","inputSchema":{"type":"object","properties":{"a":true,"b":false}}}""",
        """{"name":"decorated","inputSchema":{"type":"object"},"icons":[{"src":1}],"_meta":"x"}""",
        .. OddOutputSchemas.Select((s, i) => $$"""{"name":"output_{{i}}","inputSchema":{"type":"object"},"outputSchema":""" + s + "}"),
    ];

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    /// <summary>Objects by the protocol, and no validator of a client compiles them.</summary>
    private static IEnumerable<string> OddOutputSchemas =>
        new[]
        {
            """{"type":"int"}""", """{"type":[]}""", """{"$ref":"#/$defs/nothing"}""", """{"$ref":"https://x.example/schema.json"}""",
            """{"pattern":"("}""", """{"pattern":"[\\w-.]"}""",
            """{"patternProperties":{"[":{}}}""", """{"minLength":"3"}""", """{"exclusiveMinimum":true}""", """{"required":true}""",
            """{"enum":[]}""", """{"enum":"a"}""", """{"items":7}""",
            """{"properties":[]}""", """{"anyOf":{}}""", """{"allOf":[]}""", """{"id":"x"}""", """{"$id":7}""", """{"nullable":true}""",
            """{"default":{"$anchor":"#!"}}""", """{"format":7}""",
            """{"multipleOf":0}""", """{"dependencies":{"a":7}}""", """{"additionalProperties":"no"}""",
            """{"x-vendor":{"$id":"a"},"y-vendor":{"$id":"a"}}""", """{"type":"object","properties":{"a":null}}""",
        }.Select(s => """{"type":"object","properties":{"a":""" + s + "}}");

    [Theory]
    [InlineData("legacy.mjs", "legacy")]
    [InlineData("modern.mjs", "legacy")]
    [InlineData("modern.mjs", "auto")]
    public async Task R01_a_strict_client_lists_everything_else_beside_malformed_servers(string script, string mode)
    {
        await using var good = await ListingServer.StartAsync();
        await using var odd = await ListingServer.StartAsync();
        good.Announces("tools", Good).Announces("prompts", """{"name":"p"}""").Announces("resources", """{"uri":"file:///a","name":"a"}""")
            .Announces("resourceTemplates", """{"uriTemplate":"file:///{p}","name":"t"}""");
        odd.Announces("tools",
            [
                Good, "7", "null", """{"inputSchema":{"type":"object"}}""", """{"name":7,"inputSchema":{"type":"object"}}""",
                """{"name":"no_schema"}""",
                """{"name":"no_type","inputSchema":{"type":"object"},"outputSchema":{"properties":{}}}""",
                """{"name":"odd_title","title":7,"inputSchema":{"type":"object"}}""",
                """{"name":"odd_hint","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":"yes"}}""",
                """{"name":"odd_task","inputSchema":{"type":"object"},"execution":{"taskSupport":7}}""",
                .. Mended,
            ])
            .Announces("prompts", """{"name":"good"}""", """{"name":"odd","arguments":{"a":{}}}""", """{"name":"empty","arguments":{}}""")
            .Announces("resources", """{"uri":"file:///good","name":"a"}""", """{"uri":"file:///nameless"}""",
            """{"uri":"file:///sized","name":"a","size":"1"}""",
                """{"uri":"file:///old","name":"a","annotations":{"lastModified":"yesterday"}}""",
                """{"uri":"file:///null","name":"a","mimeType":null}""")
            .Announces("resourceTemplates", """{"uriTemplate":"file:///good/{p}","name":"t"}""", """{"name":"nowhere"}""",
            """{"uriTemplate":"file:///odd/{p}"}""");
        var (goodName, _) = await weir.AddReadyAsync(good.Url, Everything);
        var (oddName, oddId) = await weir.AddReadyAsync(odd.Url, Everything);

        var steps = JsonSerializer.Serialize(
            new object[] { new { list = true }, new { prompts = true }, new { resources = true }, new { templates = true } });
        var answers = await NodeScript.RunAsync(script, [new Uri(weir.Url, "/mcp").ToString(), weir.World.AgentKey, steps, mode]);
        var modernOnly = mode == "auto" ? new[] { "no_type", "odd_task" } : [];
        Of(answers[1], goodName + "__").ShouldBe(["good"]);
        Of(answers[1], oddName + "__")
            .ShouldBe(
            ["good", .. Mended.Select(m => JsonElement.Parse(m).GetProperty("name").GetString()!), .. modernOnly], ignoreOrder: true);
        Of(answers[2], oddName + "__").ShouldBe(["good", "empty"], ignoreOrder: true);
        Of(answers[3], $"weir://{oddName}/").ShouldBe(["file:///good", "file:///null"], ignoreOrder: true);
        Of(answers[4], $"weir://{oddName}/").ShouldBe(["file:///good/{p}"]);

        var alone = await NodeScript.RunAsync(script, [new Uri(weir.Url, "/mcp/" + oddName).ToString(), weir.World.AgentKey, steps, mode]);
        alone[1].GetArrayLength().ShouldBe(1 + Mended.Length + modernOnly.Length);

        (await ChangesAsync(oddId)).ShouldBe(
            [
                "prompt odd malformed arguments", "resource file:///nameless malformed name",
                "resource file:///old malformed annotations.lastModified",
                "resource file:///sized malformed size", "template (no name) malformed uriTemplate",
                "template file:///odd/{p} malformed name",
                "tool (no name) malformed name", "tool (no name) malformed name", "tool (no name) malformed name",
                "tool (no name) malformed name",
                "tool no_schema malformed inputSchema", "tool no_type malformed outputSchema.type",
                "tool odd_hint malformed annotations.readOnlyHint",
                "tool odd_task malformed execution.taskSupport", "tool odd_title malformed title",
            ],
            ignoreOrder: true);
    }

    [Fact]
    public async Task R01_a_malformed_definition_is_recorded_once_and_found_and_called_by_nobody()
    {
        await using var server = await ListingServer.StartAsync();
        server.Announces("tools", Good, """{"name":"wrench","description":"turns bolts"}""",
            """{"name":"spanner","description":"turns bolts","inputSchema":{"type":"object","properties":[]}}""")
            .Announces("resources", """{"uri":"file:///nameless"}""");
        var (name, id) = await weir.AddReadyAsync(server.Url, Everything);
        (await ChangesAsync(id)).ShouldBe(["resource file:///nameless malformed name", "tool wrench malformed inputSchema"]);
        (await EventsAsync(id)).ShouldBe(2);

        var asked = server.Asked;
        await RefreshAsync(id);
        server.Asked.ShouldBeGreaterThan(asked);
        // Away and back again: still the same definition.
        server.Announces("tools", Good).Announces("resources");
        await RefreshAsync(id);
        server.Announces("tools", Good, """{"name":"wrench","description":"turns bolts"}""")
            .Announces("resources", """{"uri":"file:///nameless"}""");
        await RefreshAsync(id);
        (await ChangesAsync(id)).ShouldBe(["resource file:///nameless malformed name", "tool wrench malformed inputSchema"]);
        (await EventsAsync(id)).ShouldBe(2, "once for each definition, not at every refresh");

        var search = new RawClient(weir.Client(weir.World.AgentKey), "/mcp?tools=search");
        (await search.CallAsync("find_tools", """{"query":"wrench bolts"}""")).Body.ShouldNotContain($"{name}__wrench");
        (await new RawClient(weir.Client(weir.World.AgentKey)).CallAsync($"{name}__wrench")).ErrorMessage.ShouldStartWith("Unknown tool");
        server.Called.ShouldBeEmpty();

        // A server that mends it within its first ten minutes is trusted as if it had announced it so at once.
        server.Announces("tools", Good, """{"name":"wrench","description":"turns bolts","inputSchema":{"type":"object"}}""");
        await RefreshAsync(id);
        (await search.CallAsync("find_tools", """{"query":"wrench bolts"}""")).Body.ShouldContain($"{name}__wrench");
    }

    [Fact]
    public async Task R01_find_tools_shows_the_mended_form_and_a_legacy_client_only_what_it_accepts()
    {
        await using var server = await ListingServer.StartAsync();
        server.Announces("tools", Good, """{"name":"sextant","inputSchema":{"type":"object","properties":[]}}""",
            """{"name":"sextant_of_arrays","inputSchema":{"type":"object"},"outputSchema":{"type":"array"}}""");
        var (name, _) = await weir.AddReadyAsync(server.Url, Everything);
        var search = new RawClient(weir.Client(weir.World.AgentKey), "/mcp?tools=search");
        var modern = (await search.CallAsync("find_tools", """{"query":"sextant"}""")).Body;
        modern.ShouldContain($"{name}__sextant_of_arrays");
        modern.ShouldContain("\"properties\":{}");
        var session = await search.InitializeAsync();
        var legacy =
            (await search.PostAsync(
                """{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"find_tools","arguments":{"query":"sextant"} } }""",
                [session])).Body;
        legacy.ShouldContain($"{name}__sextant\"");
        legacy.ShouldNotContain($"{name}__sextant_of_arrays");
    }

    private static string[] Of(JsonElement list, string prefix)
    {
        list.ValueKind.ShouldBe(JsonValueKind.Array, list.GetRawText());
        return [
            .. list.EnumerateArray().Select(n => n.GetString()!).Where(n => n.StartsWith(prefix, StringComparison.Ordinal))
                .Select(n => n[prefix.Length..]),
        ];
    }

    private async Task<IReadOnlyList<string>> ChangesAsync(Guid id) =>
        [.. (await weir.World.CallAsync(
            "select coalesce(jsonb_agg(concat_ws(' ', c.kind, c.name, c.change, c.path) order by c.kind, c.name), '[]') from "
                + "public.get_mcp_tool_changes($1) c", Sql.Uuid(id)))
            .EnumerateArray().Select(c => c.GetString()!)];

    private Task<long> EventsAsync(Guid id) => weir.Database.Superuser.ScalarAsync<long>(
        "select count(*) from public.mcp_interaction_logs where instance_id = $1 and item = 'quarantine' and detail like '%malformed at%' "
            + "and phase = 'completed'", [Sql.Uuid(id)], Cancelled);

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
