using System.Text.Encodings.Web;
using System.Text.Json;

namespace Weir.Nodes;

/// <summary>
/// Takes the values of an instance's environment, and those of its configuration that are written only, out of the lines that it printed: whole, as
/// JSON and as a URL write them, and the beginning of one where a long line was cut.
/// </summary>
internal sealed class LogMask
{
    private const string Mask = "***";

    /// <summary>Shorter values are no secrets, and to mask each <c>1</c> would leave nothing to read.</summary>
    public const int ShortestValue = 4;

    /// <summary>A node cuts a line at 8 KiB, and may then leave part of a character away.</summary>
    private const int CutAt = (8 * 1024) - 4;

    private readonly string[] _values;

    private LogMask(IEnumerable<string> values) => _values =
        [.. values.SelectMany(Forms).Where(v => v.Length >= ShortestValue).Distinct(StringComparer.Ordinal).OrderByDescending(v => v.Length)];

    /// <param name="env">The templates of the catalog entry.</param>
    /// <param name="schema">Of the configuration; it says what of it is written only.</param>
    public static LogMask Of(JsonElement env, JsonElement configuration, JsonElement schema)
    {
        var values = new List<string>();
        CollectWriteOnly(configuration, schema, values);
        try
        {
            // What the node fills in is a path of its own, and no value of anybody's.
            values.AddRange(ServerTemplates.Env(env, configuration).Values.SelectMany(v => v.Split(NodeContract.InstanceDirPlaceholder)));
        }
        catch (TemplateException)
        {
            // It cannot be started with this configuration; an earlier one may have had any of these values.
            Collect(configuration, values);
        }

        return new LogMask(values);
    }

    public string Apply(string text)
    {
        foreach (var value in _values)
        {
            text = text.Replace(value, Mask, StringComparison.Ordinal);
        }

        return System.Text.Encoding.UTF8.GetByteCount(text) < CutAt ? text : WithoutBeginning(text);
    }

    /// <summary>Where the line was cut inside of a value, its beginning is left at the end.</summary>
    private string WithoutBeginning(string text)
    {
        var end = text.TrimEnd('…', '\uFFFD');
        foreach (var value in _values)
        {
            for (var length = Math.Min(value.Length - 1, end.Length); length >= ShortestValue; length--)
            {
                if (end.AsSpan(end.Length - length).SequenceEqual(value.AsSpan(0, length)))
                {
                    return end[..^length] + Mask;
                }
            }
        }

        return text;
    }

    /// <summary>At any depth, as the schema is checked and shown.</summary>
    private static void CollectWriteOnly(JsonElement value, JsonElement schema, List<string> values)
    {
        if (schema.ValueKind != JsonValueKind.Object)
        {
            return;
        }

        if (schema.TryGetProperty("writeOnly", out var writeOnly) && writeOnly.ValueKind == JsonValueKind.True)
        {
            Collect(value, values);
        }
        else if (value.ValueKind == JsonValueKind.Array && schema.TryGetProperty("items", out var items))
        {
            foreach (var item in value.EnumerateArray())
            {
                CollectWriteOnly(item, items, values);
            }
        }
        else if (value.ValueKind == JsonValueKind.Object && schema.TryGetProperty("properties", out var properties) && properties.ValueKind == JsonValueKind.Object)
        {
            foreach (var member in value.EnumerateObject())
            {
                if (properties.TryGetProperty(member.Name, out var property))
                {
                    CollectWriteOnly(member.Value, property, values);
                }
            }
        }
    }

    private static void Collect(JsonElement value, List<string> values)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.String:
                values.Add(value.GetString()!);
                break;
            case JsonValueKind.Number:
                values.Add(value.GetRawText());
                break;
            case JsonValueKind.Array:
                foreach (var item in value.EnumerateArray())
                {
                    Collect(item, values);
                }

                break;
            case JsonValueKind.Object:
                foreach (var member in value.EnumerateObject())
                {
                    Collect(member.Value, values);
                }

                break;
        }
    }

    /// <summary>The log has lines, so a value of several is looked for line by line.</summary>
    private static IEnumerable<string> Forms(string value) => value.Split('\n').Select(line => line.TrimEnd('\r')).Prepend(value).SelectMany(part => (string[])
    [
        part,
        JsonEncodedText.Encode(part, JavaScriptEncoder.Default).ToString(),
        JsonEncodedText.Encode(part, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).ToString(),
        Uri.EscapeDataString(part),
    ]);
}
