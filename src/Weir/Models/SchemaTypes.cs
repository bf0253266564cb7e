using System.Text.Json;

namespace Weir.Models;

/// <summary>The types of JSON Schema, and what servers write in their place.</summary>
internal static class SchemaTypes
{
    /// <summary>None: any. Whatever is no type is left out.</summary>
    public static IReadOnlyList<string> Of(JsonElement schema)
    {
        var type = schema.Member("type");
        string[] given = type.ValueKind == JsonValueKind.String ? [type.Text()] : [.. type.Items().Select(t => t.Text())];
        return given.Any(t => t.Equals("any", StringComparison.OrdinalIgnoreCase))
            ? []
            : [.. given.Select(Name).OfType<string>().Distinct(StringComparer.Ordinal)];
    }

    /// <summary>Whether a value is of one of the types; any is, where there is none.</summary>
    public static bool Allow(
        this IReadOnlyList<string> types, JsonElement value) => types.Count == 0 || types.Any(t => value.ValueKind switch
    {
        JsonValueKind.Object => t == "object",
        JsonValueKind.Array => t == "array",
        JsonValueKind.String => t == "string",
        JsonValueKind.Number => t == "number" || (t == "integer" && double.IsInteger(value.GetDouble())),
        JsonValueKind.True or JsonValueKind.False => t == "boolean",
        JsonValueKind.Null => t == "null",
        _ => false,
    });

    private static string? Name(string type) => type.ToLowerInvariant() switch
    {
        "string" or "str" or "text" => "string",
        "integer" or "int" or "int32" or "int64" or "long" => "integer",
        "number" or "float" or "double" or "decimal" => "number",
        "boolean" or "bool" => "boolean",
        "array" or "list" or "tuple" => "array",
        "object" or "dict" or "map" => "object",
        "null" or "none" => "null",
        _ => null,
    };
}
