using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Weir.Definitions;

/// <summary>
/// The form that the protocol's schema requires of one item. Mends in place what can mean one thing only: null is a member that is
/// absent, and an empty array in the place of an object is an empty object (and the reverse). All else is the item's fault.
/// </summary>
/// <param name="item">Changed in place.</param>
/// <param name="modern">By the schema of 2026-07-28; else by what the versions with sessions require, taken together.</param>
internal sealed partial class ItemRules(JsonObject item, bool modern)
{
    /// <summary>Beyond this some clients cannot hold an integer.</summary>
    private const double MaxInteger = 9_007_199_254_740_991;

    private static readonly string[] Hints = ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"];

    public JsonObject Item => item;

    public bool IsMended { get; private set; }

    /// <summary>The first thing that is wrong and cannot be mended.</summary>
    public ItemFault? Fault { get; private set; }

    /// <param name="kind">One of <see cref="ItemKinds"/>.</param>
    public void Apply(string kind)
    {
        Text(item, "name", "", isRequired: true);
        Text(item, "title", "");
        Text(item, "description", "");
        Decoration("_meta", meta => meta is JsonObject && IsReadable(meta));
        Decoration("icons", icons => icons is JsonArray list && list.All(IsIcon));
        switch (kind)
        {
            case ItemKinds.Tool:
                Tool();
                break;
            case ItemKinds.Prompt:
                Arguments();
                break;
            default:
                Resource(isTemplate: kind == ItemKinds.Template);
                break;
        }
    }

    private void Tool()
    {
        if (Part(item, "inputSchema", "", isRequired: true) is { } input)
        {
            Schema(input, "inputSchema", isInput: true);
        }

        if (Part(item, "outputSchema", "") is { } output)
        {
            Schema(output, "outputSchema", isInput: false);
            if (!modern && Fault is null && !OutputSchemas.Compiles(output))
            {
                // The TypeScript SDK compiles each output schema when it lists, and fails the list where one does not compile.
                Remove(item, "outputSchema");
            }
        }

        if (Part(item, "annotations", "") is { } annotations)
        {
            Text(annotations, "title", "annotations");
            foreach (var hint in Hints)
            {
                Flag(annotations, hint, "annotations");
            }
        }

        // 2026-07-28 has no such member, so its clients ignore it.
        if (!modern && Part(item, "execution", "") is { } execution)
        {
            Text(execution, "taskSupport", "execution");
            OneOf(execution, "taskSupport", "execution", "required", "optional", "forbidden");
        }
    }

    private void Schema(JsonObject schema, string place, bool isInput)
    {
        Text(schema, "$schema", place);
        Type(schema, place, isInput);
        if (Part(schema, "properties", place) is { } properties)
        {
            foreach (var name in properties.Select(p => p.Key).ToArray())
            {
                Property(properties, name, place + ".properties");
            }
        }

        if (List(schema, "required", place) is { } required && !required.All(IsText))
        {
            Fail(At(place, "required"), "must be an array of strings");
        }
    }

    /// <summary>Arguments are always an object, so an input schema without a type means one.</summary>
    private void Type(JsonObject schema, string place, bool isInput)
    {
        if (schema["type"] is null)
        {
            Remove(schema, "type");
            if (isInput)
            {
                schema["type"] = "object";
                IsMended = true;
                return;
            }
        }

        if (schema["type"] is JsonArray { Count: 1 } only && IsText(only[0]) && only[0]!.GetValue<string>() == "object")
        {
            schema["type"] = "object";
            IsMended = true;
        }

        if ((isInput || !modern) && !(IsText(schema["type"]) && schema["type"]!.GetValue<string>() == "object"))
        {
            Fail(At(place, "type"), "must be \"object\"");
        }
    }

    private void Property(JsonObject properties, string name, string place)
    {
        switch (properties[name])
        {
            case JsonObject:
                break;
            case JsonArray { Count: 0 }:
                Replace(properties, name, new JsonObject());
                break;
            case JsonValue value when value.GetValueKind() is JsonValueKind.True or JsonValueKind.False:
                if (!modern)
                {
                    // The same schemas as objects: anything, and nothing.
                    Replace(properties, name, value.GetValue<bool>() ? new JsonObject() : new JsonObject { ["not"] = new JsonObject() });
                }

                break;
            default:
                Fail(At(place, name), "must be a schema");
                break;
        }
    }

    private void Arguments()
    {
        if (List(item, "arguments", "") is not { } arguments)
        {
            return;
        }

        for (var i = 0; i < arguments.Count; i++)
        {
            var place = $"arguments[{i.ToString(CultureInfo.InvariantCulture)}]";
            if (arguments[i] is not JsonObject argument)
            {
                Fail(place, "must be an object");
                continue;
            }

            Text(argument, "name", place, isRequired: true);
            Text(argument, "title", place);
            Text(argument, "description", place);
            Flag(argument, "required", place);
        }
    }

    private void Resource(bool isTemplate)
    {
        Text(item, isTemplate ? "uriTemplate" : "uri", "", isRequired: true);
        if (!isTemplate && IsText(item["uri"]) && !Scheme().IsMatch(item["uri"]!.GetValue<string>()))
        {
            Fail("uri", "must begin with a scheme");
        }

        Text(item, "mimeType", "");
        Number(item, "size", "", n => Math.Abs(n) <= MaxInteger && Math.Floor(n) == n, "must be an integer");
        if (Part(item, "annotations", "") is not { } annotations)
        {
            return;
        }

        if (List(annotations, "audience", "annotations") is { } audience
            && !audience.All(a => IsText(a) && a!.GetValue<string>() is "user" or "assistant"))
        {
            Fail("annotations.audience", "must be an array of \"user\" and \"assistant\"");
        }

        Number(annotations, "priority", "annotations", n => n is >= 0 and <= 1, "must be a number from 0 to 1");
        Text(annotations, "lastModified", "annotations");
        if (IsText(annotations["lastModified"]) && !IsTime(annotations["lastModified"]!.GetValue<string>()))
        {
            Fail("annotations.lastModified", "must be a time of ISO 8601 with its offset, as 2025-01-12T15:00:58Z");
        }
    }

