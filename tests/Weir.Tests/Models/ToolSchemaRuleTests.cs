using System.Globalization;
using System.Text.Json;
using FsCheck.Xunit;
using Weir.Models;

namespace Weir.Tests.Models;

/// <summary>What providers take, for schemas that they would refuse as the servers wrote them.</summary>
public sealed class ToolSchemaRuleTests
{
    private const string Arguments =
        """{"type": "object", "properties": {"a": SCHEMA}, "$defs": {"A": {"type": "string"}, "Loop": {"$ref": "#/$defs/Loop"}}}""";

    [Property(Arbitrary = [typeof(HostileSchema)], MaxTest = 600)]
    public void R07_whatever_a_server_writes_each_provider_takes_what_is_sent(HostileSchema given)
    {
        foreach (var kind in new[] { "openai", "anthropic" })
        {
            ProviderRules.Violations(Sent(given.Json, kind), kind).ShouldBeEmpty(kind);
        }
    }

    [Theory]
    [InlineData("""{"type": "array"}""", """{"type":"array","items":{}}""")]
    [InlineData("""{"type": ["array", "null", "array"]}""", """{"type":["array","null"],"items":{}}""")]
    [InlineData("""{"type": "array", "items": [{"type": "int"}, {"type": "string"}]}""",
        """{"type":"array","items":{"anyOf":[{"type":"integer"},{"type":"string"}]}}""")]
    [InlineData("""{"type": "array", "prefixItems": [{"type": "string"}], "items": false}""",
        """{"type":"array","items":{"anyOf":[{"type":"string"}]}}""")]
    [InlineData("""{"type": "int"}""", """{"type":"integer"}""")]
    [InlineData("""{"type": "any"}""", "{}")]
    [InlineData("""{"type": []}""", "{}")]
    [InlineData("""{"type": ["string"]}""", """{"type":"string"}""")]
    [InlineData("""{"type": "string", "minLength": -1, "maxLength": 7.0}""", """{"type":"string","maxLength":7}""")]
    [InlineData("""{"type": "string", "minLength": 9, "maxLength": 7}""", """{"type":"string"}""")]
    [InlineData("""{"type": "number", "minimum": 9, "maximum": 7, "multipleOf": 0}""", """{"type":"number"}""")]
    [InlineData("""{"type": "number", "minimum": 1e400}""", """{"type":"number"}""")]
    [InlineData("""{"type": "string", "pattern": "[a-"}""", """{"type":"string"}""")]
    [InlineData("""{"type": "string", "pattern": "(?<year>\\d{4})"}""", """{"type":"string"}""")]
    [InlineData(
        """{"type": "string", "pattern": "^[a-z]{1,3}(?:\\.\\d+)?$"}""", """{"type":"string","pattern":"^[a-z]{1,3}(?:\\.\\d\u002B)?$"}""")]
    [InlineData("""{"$ref": "#/$defs/Nothing", "type": "string"}""", """{"type":"string"}""")]
    [InlineData("""{"$ref": "#/$defs/Loop"}""", "{}")]
    [InlineData("""{"$ref": "https://schemas.example/a.json"}""", "{}")]
    [InlineData("""{"$ref": "#/$defs/A"}""", """{"$ref":"#/$defs/A"}""")]
    [InlineData("""{"$ref": "#/$defs/A", "description": "x"}""", """{"description":"x","anyOf":[{"$ref":"#/$defs/A"}]}""")]
    [InlineData("""{"enum": []}""", "{}")]
    [InlineData("""{"title": "Value"}""",
        """{"title":"Value","anyOf":[{"type":"string"},{"type":"number"},{"type":"boolean"},{"type":"object"}]}""")]
    [InlineData("""{"type": "any", "description": "Any JSON."}""",
        """{"description":"Any JSON.","anyOf":[{"type":"string"},{"type":"number"},{"type":"boolean"},{"type":"object"}]}""")]
    [InlineData(
        """{"default": 1}""", """{"default":1,"anyOf":[{"type":"string"},{"type":"number"},{"type":"boolean"},{"type":"object"}]}""")]
    [InlineData("""{"type": "integer", "enum": [0, 1, 2]}""", """{"type":"integer","description":"One of 0, 1, 2."}""")]
    [InlineData("""{"type": "boolean", "description": "On?", "enum": [true]}""", """{"type":"boolean","description":"On? One of true."}""")]
    [InlineData("""{"type": "string", "format": "uuid"}""", """{"type":"string"}""")]
    [InlineData("""{"type": "string", "format": "date-time"}""", """{"type":"string","format":"date-time"}""")]
    [InlineData("""{"type": "string", "pattern": "[a-z]+"}""", """{"type":"string"}""")]
    [InlineData("""{"type": "string", "pattern": "^[a-z]+\\$"}""", """{"type":"string"}""")]
    [InlineData("""{"type": "string", "enum": ["x", 1, null, "x"]}""", """{"type":"string","enum":["x"]}""")]
    [InlineData("""{"type": "integer", "const": "x", "default": "1"}""", """{"type":"integer"}""")]
    [InlineData("""{"oneOf": [false, {"type": "bool"}]}""", """{"anyOf":[{"type":"boolean"}]}""")]
    [InlineData("""{"description": 7, "format": "city"}""", "{}")]
    [InlineData("""{"type": "object", "properties": {"b": false, "c": true}, "required": ["b", "c", "c", "d", 7]}""",
        """{"type":"object","properties":{"c":{}},"required":["c"]}""")]
    public void R07_what_a_provider_refuses_is_mended_or_left_out(string schema, string expected) =>
        Sent(Arguments.Replace("SCHEMA", schema, StringComparison.Ordinal), "openai").GetProperty("properties").GetProperty("a")
            .GetRawText()
            .ShouldBe(JsonSerializer.Serialize(JsonElement.Parse(expected)));

