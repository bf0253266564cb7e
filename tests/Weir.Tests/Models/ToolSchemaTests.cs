using System.Text.Json;
using Weir.Models;

namespace Weir.Tests.Models;

public sealed class ToolSchemaTests
{
    [Theory]
    [InlineData("true", """{"type":"object","properties":{}}""")]
    [InlineData("[]", """{"type":"object","properties":{}}""")]
    [InlineData("""{"type": "string", "enum": ["x"]}""", """{"type":"object","properties":{}}""")]
    [InlineData("""{"properties": {"a": true, "b": 7}, "required": ["a", "c"]}""",
        """{"type":"object","properties":{"a":{},"b":{}},"required":["a"]}""")]
    [InlineData("""{"properties": {"a": {"required": true, "items": [{}], "type": 3}}}""",
        """{"type":"object","properties":{"a":{"items":{"anyOf":[{}]}}}}""")]
    [InlineData("""{"$ref": "#/$defs/In", "$defs": {"In": {"properties": {"a": {"$ref": "#/$defs/A"}}, "title": "In"}, "A": """
        + """{"type": "string", "readOnly": true}}}""",
        """{"type":"object","title":"In","properties":{"a":{"$ref":"#/$defs/A"}},"$defs":{"A":{"type":"string"}}}""")]
    [InlineData("""{"$ref": "#/$defs/Nothing", "additionalProperties": {"type": "string", "x-y": 1}}""",
        """{"type":"object","properties":{},"additionalProperties":{"type":"string"}}""")]
    [InlineData("""{"properties": {"a": {"anyOf": [{"type": "null"}, {"type": "array", "items": """
        + """{"type": "string", "format": "date-time", "contains": {}}}], "default": {"$schema": 1}}}}""",
        """{"type":"object","properties":{"a":{"anyOf":[{"type":"null"},"""
            + """{"type":"array","items":{"type":"string","format":"date-time"}}],"default":{"$schema":1}}}}""")]
    public void A_schema_is_what_any_provider_takes(string schema, string expected) =>
        JsonSerializer.Serialize(ToolSchema.For(JsonElement.Parse(schema), ToolRules.OpenAI))
            .ShouldBe(JsonSerializer.Serialize(JsonElement.Parse(expected)));

    [Fact]
    public void A_schema_without_a_bottom_is_cut_off()
    {
        var schema = "{}";
        for (var i = 0; i < 30; i++)
        {
            schema = $"{{\"properties\":{{\"a\":{schema}}}}}";
        }

        ToolSchema.For(JsonElement.Parse(schema), ToolRules.Anthropic).GetRawText().Length.ShouldBeLessThan(schema.Length);
    }

    [Theory]
    [InlineData("files__read_file", "files__read_file")]
    [InlineData("", "_e3b0c442")]
    public void A_name_that_is_taken_stays(string name, string wire) => ToolDialect.WireName(name).ShouldBe(wire);

    [Fact]
    public void Names_that_are_changed_stay_apart_and_within_what_is_taken()
    {
        string[] names = ["a.b", "a b", "a/b", "ä", new('x', 65), new('x', 66), "a\0"];
        var wire = names.Select(ToolDialect.WireName).ToArray();
        wire.Distinct().Count().ShouldBe(names.Length);
        wire.ShouldAllBe(w => w.Length <= 64 && w.All(c => char.IsAsciiLetterOrDigit(c) || c == '_' || c == '-'));
    }
}
