using System.Text.Json;
using System.Text.Json.Nodes;

namespace Weir.Definitions;

/// <summary>
/// Whether a client's validator surely compiles an output schema. Clients with sessions compile it as draft 7 when they list tools.
/// What is not surely fine counts as not: the tool is then shown without its output schema, and works as before.
/// </summary>
internal static class OutputSchemas
{
    private const int MaxDepth = 64;

    private static readonly HashSet<string> Types =
        new(StringComparer.Ordinal) { "string", "number", "integer", "boolean", "null", "object", "array" };

    public static bool Compiles(JsonObject root) => Schema(root, root, depth: 0);

    private static bool Schema(JsonNode? node, JsonObject root, int depth) => depth <= MaxDepth && node?.GetValueKind() switch
    {
        JsonValueKind.True or JsonValueKind.False => true,
        JsonValueKind.Object => node.AsObject().All(m => Keyword(m.Key, m.Value, node.AsObject(), root, depth + 1)),
        _ => false,
    };

    private static bool Keyword(string name, JsonNode? value, JsonObject parent, JsonObject root, int depth) => name switch
    {
        "type" => IsType(value) || (value is JsonArray { Count: > 0 } types && types.All(IsType)),
        "properties" or "$defs" or "definitions" => Each(value, root, depth),
        "patternProperties" => Each(value, root, depth) && value!.AsObject().All(p => EcmaPattern.IsPlain(p.Key)),
        "dependencies" =>
            value is JsonObject all && all.All(d => d.Value is JsonArray names ? names.All(IsText) : Schema(d.Value, root, depth)),
        "items" => value is JsonArray tuple ? tuple.Count > 0 && tuple.All(i => Schema(i, root, depth)) : Schema(value, root, depth),
        "allOf" or "anyOf" or "oneOf" => value is JsonArray { Count: > 0 } several && several.All(s => Schema(s, root, depth)),
        "additionalProperties" or "additionalItems" or "contains" or "propertyNames" or "not" or "if" or "then" or "else" =>
            Schema(value, root, depth),
        "required" => value is JsonArray required && required.All(IsText),
        "enum" => value is JsonArray { Count: > 0 },
        "pattern" => IsText(value) && EcmaPattern.IsPlain(value!.GetValue<string>()),
        "format" or "$schema" or "$comment" => IsText(value),
        "maximum" or "minimum" or "exclusiveMaximum" or "exclusiveMinimum" => IsNumber(value, _ => true),
        "multipleOf" => IsNumber(value, n => n > 0),
        "maxLength" or "minLength" or "maxItems" or "minItems" or "maxProperties" or "minProperties" or "maxContains" or "minContains" =>
            IsNumber(value, n => n >= 0 && Math.Floor(n) == n),
        "uniqueItems" => IsFlag(value),
        "nullable" => IsFlag(value) && parent.ContainsKey("type"),
        "$ref" => IsText(value) && Resolves(value!.GetValue<string>(), root),
        // Names that validators give to schemas: two tools with one name would be taken for one another.
        "$id" or "id" or "$anchor" or "$dynamicAnchor" or "$dynamicRef" or "$recursiveAnchor" or "$recursiveRef" or "$vocabulary" => false,
        // Limits of formats, which ajv-formats adds.
        "formatMaximum" or "formatMinimum" or "formatExclusiveMaximum" or "formatExclusiveMinimum" => false,
        _ => NamesNone(value, depth),
    };

    private static bool Each(JsonNode? value, JsonObject root, int depth) => value is JsonObject all
        && all.All(p => Schema(p.Value, root, depth));

    /// <summary>Only to a schema inside the same one.</summary>
    private static bool Resolves(string reference, JsonObject root)
    {
        var parts = reference.Split('/');
        JsonNode? node = root;
        for (var i = 1; i < parts.Length && node is JsonObject schema; i++)
        {
            node = schema[parts[i]] switch
            {
                JsonObject all when parts[i] is "properties" or "$defs" or "definitions" => ++i < parts.Length ? all[parts[i]] : null,
                JsonArray several when parts[i] is "allOf" or "anyOf" or "oneOf" or "items" =>
                    ++i < parts.Length && int.TryParse(parts[i], out var at) && at >= 0 && at < several.Count ? several[at] : null,
                var one => parts[i] is "items" or "additionalProperties" or "contains" or "not" or "if" or "then" or "else" ? one : null,
            };
        }

        return parts[0] == "#" && node is JsonObject && !reference.AsSpan().ContainsAny('~', '%');
    }

    /// <summary>Validators look for such names in what they do not know, too.</summary>
    private static bool NamesNone(JsonNode? node, int depth) => depth <= MaxDepth && node switch
    {
        JsonObject parent => parent.All(m => m.Key is not ("$id" or "$anchor" or "$dynamicAnchor") && NamesNone(m.Value, depth + 1)),
        JsonArray list => list.All(i => NamesNone(i, depth + 1)),
        _ => true,
    };

    private static bool IsType(JsonNode? node) => IsText(node) && Types.Contains(node!.GetValue<string>());

    private static bool IsText(JsonNode? node) => node?.GetValueKind() == JsonValueKind.String;

    private static bool IsFlag(JsonNode? node) => node?.GetValueKind() is JsonValueKind.True or JsonValueKind.False;

    private static bool IsNumber(JsonNode? node, Func<double, bool> fits) =>
        node?.GetValueKind() == JsonValueKind.Number && node.AsValue().TryGetValue<double>(out var number) && double.IsFinite(number)
            && fits(number);
}
