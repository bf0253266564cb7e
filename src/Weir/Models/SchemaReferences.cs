using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Weir.Models;

/// <summary>
/// The references of one schema. Wherever one leads, its target is written once among the definitions, under a name that every provider
/// takes; one that leads to nothing, out of the document, or only back to itself is none.
/// </summary>
internal sealed partial class SchemaReferences(JsonElement root)
{
    private const int MaxLength = 1000;

    private readonly Dictionary<string, string> _names = new(StringComparer.Ordinal);
    private readonly Dictionary<string, bool?> _circular = new(StringComparer.Ordinal);
    private readonly Queue<(string Name, JsonElement Target)> _unwritten = new();

    /// <summary>The name of the definition to which a schema refers; null where it refers to none.</summary>
    public string? NameOf(JsonElement schema)
    {
        var reference = schema.Text("$ref");
        if (reference.Length == 0 || Resolve(reference) is not { } target || IsCircular(reference))
        {
            return null;
        }

        if (!_names.TryGetValue(reference, out var name))
        {
            name = reference[(reference.LastIndexOf('/') + 1)..];
            if (!Name().IsMatch(name) || _names.ContainsValue(name))
            {
                name = string.Create(CultureInfo.InvariantCulture, $"definition-{_names.Count + 1}");
            }

            _names.Add(reference, name);
            _unwritten.Enqueue((name, target));
        }

        return name;
    }

    /// <summary>A definition that is referred to and not yet written; writing it may add others.</summary>
    public bool TryNext(out string name, out JsonElement target)
    {
        var isThere = _unwritten.TryDequeue(out var next);
        (name, target) = next;
        return isThere;
    }

    /// <summary>The schema itself, or what it stands for if it only refers to another.</summary>
    public JsonElement Follow(JsonElement schema)
    {
        for (var i = 0; i < 8 && schema.Member("properties").ValueKind != JsonValueKind.Object; i++)
        {
            if (Resolve(schema.Text("$ref")) is not { } target)
            {
                break;
            }

            schema = target;
        }

        return schema;
    }

    private JsonElement? Resolve(string reference)
    {
        if (reference.Length is 0 or > MaxLength || reference[0] != '#' || (reference.Length > 1 && reference[1] != '/'))
        {
            return null;
        }

        var target = root;
        foreach (var part in reference.Split('/').Skip(1))
        {
            var member = Uri.UnescapeDataString(part).Replace("~1", "/", StringComparison.Ordinal)
                .Replace("~0", "~", StringComparison.Ordinal);
            target = target.ValueKind == JsonValueKind.Array
                ? int.TryParse(member, NumberStyles.None, CultureInfo.InvariantCulture, out var at)
                    ? target.Items().ElementAtOrDefault(at) : default
                : target.Member(member);
        }

        return target.ValueKind == JsonValueKind.Object ? target : null;
    }

    /// <summary>Whether a reference comes back to itself without a value between: a validator would follow it forever.</summary>
    private bool IsCircular(string reference)
    {
        if (_circular.TryGetValue(reference, out var known))
        {
            // Still being looked at: that is the circle.
            return known ?? true;
        }

        _circular[reference] = null;
        var isCircular = Resolve(reference) is { } target && LeadsToCircle(target);
        _circular[reference] = isCircular;
        return isCircular;
    }

    private bool LeadsToCircle(JsonElement schema)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        return (schema.Text("$ref") is { Length: > 0 } reference && IsCircular(reference))
            || ToolSchema.Alternatives.SelectMany(k => schema.Member(k).Items()).Any(LeadsToCircle);
    }

    [GeneratedRegex(@"^[a-zA-Z0-9_.-]{1,64}\z", RegexOptions.None, 1000)]
    private static partial Regex Name();
}
