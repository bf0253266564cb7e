using System.Text;
using System.Text.Json;

namespace Weir.Models;

/// <summary>
/// Writes the keywords of a schema that hold values and limits: those that a provider takes, within what it takes of them.
/// </summary>
internal sealed class SchemaValues(Utf8JsonWriter json, ToolRules rules)
{
    private const int MaxValueDepth = 8;
    private const int MaxValueCharacters = 4096;

    /// <summary>Most values of an enumeration that its description names.</summary>
    private const int MaxTold = 50;

    private static readonly (string Least, string Most)[] Counts = [
        ("minLength", "maxLength"), ("minItems", "maxItems"), ("minProperties", "maxProperties"),
    ];
    private static readonly string[] Bounds = ["minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"];

    private int _properties;
    private int _enumValues;
    private int _characters;

    /// <summary>Counts a property; false where the tool has too many of them already.</summary>
    public bool TryTakeProperty(string name)
    {
        var fits = _properties < ToolRules.MaxProperties && TryTake(name.Length);
        _properties += fits ? 1 : 0;
        return fits;
    }

    public bool TryTake(int characters)
    {
        var fits = _characters + characters <= ToolRules.MaxCharacters;
        _characters += fits ? characters : 0;
        return fits;
    }

    public IReadOnlyList<string> WriteTypes(JsonElement schema)
    {
        var types = SchemaTypes.Of(schema);
        if (types.Count == 1)
        {
            json.WriteString("type"u8, types[0]);
        }
        else if (types.Count > 1)
        {
            json.WriteStartArray("type"u8);
            foreach (var type in types)
            {
                json.WriteStringValue(type);
            }

            json.WriteEndArray();
        }

        return types;
    }

    public void WriteText(JsonElement schema, string keyword)
    {
        if (ToolText(schema.Text(keyword), rules.MaxDescription) is { Length: > 0 } text)
        {
            json.WriteString(keyword, text);
        }
    }

    /// <summary>
    /// What it is; and where the API does not take the enumeration (of numbers, for example), its values in words, which the model reads as
    /// well.
    /// </summary>
    public void WriteDescription(JsonElement schema, IReadOnlyList<string> types)
    {
        JsonElement[] values = rules.IsWhole ? [] : [.. schema.Member("enum").Items().Where(types.Allow)];
        if (values.Length is 0 or > MaxTold || values.All(v => v.ValueKind == JsonValueKind.String)
            || !values.All(v => IsScalar(v) && IsPlain(v, 0)))
        {
            WriteText(schema, "description");
            return;
        }

        var told = $"{schema.Text("description")} One of {string.Join(", ", values.Select(v => v.GetRawText()))}.".TrimStart();
        json.WriteString("description"u8, ToolText(told, rules.MaxDescription));
    }

    /// <summary>What may be anything, for an API that wants each schema to say what it describes.</summary>
    public void WriteAnything()
    {
        json.WriteStartArray("anyOf"u8);
        foreach (var type in (string[])["string", "number", "boolean", "object"])
        {
            json.WriteStartObject();
            json.WriteString("type"u8, type);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    /// <summary>Text as every reader of JSON takes it, cut between characters.</summary>
    public static string ToolText(string text, int max)
    {
        var clean = Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text.Replace("\0", "", StringComparison.Ordinal)));
        if (clean.Length <= max)
        {
            return clean;
        }

        return clean[..(char.IsHighSurrogate(clean[max - 2]) ? max - 2 : max - 1)] + "…";
    }

    public void WriteValues(JsonElement schema, IReadOnlyList<string> types)
    {
        WriteEnum(schema.Member("enum"), types);
        var constant = schema.Member("const");
        if (IsScalar(constant) && IsPlain(constant, 0) && types.Allow(constant) && TryTake(constant.GetRawText().Length))
        {
            Write("const", constant);
        }

        var standard = schema.Member("default");
        if (standard.ValueKind != JsonValueKind.Undefined && IsPlain(standard, 0) && types.Allow(standard))
        {
            Write("default", standard);
        }

        var examples = schema.Member("examples").Items().Where(e => IsPlain(e, 0) && types.Allow(e)).Take(10).ToArray();
        if (rules.IsWhole && examples.Length > 0)
        {
            WriteAll("examples", examples);
        }
    }

