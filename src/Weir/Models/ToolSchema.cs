using System.Buffers;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Weir.Models;

/// <summary>
/// A tool's schema as a provider takes it: an object at the top, without alternatives there; keywords that it knows, in the form of
/// today's JSON Schema, with values that it takes; properties whose names it takes; references that lead to something. What a server
/// wrote otherwise is mended where its meaning is certain, and left out where it is not: the server judges the arguments anyway.
/// </summary>
internal sealed partial class ToolSchema
{
    public static readonly string[] Alternatives = ["anyOf", "oneOf", "allOf"];

    private static readonly string[] Holding = ["properties", "items", "prefixItems", "additionalProperties", "patternProperties"];

    /// <summary>Schemas within one another. Deeper ones become "anything".</summary>
    private const int MaxDepth = 24;

    private const int MaxBytes = 1024 * 1024;
    private const int MaxAlternatives = 100;

    private readonly ToolRules _rules;
    private readonly SchemaReferences _references;
    private readonly ArrayBufferWriter<byte> _output = new();
    private readonly Utf8JsonWriter _json;
    private readonly SchemaValues _values;

    private ToolSchema(JsonElement schema, ToolRules rules)
    {
        _rules = rules;
        _references = new SchemaReferences(schema);
        _json = new Utf8JsonWriter(_output);
        _values = new SchemaValues(_json, rules);
    }

    /// <exception cref="InvalidOperationException">It is too large, or holds what no schema can.</exception>
    public static JsonElement For(JsonElement schema, ToolRules rules)
    {
        var writer = new ToolSchema(schema, rules);
        using (writer._json)
        {
            writer.WriteTop(schema);
        }

        return JsonElement.Parse(writer._output.WrittenSpan, ModelJson.Reading);
    }

    /// <summary>
    /// What alternatives at the top describe is put together: the model sees all arguments, and the server says which belong together.
    /// </summary>
    private void WriteTop(JsonElement schema)
    {
        var root = _references.Follow(schema);
        JsonElement[] parts = [
            root, .. Alternatives.SelectMany(k => root.Member(k).Items()).Take(MaxAlternatives).Select(_references.Follow),
        ];
        _json.WriteStartObject();
        _json.WriteString("type"u8, "object"u8);
        _values.WriteText(root, "title");
        _values.WriteText(root, "description");
        var written = WriteProperties(parts.SelectMany(p => MembersOf(p, "properties")), 0, 1);
        var needed = root.Member("allOf").Items().Select(_references.Follow).Prepend(root);
        WriteRequired(needed.SelectMany(p => p.Member("required").Items()), written);
        if (parts.Length == 1)
        {
            WriteAdditional(root, 0, 1);
        }

        WriteDefinitions();
        _json.WriteEndObject();
    }

    private void WriteDefinitions()
    {
        if (!_references.TryNext(out var name, out var target))
        {
            return;
        }

        _json.WriteStartObject("$defs"u8);
        do
        {
            _values.TryTake(name.Length);
            _json.WritePropertyName(name);
            Write(target, 1, 2);
        }
        while (_references.TryNext(out name, out target));

        _json.WriteEndObject();
    }

    /// <param name="depth">Of the schema among the schemas.</param>
    /// <param name="nesting">Of the value that it describes; the arguments are the first.</param>
    private void Write(JsonElement schema, int depth, int nesting)
    {
        if (Written > MaxBytes)
        {
            throw new InvalidOperationException($"The schema is larger than {MaxBytes} bytes.");
        }

        _json.WriteStartObject();
        if (schema.ValueKind == JsonValueKind.Object && depth < MaxDepth && (nesting < _rules.MaxNesting || !HoldsValues(schema)))
        {
            WriteKeywords(schema, depth, nesting);
        }
        else
        {
            var empty = Written;
            _values.WriteText(depth < MaxDepth ? schema : default, "description");
            WriteAnythingSince(empty);
        }

        _json.WriteEndObject();
    }