    [Fact]
    public void R07_alternatives_at_the_top_become_arguments()
    {
        const string Schema =
            """
            {"oneOf": [{"properties": {"id": {"type": "string"}}, "required": ["id"]}, {"$ref": "#/definitions/ByName"}], "allOf": [{"properties": {"n": {"type": "int"}}, "required": ["n"]}],
             "additionalProperties": false, "definitions": {"ByName": {"properties": {"name": {"type": "string"}, "id": {"type": "number"}}}}}
            """;

        Sent(Schema, "openai").GetRawText().ShouldBe(
            """{"type":"object","properties":{"id":{"type":"string"},"name":{"type":"string"},"n":{"type":"integer"}},"required":["n"]}""");
    }

    [Fact]
    public void R07_a_schema_that_refers_to_itself_does_so_by_a_definition()
    {
        const string Schema =
            """{"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#"}}, "next": """
                + """{"$ref": "#/properties/children"}}}""";

        foreach (var kind in new[] { "openai", "anthropic" })
        {
            var sent = Sent(Schema, kind);
            ProviderRules.Violations(sent, kind).ShouldBeEmpty();
            sent.GetProperty("$defs").EnumerateObject().Count().ShouldBe(2);
        }
    }

    [Fact]
    public void R07_the_largest_schemas_are_cut_to_what_the_provider_takes()
    {
        var many = string.Join(
            ",",
            Enumerable.Range(0, 6000)
                .Select(i => string.Create(CultureInfo.InvariantCulture, $"\"p{i}\": {{\"enum\": [\"{new string('e', 20)}{i}\"]}}")));
        var values = string.Join(",", Enumerable.Range(0, 1200).Select(i => string.Create(CultureInfo.InvariantCulture, $"\"v{i}\"")));
        var deep = string.Concat(Enumerable.Repeat("""{"type": "object", "properties": {"a": """, 40)) + "{}"
            + string.Concat(Enumerable.Repeat("}}", 40));
        foreach (var schema in new[]
        {
            $$$"""{"properties": { {{{many}}} }}""",
            $$$"""{"properties": {"a": {"enum": [{{{values}}}]} } }""",
            deep,
        })
        {
            foreach (var kind in new[] { "openai", "anthropic" })
            {
                ProviderRules.Violations(Sent(schema, kind), kind).ShouldBeEmpty();
            }
        }
    }

    [Theory]
    [InlineData(@"^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[a-z]{2,}$", true)]
    [InlineData(@"^(?:a|b)*\d{3,5}?$", true)]
    [InlineData("a**", false)]
    [InlineData("a{1001}", false)]
    [InlineData("(a{999}){999}", false)]
    [InlineData("(a", false)]
    [InlineData("a)", false)]
    [InlineData("[]", false)]
    [InlineData("[a&&b]", false)]
    [InlineData(@"(a)\1", false)]
    [InlineData(@"\p{L}", false)]
    [InlineData("(?i)a", false)]
    [InlineData("{", false)]
    [InlineData("\\", false)]
    public void R07_a_pattern_is_sent_where_every_engine_takes_it(string pattern, bool isSent) =>
    SchemaPattern.IsPortable(pattern).ShouldBe(isSent);

    private static JsonElement Sent(
        string schema, string kind) =>
        ToolSchema.For(JsonElement.Parse(schema, new JsonDocumentOptions { MaxDepth = 200 }),
            kind == "openai" ? ToolRules.OpenAI : ToolRules.Anthropic);
}
