using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;

namespace Weir.Tests.Models;

/// <summary>A schema as servers write them: each keyword now and then with a value that it should not have.</summary>
public sealed record HostileSchema(string Json)
{
    private static readonly string[] Names = ["a", "b", "x y", "ü", "a.b-c_9", "line\n", new('n', 65), "$ref", "properties", ""];
    private static readonly string[] Texts = [
        "", "a", "x\0y", "\ud83d\ude00", new('d', 2000), "(", "^a+$", "(?=a)a", @"\p{L}", "[z-a]", "a{2,1}", @"(\w{99}){999}", "[0-9]{4}",
        "uri", "date", "city",
    ];
    private static readonly string[] Types = [
        "string", "integer", "number", "object", "array", "boolean", "null", "int", "any", "str", "ARRAY", "file",
    ];
    private static readonly string[] Numbers = ["0", "-1", "1.5", "3", "1e400", "-1e999", "12345678901234567890", "2e3", "0.0"];
    private static readonly string[] References = [
        "#", "#/$defs/A", "#/$defs/B", "#/definitions/A", "#/definitions/Nothing", "#/properties/a", "#/properties/b/items",
        "other.json#/A", "#anchor", "#/$defs/x~1y", "7",
    ];
    private static readonly string[] Schemas = ["properties", "patternProperties", "$defs", "definitions"];
    private static readonly string[] Lists = ["anyOf", "oneOf", "allOf", "prefixItems", "items"];
    private static readonly string[] Singles = [
        "items", "additionalProperties", "not", "propertyNames", "if", "contains", "additionalItems",
    ];
    private static readonly string[] Counts = [
        "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minimum", "maximum", "exclusiveMinimum",
        "exclusiveMaximum", "multipleOf",
    ];
    private static readonly string[] Words = ["title", "description", "pattern", "format", "$schema", "$id", "$comment"];

    /// <summary>For FsCheck's <c>Property</c>.</summary>
    public static Arbitrary<HostileSchema> Arbitrary() => Arb.From(Schema(5).Select(s => new HostileSchema(s)));

    public override string ToString() => Json;

    private static Gen<string> Schema(int depth) => depth == 0 ? Leaf() : Mix((8, Object(depth)), (1, Leaf()));

    private static Gen<string> Leaf() =>
        Gen.Elements("{}", "true", "false", "null", "7", "[]", "\"string\"", """{"type": "string"}""", """{"type": "array"}""");

    private static Gen<string> Object(int depth) =>
        from count in Gen.Choose(0, 6)
        from members in Gen.ArrayOf(Member(depth), count)
        select "{" + string.Join(",", members.DistinctBy(m => m.Key).Select(m => $"{Quote(m.Key)}:{m.Value}")) + "}";

    private static Gen<(string Key, string Value)> Member(int depth) => Mix(
        (4, Pair(Gen.Elements("type"), Mix((3, Gen.Elements(Types).Select(Quote)), (1, List(Gen.Elements(Types).Select(Quote)))))),
        (6, Pair(Gen.Elements(Schemas), Map(depth))),
        (3, Pair(Gen.Elements(Lists), List(Schema(depth - 1)))),
        (3, Pair(Gen.Elements(Singles), Schema(depth - 1))),
        (4, Pair(Gen.Elements(Counts), Mix((4, Gen.Elements(Numbers)), (1, Value())))),
        (3, Pair(Gen.Elements(Words), Mix((4, Gen.Elements(Texts).Select(Quote)), (1, Value())))),
        (2, Pair(Gen.Elements("$ref"), Gen.Elements(References).Select(Quote))),
        (2, Pair(Gen.Elements("required", "enum", "examples"), List(Mix((1, Gen.Elements(Names).Select(Quote)), (1, Value()))))),
        (1, Pair(Gen.Elements("default", "const", "uniqueItems", "required", "enum", "properties", "$defs", "anyOf"), Value())));

    private static Gen<string> Map(int depth) =>
        from count in Gen.Choose(0, 3)
        from members in Gen.ArrayOf(
            Pair(Mix((4, Gen.Elements("a", "b", "A", "B", "x/y")), (1, Gen.Elements(Names))), Schema(depth - 1)), count)
        select "{" + string.Join(",", members.DistinctBy(m => m.Key).Select(m => $"{Quote(m.Key)}:{m.Value}")) + "}";

    private static Gen<string> Value() => Mix(
        (3, Gen.Elements(Numbers)), (3, Gen.Elements(Texts).Select(Quote)),
        (2, Gen.Elements("null", "true", "[]", "{}", """{"a": [1, {"b": null}]}""", "[1e999]")));

    private static Gen<string> List(Gen<string> item) =>
        from count in Gen.Choose(0, 4)
        from items in Gen.ArrayOf(item, count)
        select $"[{string.Join(",", items)}]";

    private static Gen<(string Key, string Value)> Pair(Gen<string> key, Gen<string> value) => from k in key from v in value select (k, v);

    private static Gen<T> Mix<T>(params (int Weight, Gen<T> Value)[] choices) => Gen.Frequency(choices.Select(c => (c.Weight, c.Value)));

    private static string Quote(string text) => JsonSerializer.Serialize(text);
}