    private long Written => _json.BytesCommitted + _json.BytesPending;

    /// <summary>Some endpoints take an empty schema for anything, but none that has keywords and does not say what it describes.</summary>
    private void WriteAnythingSince(long empty)
    {
        if (!_rules.IsWhole && Written > empty)
        {
            _values.WriteAnything();
        }
    }

    /// <summary>Whether what it describes has values within, which would be nested once more.</summary>
    private static bool HoldsValues(JsonElement schema) =>
        SchemaTypes.Of(schema).Contains("array", StringComparer.Ordinal)
        || Holding.Any(k => schema.Member(k).ValueKind is JsonValueKind.Object or JsonValueKind.Array);

    private void WriteKeywords(JsonElement schema, int depth, int nesting)
    {
        var reference = _references.NameOf(schema);
        var alternatives = AlternativesOf(schema);
        var hasSiblings = schema.EnumerateObject()
            .Any(k => k.Name is not ("$ref" or "$defs" or "definitions" or "$schema" or "$id" or "$comment"));
        if (reference is not null && (!hasSiblings || alternatives.Length > 0))
        {
            WriteReference(reference);
            return;
        }

        var empty = Written;
        var types = _values.WriteTypes(schema);
        _values.WriteText(schema, "title");
        _values.WriteDescription(schema, types);
        if (reference is not null)
        {
            // Not every provider takes other keywords beside a reference.
            _json.WriteStartArray("anyOf"u8);
            _json.WriteStartObject();
            WriteReference(reference);
            _json.WriteEndObject();
            _json.WriteEndArray();
        }

        foreach (var (keyword, schemas) in alternatives)
        {
            WriteAll(keyword, schemas, depth, nesting);
        }

        _values.WriteValues(schema, types);
        if (schema.Member("properties").ValueKind == JsonValueKind.Object)
        {
            var written = WriteProperties(MembersOf(schema, "properties"), depth, nesting);
            WriteRequired(schema.Member("required").Items(), written);
        }

        WriteAdditional(schema, depth, nesting);
        WritePatterned(schema, depth, nesting);
        WriteItems(schema, types, depth, nesting);
        _values.WriteLimits(schema);
        if (reference is null && alternatives.Length == 0 && types.Count == 0 && !SaysWhatItIs(schema))
        {
            WriteAnythingSince(empty);
        }
    }

    /// <summary>Without a type: by its values or by what is within.</summary>
    private static bool SaysWhatItIs(JsonElement schema) =>
        (schema.Member("enum").Items().ToArray() is [_, ..] values && values.All(v => v.ValueKind == JsonValueKind.String))
            || schema.Member("const").ValueKind != JsonValueKind.Undefined || HoldsValues(schema);

    private void WriteReference(string name) => _json.WriteString("$ref"u8, "#/$defs/" + name);

    /// <summary>One that nothing satisfies is left out. Where the provider does not know <c>oneOf</c>, it is <c>anyOf</c>.</summary>
    private (string Keyword, JsonElement[] Schemas)[] AlternativesOf(JsonElement schema) =>
    [
        .. Alternatives
            .Select(k => (
                Keyword: k == "oneOf" && !_rules.IsWhole ? "anyOf" : k,
                Schemas: schema.Member(k).Items().Where(s => s.ValueKind is JsonValueKind.Object or JsonValueKind.True)
                    .Take(MaxAlternatives).ToArray()))
            .Where(a => a.Schemas.Length > 0)
            .DistinctBy(a => a.Keyword, StringComparer.Ordinal),
    ];

    private void WriteAll(string keyword, IEnumerable<JsonElement> schemas, int depth, int nesting)
    {
        _json.WriteStartArray(keyword);
        foreach (var schema in schemas)
        {
            Write(schema, depth + 1, nesting);
        }

        _json.WriteEndArray();
    }