    private static bool IsIcon(JsonNode? node) => node is JsonObject icon && IsReadable(icon) && IsText(icon["src"])
        && (!icon.ContainsKey("mimeType") || IsText(icon["mimeType"]))
        && (!icon.ContainsKey("sizes") || (icon["sizes"] is JsonArray sizes && sizes.All(IsText)))
        && (!icon.ContainsKey("theme") || (IsText(icon["theme"]) && icon["theme"]!.GetValue<string>() is "light" or "dark"));

    /// <summary>
    /// What the hash leaves out, so no approval depends on it, and nobody has looked at its names and texts before: where it does
    /// not fit it is not shown.
    /// </summary>
    private void Decoration(string name, Func<JsonNode?, bool> fits)
    {
        try
        {
            if (item.ContainsKey(name) && !fits(item[name]))
            {
                Remove(item, name);
            }
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            // Two members of one name, or half of a surrogate pair.
            Remove(item, name);
        }
    }

    /// <exception cref="ArgumentException">Two members have one name.</exception>
    /// <exception cref="InvalidOperationException">A text or a name holds half of a surrogate pair.</exception>
    private static bool IsReadable(JsonNode? node) => node switch
    {
        JsonObject parent => parent.All(m => IsReadable(m.Value)),
        JsonArray list => list.All(IsReadable),
        _ => !IsText(node) || node!.GetValue<string>() is not null,
    };

    private void Text(JsonObject parent, string name, string place, bool isRequired = false)
    {
        if (parent[name] is { } value)
        {
            if (!IsText(value))
            {
                Fail(At(place, name), "must be a string");
            }
        }
        else if (isRequired)
        {
            Fail(At(place, name), parent.ContainsKey(name) ? "is null" : "is missing");
        }
        else
        {
            Remove(parent, name);
        }
    }

    private void Flag(JsonObject parent, string name, string place)
    {
        if (parent[name] is not { } value)
        {
            Remove(parent, name);
        }
        else if (value.GetValueKind() is not (JsonValueKind.True or JsonValueKind.False))
        {
            Fail(At(place, name), "must be true or false");
        }
    }

    private void Number(JsonObject parent, string name, string place, Func<double, bool> fits, string problem)
    {
        if (parent[name] is not { } value)
        {
            Remove(parent, name);
        }
        else if (value.GetValueKind() != JsonValueKind.Number || !value.AsValue().TryGetValue<double>(out var number) || !fits(number))
        {
            Fail(At(place, name), problem);
        }
    }

    private void OneOf(JsonObject parent, string name, string place, params ReadOnlySpan<string> values)
    {
        if (IsText(parent[name]) && !values.Contains(parent[name]!.GetValue<string>()))
        {
            Fail(At(place, name), "must be one of " + string.Join(", ", values!));
        }
    }

    private JsonObject? Part(JsonObject parent, string name, string place, bool isRequired = false)
    {
        switch (parent[name])
        {
            case JsonObject part:
                return part;
            case JsonArray { Count: 0 }:
                var empty = new JsonObject();
                Replace(parent, name, empty);
                return empty;
            case null when !isRequired:
                Remove(parent, name);
                return null;
            case null:
                Fail(At(place, name), parent.ContainsKey(name) ? "is null" : "is missing");
                return null;
            default:
                Fail(At(place, name), "must be an object");
                return null;
        }
    }

    private JsonArray? List(JsonObject parent, string name, string place)
    {
        switch (parent[name])
        {
            case JsonArray list:
                return list;
            case JsonObject { Count: 0 }:
                var empty = new JsonArray();
                Replace(parent, name, empty);
                return empty;
            case null:
                Remove(parent, name);
                return null;
            default:
                Fail(At(place, name), "must be an array");
                return null;
        }
    }

    private void Remove(JsonObject parent, string name) => IsMended |= parent.Remove(name);

    private void Replace(JsonObject parent, string name, JsonNode value)
    {
        parent[name] = value;
        IsMended = true;
    }

    private void Fail(string path, string problem) => Fault ??= ItemFault.OfMember(path, problem);

    private static string At(string place, string name) => place.Length == 0 ? name : place + "." + name;

    private static bool IsText(JsonNode? node) => node?.GetValueKind() == JsonValueKind.String;

    /// <summary>As the TypeScript SDK wants it: whole, with an offset, and a day that is in the calendar.</summary>
    private static bool IsTime(string text) => Time().IsMatch(text)
        && DateTimeOffset.TryParse(Fraction().Replace(text, ""), CultureInfo.InvariantCulture, DateTimeStyles.None, out _);

    /// <summary>Go writes nine digits, and .NET reads seven.</summary>
    [GeneratedRegex(@"\.\d+", RegexOptions.ECMAScript, 1000)]
    private static partial Regex Fraction();

    [GeneratedRegex(
        @"\A\d{4}-\d{2}-\d{2}T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)\z", RegexOptions.ECMAScript, 1000)]
    private static partial Regex Time();

    [GeneratedRegex(@"\A[A-Za-z][A-Za-z0-9+.\-]*:", RegexOptions.ECMAScript, 1000)]
    private static partial Regex Scheme();
}
