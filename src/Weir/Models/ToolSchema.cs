using System.Buffers;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Weir.Models;

/// <summary>
/// A tool's schema as a provider takes it: an object at the top, without alternatives there; keywords that it knows, and those in the
/// form of today's JSON Schema; properties whose names it takes.
/// </summary>
internal static partial class ToolSchema
{
    /// <summary>Deeper schemas become "anything".</summary>
    private const int MaxDepth = 24;

    private static readonly string[] NotAtTheTop = ["anyOf", "oneOf", "allOf", "not", "enum", "const", "$ref", "type", "properties"];

    public static JsonElement For(JsonElement schema, ToolRules rules)
    {
        var root = Resolve(schema, schema);
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("type"u8, "object"u8);
            json.WritePropertyName("properties"u8);
            WriteMap(json, root.ValueKind == JsonValueKind.Object && root.TryGetProperty("properties", out var properties)
                ? properties : default, rules, 1, areArguments: true);
            if (root.ValueKind == JsonValueKind.Object)
            {
                WriteKeywords(json, root, rules, 0, root.EnumerateObject().Where(p => !NotAtTheTop.Contains(p.Name)));
                WriteDefinitionsOf(json, schema, root, rules);
            }

            json.WriteEndObject();
        }

        return JsonElement.Parse(buffer.WrittenSpan);
    }

    /// <summary>Some generators put the object itself among the definitions.</summary>
    private static JsonElement Resolve(JsonElement root, JsonElement schema)
    {
        if (schema.ValueKind != JsonValueKind.Object || schema.TryGetProperty("properties", out _)
            || !schema.TryGetProperty("$ref", out var reference) || reference.ValueKind != JsonValueKind.String
            || reference.GetString()!.Split('/') is not ["#", "$defs" or "definitions", var name])
        {
            return schema;
        }

        return root.TryGetProperty(reference.GetString()!.Split('/')[1], out var definitions) && definitions.ValueKind == JsonValueKind.Object
            && definitions.TryGetProperty(name, out var target) ? target : schema;
    }

    private static void WriteDefinitionsOf(Utf8JsonWriter json, JsonElement schema, JsonElement root, ToolRules rules)
    {
        foreach (var name in new[] { "$defs", "definitions" })
        {
            if (!root.TryGetProperty(name, out _) && schema.TryGetProperty(name, out var definitions))
            {
                json.WritePropertyName(name);
                WriteMap(json, definitions, rules, 1, areArguments: false);
            }
        }
    }

    private static void Write(Utf8JsonWriter json, JsonElement schema, ToolRules rules, int depth)
    {
        json.WriteStartObject();
        if (schema.ValueKind == JsonValueKind.Object && depth < MaxDepth)
        {
            WriteKeywords(json, schema, rules, depth, schema.EnumerateObject());
        }

        json.WriteEndObject();
    }

    private static void WriteKeywords(Utf8JsonWriter json, JsonElement schema, ToolRules rules, int depth, IEnumerable<JsonProperty> keywords)
    {
        foreach (var keyword in keywords.Where(k => rules.Keywords.Contains(k.Name) && IsWellFormed(k)).DistinctBy(k => k.Name, StringComparer.Ordinal))
        {
            json.WritePropertyName(keyword.Name);
            switch (keyword.Name)
            {
                case "properties" or "patternProperties" or "$defs" or "definitions":
                    WriteMap(json, keyword.Value, rules, depth + 1, areArguments: keyword.Name == "properties");
                    break;
                case "anyOf" or "oneOf" or "allOf" or "prefixItems":
                    json.WriteStartArray();
                    foreach (var item in keyword.Value.EnumerateArray())
                    {
                        Write(json, item, rules, depth + 1);
                    }

                    json.WriteEndArray();
                    break;
                case "items" or "not" or "propertyNames" or "additionalProperties" when keyword.Value.ValueKind == JsonValueKind.Object:
                    Write(json, keyword.Value, rules, depth + 1);
                    break;
                case "required":
                    WriteRequired(json, keyword.Value, schema);
                    break;
                default:
                    keyword.Value.WriteTo(json);
                    break;
            }
        }
    }

    private static void WriteMap(Utf8JsonWriter json, JsonElement map, ToolRules rules, int depth, bool areArguments)
    {
        json.WriteStartObject();
        if (map.ValueKind == JsonValueKind.Object)
        {
            foreach (var member in map.EnumerateObject().Where(m => !areArguments || PropertyName().IsMatch(m.Name))
                .DistinctBy(m => m.Name, StringComparer.Ordinal))
            {
                json.WritePropertyName(member.Name);
                Write(json, member.Value, rules, depth);
            }
        }

        json.WriteEndObject();
    }

    /// <summary>Only what is still there can be required.</summary>
    private static void WriteRequired(Utf8JsonWriter json, JsonElement required, JsonElement schema)
    {
        json.WriteStartArray();
        foreach (var name in required.EnumerateArray().Select(n => n.GetString()!).Where(n => PropertyName().IsMatch(n)).Distinct(StringComparer.Ordinal))
        {
            if (schema.TryGetProperty("properties", out var properties) && properties.ValueKind == JsonValueKind.Object
                && properties.TryGetProperty(name, out _))
            {
                json.WriteStringValue(name);
            }
        }

        json.WriteEndArray();
    }

    /// <summary>Older drafts gave some keywords another type, which validators of today refuse; servers write anything.</summary>
    private static bool IsWellFormed(JsonProperty keyword) => keyword.Name switch
    {
        "type" => keyword.Value.ValueKind is JsonValueKind.String or JsonValueKind.Array,
        "description" or "title" or "pattern" or "format" or "$ref" => keyword.Value.ValueKind == JsonValueKind.String,
        "properties" or "patternProperties" or "$defs" or "definitions" or "items" or "not" or "propertyNames" =>
            keyword.Value.ValueKind == JsonValueKind.Object,
        "additionalProperties" => keyword.Value.ValueKind is JsonValueKind.Object or JsonValueKind.True or JsonValueKind.False,
        "anyOf" or "oneOf" or "allOf" or "prefixItems" or "enum" => keyword.Value.ValueKind == JsonValueKind.Array && keyword.Value.GetArrayLength() > 0,
        "required" => keyword.Value.ValueKind == JsonValueKind.Array && keyword.Value.EnumerateArray().All(n => n.ValueKind == JsonValueKind.String),
        "examples" => keyword.Value.ValueKind == JsonValueKind.Array,
        "minimum" or "maximum" or "exclusiveMinimum" or "exclusiveMaximum" or "multipleOf" or "minLength" or "maxLength" or "minItems" or "maxItems"
            or "minProperties" or "maxProperties" => keyword.Value.ValueKind == JsonValueKind.Number,
        "uniqueItems" => keyword.Value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        _ => true,
    };

    [GeneratedRegex("^[a-zA-Z0-9_.-]{1,64}$", RegexOptions.None, 1000)]
    private static partial Regex PropertyName();
}