    public void WriteLimits(JsonElement schema)
    {
        WriteBounds(schema);
        if (Number(schema, "multipleOf") is > 0)
        {
            Write("multipleOf", schema.Member("multipleOf"));
        }

        foreach (var (least, most) in Counts.Where(c => rules.IsWhole || c.Least != "minProperties"))
        {
            WriteCounts(schema, least, most);
        }

        if (schema.Text("pattern") is { Length: > 0 } pattern && SchemaPattern.IsPortable(pattern)
            && (rules.IsWhole || (pattern.StartsWith('^') && pattern.EndsWith('$') && !pattern.EndsWith("\\$", StringComparison.Ordinal))))
        {
            json.WriteString("pattern"u8, pattern);
        }

        if (rules.Formats.Contains(schema.Text("format")))
        {
            json.WriteString("format"u8, schema.Text("format"));
        }

        if (schema.Member("uniqueItems").ValueKind is JsonValueKind.True or JsonValueKind.False)
        {
            json.WriteBoolean("uniqueItems"u8, schema.Member("uniqueItems").GetBoolean());
        }
    }

    /// <summary>
    /// Whole or not at all: without one of its values it would forbid what the server takes. Those of another type nobody could use.
    /// </summary>
    private void WriteEnum(JsonElement values, IReadOnlyList<string> types)
    {
        JsonElement[] given = [.. values.Items()];
        JsonElement[] taken = given.All(v => IsScalar(v) && IsPlain(v, 0))
            ? [.. given.Where(types.Allow).DistinctBy(v => v.ValueKind == JsonValueKind.Number ? (object)v.GetDouble() : v.GetRawText())]
            : [];
        var characters = taken.Sum(v => v.GetRawText().Length);
        if (taken.Length == 0 || (!rules.IsWhole && !taken.All(v => v.ValueKind == JsonValueKind.String))
            || _enumValues + taken.Length > ToolRules.MaxEnumValues
            || (taken.Length > ToolRules.LongEnum && characters > ToolRules.MaxLongEnumCharacters) || !TryTake(characters))
        {
            return;
        }

        _enumValues += taken.Length;
        WriteAll("enum", taken);
    }

    /// <summary>Bounds between which nothing is are none.</summary>
    private void WriteBounds(JsonElement schema)
    {
        var (low, above) = (Number(schema, "minimum"), Number(schema, "exclusiveMinimum"));
        var (high, below) = (Number(schema, "maximum"), Number(schema, "exclusiveMaximum"));
        if (low > high || low >= below || above >= high || above >= below)
        {
            return;
        }

        foreach (var bound in Bounds.Where(b => Number(schema, b) is not null))
        {
            Write(bound, schema.Member(bound));
        }
    }

    private void WriteCounts(JsonElement schema, string least, string most)
    {
        var (low, high) = (Count(schema, least), Count(schema, most));
        if (low > high)
        {
            return;
        }

        if (low is { } at)
        {
            json.WriteNumber(least, at);
        }

        if (high is { } to)
        {
            json.WriteNumber(most, to);
        }
    }

    private static int? Count(JsonElement schema, string keyword) =>
        Number(schema, keyword) is { } number && number is >= 0 and <= int.MaxValue && double.IsInteger(number) ? (int)number : null;

    private static double? Number(JsonElement schema, string keyword) =>
        schema.Member(keyword) is { ValueKind: JsonValueKind.Number } value && IsPlain(value, 0) ? value.GetDouble() : null;

    private static bool IsScalar(JsonElement value) =>
        value.ValueKind is JsonValueKind.String or JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False or JsonValueKind.Null;

    /// <summary>Whether every reader of JSON takes the value.</summary>
    private static bool IsPlain(JsonElement value, int depth) => value.ValueKind switch
    {
        JsonValueKind.Number => double.IsFinite(value.GetDouble()),
        JsonValueKind.String => IsText(value.Text()),
        JsonValueKind.Array => depth < MaxValueDepth && IsShort(value) && value.EnumerateArray().All(v => IsPlain(v, depth + 1)),
        JsonValueKind.Object =>
            depth < MaxValueDepth && IsShort(value) && value.EnumerateObject().All(m => IsText(m.Name) && IsPlain(m.Value, depth + 1)),
        _ => true,
    };

    private static bool IsShort(JsonElement value) => value.GetRawText().Length <= MaxValueCharacters;

    private static bool IsText(string text) => text.Length <= MaxValueCharacters && text == ToolText(text, MaxValueCharacters);

    private void Write(string keyword, JsonElement value)
    {
        json.WritePropertyName(keyword);
        value.WriteTo(json);
    }

    private void WriteAll(string keyword, IEnumerable<JsonElement> values)
    {
        json.WriteStartArray(keyword);
        foreach (var value in values)
        {
            value.WriteTo(json);
        }

        json.WriteEndArray();
    }
}