    private HashSet<string> WriteProperties(IEnumerable<(string Name, JsonElement Schema)> properties, int depth, int nesting)
    {
        HashSet<string> written = new(StringComparer.Ordinal);
        _json.WriteStartObject("properties"u8);
        foreach (var (name, schema) in properties)
        {
            if (schema.ValueKind != JsonValueKind.False && PropertyName().IsMatch(name) && !written.Contains(name)
                && _values.TryTakeProperty(name))
            {
                written.Add(name);
                _json.WritePropertyName(name);
                Write(schema, depth + 1, nesting + 1);
            }
        }

        _json.WriteEndObject();
        return written;
    }

    /// <summary>Only what is still there can be required.</summary>
    private void WriteRequired(IEnumerable<JsonElement> required, HashSet<string> written)
    {
        string[] names = [.. required.Select(n => n.Text()).Where(written.Contains).Distinct(StringComparer.Ordinal)];
        if (names.Length > 0)
        {
            _json.WriteStartArray("required"u8);
            Array.ForEach(names, _json.WriteStringValue);
            _json.WriteEndArray();
        }
    }

    private void WriteAdditional(JsonElement schema, int depth, int nesting)
    {
        var additional = schema.Member("additionalProperties");
        if (additional.ValueKind is JsonValueKind.True or JsonValueKind.False)
        {
            _json.WriteBoolean("additionalProperties"u8, additional.GetBoolean());
        }
        else if (additional.ValueKind == JsonValueKind.Object)
        {
            _json.WritePropertyName("additionalProperties"u8);
            Write(additional, depth + 1, nesting + 1);
        }
    }

    private void WritePatterned(JsonElement schema, int depth, int nesting)
    {
        var patterned = _rules.IsWhole ? MembersOf(schema, "patternProperties").Where(p => SchemaPattern.IsPortable(p.Name)).ToArray() : [];
        if (patterned.Length == 0)
        {
            return;
        }

        _json.WriteStartObject("patternProperties"u8);
        foreach (var (pattern, property) in patterned.Where(p => _values.TryTakeProperty(p.Name)))
        {
            _json.WritePropertyName(pattern);
            Write(property, depth + 1, nesting + 1);
        }

        _json.WriteEndObject();
    }

    /// <summary>
    /// A list always says of what it is; a list of one schema for each place, in whichever form, is one of any of them where the provider
    /// has no form for it.
    /// </summary>
    private void WriteItems(JsonElement schema, IReadOnlyList<string> types, int depth, int nesting)
    {
        var items = schema.Member("items");
        JsonElement[] places = [
            .. (items.ValueKind == JsonValueKind.Array ? items : schema.Member("prefixItems")).Items().Take(MaxAlternatives),
        ];
        if (places.Length > 0 && !_rules.IsWhole)
        {
            _json.WriteStartObject("items"u8);
            WriteAll("anyOf", places, depth + 1, nesting + 1);
            _json.WriteEndObject();
            return;
        }

        if (places.Length > 0)
        {
            WriteAll("prefixItems", places, depth, nesting + 1);
            items = items.ValueKind == JsonValueKind.Array ? schema.Member("additionalItems") : items;
        }

        if (items.ValueKind == JsonValueKind.Object || types.Contains("array", StringComparer.Ordinal))
        {
            _json.WritePropertyName("items"u8);
            Write(items, depth + 1, nesting + 1);
        }
    }

    /// <summary>The last of two of one name is the one that counts.</summary>
    private static IEnumerable<(string Name, JsonElement Schema)> MembersOf(JsonElement schema, string keyword) =>
        schema.Member(keyword) is { ValueKind: JsonValueKind.Object } map
            ? map.EnumerateObject().Select(m => m.Name).Distinct(StringComparer.Ordinal).Select(n => (n, map.Member(n)))
            : [];

    [GeneratedRegex(@"^[a-zA-Z0-9_.-]{1,64}\z", RegexOptions.None, 1000)]
    private static partial Regex PropertyName();
}
