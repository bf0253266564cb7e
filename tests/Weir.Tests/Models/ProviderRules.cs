using System.Text.Json;
using System.Text.RegularExpressions;

namespace Weir.Tests.Models;

/// <summary>
/// What the providers publish of the schemas that they take as a tool's: OpenAI's of functions and structured outputs, with its limits, and
/// Anthropic's, which is JSON Schema 2020-12. Written apart from the code that it judges.
/// </summary>
internal sealed class ProviderRules
{
    private static readonly string[] Types = ["string", "number", "integer", "boolean", "object", "array", "null"];

    private static readonly string[] Shared =
    [
        "$ref", "$defs", "type", "title", "description", "default", "enum", "const", "properties", "required", "additionalProperties",
        "items", "anyOf", "allOf",
        "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern", "format",
        "minItems", "maxItems", "uniqueItems",
    ];

    private static readonly string[] Whole = [
        .. Shared, "oneOf", "prefixItems", "minProperties", "maxProperties", "patternProperties", "examples",
    ];
    private static readonly string[] Formats = ["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"];
    private static readonly string[] Counts = ["minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"];

    private readonly List<string> _violations = [];
    private readonly JsonElement _root;
    private readonly bool _isOpenAI;
    private int _properties;
    private int _enumValues;
    private int _characters;

    private ProviderRules(JsonElement root, bool isOpenAI) => (_root, _isOpenAI) = (root, isOpenAI);

    public static IReadOnlyList<string> Violations(JsonElement schema, string kind)
    {
        var rules = new ProviderRules(schema, kind == "openai");
        rules.Check(schema, "#", 1);
        if (schema.GetProperty("type").ValueKind != JsonValueKind.String || schema.GetProperty("type").GetString() != "object"
            || !schema.TryGetProperty("properties", out _))
        {
            rules.Fail("#", "is no object with properties");
        }

        string[] notAtTheTop = ["anyOf", "oneOf", "allOf", "not", "enum", "const", "$ref"];
        rules.Expect(!schema.EnumerateObject().Any(k => notAtTheTop.Contains(k.Name)), "#", "has alternatives at the top");
        rules.Expect(rules._properties <= 5000, "#", "has too many properties");
        rules.Expect(!rules._isOpenAI || rules._enumValues <= 1000, "#", "has too many enum values");
        rules.Expect(!rules._isOpenAI || rules._characters <= 120_000, "#", "has too many characters in names and values");
        return rules._violations;
    }

    private void Check(JsonElement schema, string at, int nesting)
    {
        if (schema.ValueKind != JsonValueKind.Object)
        {
            Fail(at, "is no schema");
            return;
        }

        Expect(!_isOpenAI || nesting <= 10, at, "is nested too deep");
        foreach (var keyword in schema.EnumerateObject())
        {
            Expect((_isOpenAI ? Shared : Whole).Contains(keyword.Name), at, keyword.Name + " is not known");
        }

        Expect(
            schema.EnumerateObject().Select(k => k.Name).Distinct().Count() == schema.EnumerateObject().Count(), at, "has a keyword twice");
        var types = CheckType(schema, at);
        CheckTexts(schema, at);
        CheckNumbers(schema, at);
        CheckValues(schema, types, at);
        CheckReference(schema, at);
        CheckObject(schema, at, nesting);
        CheckList(schema, types, at, nesting);
        foreach (var keyword in new[] { "anyOf", "oneOf", "allOf" })
        {
            if (schema.TryGetProperty(keyword, out var schemas))
            {
                CheckAll(schemas, $"{at}/{keyword}", nesting);
            }
        }
    }

    private string[] CheckType(JsonElement schema, string at)
    {
        if (!schema.TryGetProperty("type", out var type))
        {
            return [];
        }

        var types = type.ValueKind == JsonValueKind.Array
            ? [.. type.EnumerateArray().Select(t => t.GetString()!)] : new[] { type.GetString()! };
        Expect(
            types.Length > 0 && types.Distinct().Count() == types.Length && types.All(t => Types.Contains(t)), at, $"has the type {type}");
        return types;
    }

    private void CheckTexts(JsonElement schema, string at)
    {
        foreach (var keyword in new[] { "title", "description", "format", "pattern", "$ref" })
        {
            Expect(
                !schema.TryGetProperty(keyword, out var text)
                    || (text.ValueKind == JsonValueKind.String && !text.GetString()!.Contains('\0')), at, keyword + " is no text");
        }

        if (schema.TryGetProperty("pattern", out var pattern))
        {
            Expect(IsPattern(pattern.GetString()!), at, $"has the pattern {pattern}");
        }

        Expect(
            !schema.TryGetProperty("format", out var format) || Formats.Contains(format.GetString())
                || (!_isOpenAI && format.GetString() == "uri"), at, $"has the format {format}");
    }

    private void CheckNumbers(JsonElement schema, string at)
    {
        foreach (var keyword in Counts.Where(c => schema.TryGetProperty(c, out _)))
        {
            Expect(schema.GetProperty(keyword).TryGetInt32(out var count) && count >= 0, at, keyword + " is no count");
        }

        foreach (var keyword in new[] { "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf" }.Where(
            k => schema.TryGetProperty(k, out _)))
        {
            Expect(
                schema.GetProperty(keyword).ValueKind == JsonValueKind.Number && double.IsFinite(schema.GetProperty(keyword).GetDouble()),
                at, keyword + " is no number");
        }

        Expect(!schema.TryGetProperty("multipleOf", out var multiple) || multiple.GetDouble() > 0, at, "multipleOf is not above 0");
        foreach (var (least, most) in new[]
        {
            ("minLength", "maxLength"),
            ("minItems", "maxItems"),
            ("minProperties", "maxProperties"),
            ("minimum", "maximum"),
        })
        {
            Expect(
                !schema.TryGetProperty(least, out var low) || !schema.TryGetProperty(most, out var high)
                    || low.GetDouble() <= high.GetDouble(), at, $"{least} is above {most}");
        }
    }

    private void CheckValues(JsonElement schema, string[] types, string at)
    {
        if (schema.TryGetProperty("enum", out var values))
        {
            var given = values.EnumerateArray().ToArray();
            Expect(
                given.Length > 0
                    && given.DistinctBy(v => v.ValueKind == JsonValueKind.Number ? v.GetDouble() : (object)v.GetRawText()).Count()
                        == given.Length, at, "has an empty enum, or a value twice");
            Expect(given.All(v => Fits(v, types)), at, "has an enum of another type");
            _enumValues += given.Length;
            _characters += given.Sum(v => v.ToString().Length);
            Expect(given.Length <= 250 || given.Sum(v => v.ToString().Length) <= 15_000, at, "has an enum of too much text");
        }

        foreach (var keyword in new[] { "const", "default" }.Where(k => schema.TryGetProperty(k, out _)))
        {
            Expect(Fits(schema.GetProperty(keyword), types), at, keyword + " is of another type");
        }
    }

    private void CheckReference(JsonElement schema, string at)
    {
        HashSet<string> seen = [];
        Expect(!schema.TryGetProperty("$ref", out _) || schema.EnumerateObject().Count() == 1, at, "has keywords beside its $ref");
        Expect(IsGrounded(schema, seen), at, "refers to nothing, or only to itself");
    }

    /// <summary>Whether what it refers to is there and does not come back without a value between.</summary>
    private bool IsGrounded(JsonElement schema, HashSet<string> seen)
    {
        if (schema.TryGetProperty("$ref", out var reference))
        {
            return reference.GetString()!.Split('/') is ["#", "$defs", var name] && seen.Add(name)
                && _root.TryGetProperty("$defs", out var definitions) && definitions.TryGetProperty(name, out var target)
                && IsGrounded(target, [.. seen]);
        }

        return new[] { "anyOf", "oneOf", "allOf" }.Where(k => schema.TryGetProperty(k, out _))
            .SelectMany(k => schema.GetProperty(k).EnumerateArray()).All(s => IsGrounded(s, [.. seen]));
    }

    private void CheckObject(JsonElement schema, string at, int nesting)
    {
        string[] names = [];
        if (schema.TryGetProperty("properties", out var properties))
        {
            names = [.. properties.EnumerateObject().Select(p => p.Name)];
            Expect(
                names.All(n => n.Length is > 0 and <= 64 && n.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '-'))
                    && names.Distinct().Count() == names.Length, at, "has a property of an odd name, or one twice");
            _properties += names.Length;
            _characters += names.Sum(n => n.Length);
            foreach (var property in properties.EnumerateObject())
            {
                Check(property.Value, $"{at}/{property.Name}", nesting + 1);
            }
        }

        if (schema.TryGetProperty("required", out var required))
        {
            var needed = required.EnumerateArray().Select(r => r.GetString()!).ToArray();
            Expect(needed.Distinct().Count() == needed.Length && needed.All(names.Contains), at, "requires what is not there");
        }

        if (schema.TryGetProperty("additionalProperties", out var additional)
            && additional.ValueKind is not (JsonValueKind.True or JsonValueKind.False))
        {
            Check(additional, at + "/additionalProperties", nesting + 1);
        }

        foreach (var keyword in new[] { "patternProperties", "$defs" }.Where(k => schema.TryGetProperty(k, out _)))
        {
            foreach (var member in schema.GetProperty(keyword).EnumerateObject())
            {
                Expect(
                    keyword == "$defs" ? Regex.IsMatch(member.Name, @"^[a-zA-Z0-9_.-]{1,64}\z", RegexOptions.None, TimeSpan.FromSeconds(1))
                        : IsPattern(member.Name), at, $"has {keyword} of {member.Name}");
                Check(member.Value, $"{at}/{keyword}/{member.Name}", keyword == "$defs" ? 1 : nesting + 1);
            }
        }
    }

    private void CheckList(JsonElement schema, string[] types, string at, int nesting)
    {
        Expect(!types.Contains("array") || schema.TryGetProperty("items", out _) || schema.TryGetProperty("prefixItems", out _), at,
            "is a list without items");
        if (schema.TryGetProperty("items", out var items))
        {
            Check(items, at + "/items", nesting + 1);
        }

        if (schema.TryGetProperty("prefixItems", out var places))
        {
            CheckAll(places, at + "/prefixItems", nesting + 1);
        }
    }

    private void CheckAll(JsonElement schemas, string at, int nesting)
    {
        Expect(schemas.ValueKind == JsonValueKind.Array && schemas.GetArrayLength() > 0, at, "is empty");
        foreach (var schema in schemas.EnumerateArray())
        {
            Check(schema, at, nesting);
        }
    }

    private static bool Fits(JsonElement value, string[] types) => types.Length == 0 || types.Contains(value.ValueKind switch
    {
        JsonValueKind.True or JsonValueKind.False => "boolean",
        JsonValueKind.Number when types.Contains("integer") && !types.Contains("number") => value.GetDouble() % 1 == 0 ? "integer" : "none",
        var kind => kind.ToString().ToLowerInvariant(),
    });

    /// <summary>One that ECMAScript takes, and without what the providers' own engines lack.</summary>
    private static bool IsPattern(string pattern)
    {
        try
        {
            _ = new Regex(pattern, RegexOptions.ECMAScript, TimeSpan.FromSeconds(1));
            return !Regex.IsMatch(pattern, @"\(\?[^:]|\\[1-9kpP]", RegexOptions.None, TimeSpan.FromSeconds(1));
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    private void Expect(bool holds, string at, string violation)
    {
        if (!holds)
        {
            Fail(at, violation);
        }
    }

    private void Fail(string at, string violation) => _violations.Add($"{at} {violation}");
}
