using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Weir.Configuration;

/// <summary>One key as the program reads it; <c>deploy/weir.reference.json</c> has a row for each, which a test compares.</summary>
internal sealed record ConfigKey(string Name, string Variable, object? Default);

/// <summary>
/// Reads typed values by key: a <c>WEIR_*</c> variable wins over <c>weir.json</c>, which wins over the default in code.
/// A bad value is noted and the default taken, so that one start reports every error.
/// </summary>
internal sealed class ConfigReader(JsonElement file, IReadOnlyDictionary<string, string> environment)
{
    private readonly List<ConfigKey> _keys = [];
    private static readonly JsonDocumentOptions Lenient = new() { AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip };

    private readonly List<string> _errors = [];
    private readonly List<string> _objects = [];

    public IReadOnlyList<ConfigKey> Keys => _keys;

    public IReadOnlyList<string> Errors => _errors;

    public void AddError(string key, string problem) => _errors.Add($"{Describe(key)}: {problem}");

    public string? Text(string key, string? @default, string? variable = null) => Read(key, @default, variable, static text => text);

    public bool Flag(string key, bool @default) => Read<bool?>(key, @default, null, text => text switch
    {
        "true" => true,
        "false" => false,
        _ => throw new FormatException($"\"{text}\" is neither true nor false."),
    })!.Value;

    public int Integer(string key, int @default, int min, int max) => Read<int?>(key, @default, null, text =>
        int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) && value >= min && value <= max
            ? value
            : throw new FormatException($"\"{text}\" is not a whole number between {min} and {max}."))!.Value;

    /// <summary>An absolute URL of one of the schemes.</summary>
    public Uri? Url(string key, Uri? @default, params string[] schemes) => Read(key, @default, null, text =>
        Uri.TryCreate(text, UriKind.Absolute, out var url) && schemes.Contains(url.Scheme)
            ? url
            : throw new FormatException($"\"{text}\" is not a URL of {string.Join(" or ", schemes)}."));

    /// <summary>A URL as PostgreSQL's own tools take it. The value is a secret and is never repeated in an error.</summary>
    public string? DatabaseUrl(string key, string variable) => Read(key, (string?)null, variable, text =>
    {
        _ = Configuration.DatabaseUrl.Parse(text);
        return text;
    });

    /// <summary>A JSON array of strings; in a variable the items are separated by commas.</summary>
    public IReadOnlyList<string> List(string key, IReadOnlyList<string> @default) => Read(key, @default, null, text =>
        (IReadOnlyList<string>)text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))!;

    /// <summary>A JSON object whose members the section itself reads and judges; in a variable it is JSON text.</summary>
    public JsonElement Object(string key)
    {
        _objects.Add(key + ".");
        return Read(key, JsonElement.Parse("{}"), null, text =>
        {
            try
            {
                var value = JsonDocument.Parse(text, Lenient).RootElement;
                return value.ValueKind == JsonValueKind.Object ? value : throw new FormatException("It wants a JSON object.");
            }
            catch (JsonException e)
            {
                throw new FormatException("It wants a JSON object.", e);
            }
        });
    }

    /// <summary>Notes what the file and the environment hold that nothing has read: a misspelt key must not be silent.</summary>
    public void RefuseUnknown(IReadOnlyList<string> foreignPrefixes)
    {
        var known = _keys.Select(k => k.Name).ToHashSet(StringComparer.Ordinal);
        _errors.AddRange(Leaves(file, "")
            .Where(leaf => !known.Contains(leaf) && !_objects.Exists(o => leaf.StartsWith(o, StringComparison.Ordinal)))
            .Select(leaf => $"{leaf}: there is no such key."));
        var variables = _keys.Select(k => k.Variable).ToHashSet(StringComparer.Ordinal);
        _errors.AddRange(environment.Keys
            .Where(name => name.StartsWith("WEIR_", StringComparison.Ordinal) && !variables.Contains(name))
            .Where(name => !foreignPrefixes.Any(prefix => name.StartsWith(prefix, StringComparison.Ordinal)))
            .Order(StringComparer.Ordinal)
            .Select(name => $"{name}: there is no such variable."));
    }

    private T? Read<T>(string key, T? @default, string? variable, Func<string, T> parse)
    {
        _keys.Add(new ConfigKey(key, variable ?? VariableOf(key), @default));
        try
        {
            return environment.GetValueOrDefault(_keys[^1].Variable) is { Length: > 0 } text ? parse(text)
                : Find(key) is { ValueKind: not JsonValueKind.Null } element
                    ? parse(@default is JsonElement ? element.GetRawText() : AsText(element, isList: @default is IReadOnlyList<string>))
                : @default;
        }
        catch (FormatException e)
        {
            AddError(key, e.Message);
            return @default;
        }
    }

    private JsonElement? Find(string key)
    {
        var element = file;
        foreach (var part in key.Split('.'))
        {
            if (element.ValueKind != JsonValueKind.Object || !element.TryGetProperty(part, out element))
            {
                return null;
            }
        }

        return element;
    }

    private static string AsText(JsonElement element, bool isList) => element.ValueKind switch
    {
        JsonValueKind.Array when isList && element.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String)
            => string.Join(',', element.EnumerateArray().Select(item => item.GetString())),
        JsonValueKind.String when !isList => element.GetString()!,
        JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False when !isList => element.GetRawText(),
        _ => throw new FormatException(isList ? "It wants an array of strings." : "It wants one value."),
    };

    private static IEnumerable<string> Leaves(JsonElement element, string path) => element.ValueKind == JsonValueKind.Object
        ? element.EnumerateObject().SelectMany(p => Leaves(p.Value, path.Length == 0 ? p.Name : $"{path}.{p.Name}"))
        : path.Length == 0 ? [] : [path];

    private string Describe(string key) => $"{key} ({_keys.FirstOrDefault(k => k.Name == key)?.Variable ?? VariableOf(key)})";

    /// <summary><c>mcp.maxBodyBytes</c> is <c>WEIR_MCP_MAX_BODY_BYTES</c>.</summary>
    private static string VariableOf(string key)
    {
        var name = new StringBuilder("WEIR_");
        foreach (var c in key)
        {
            _ = c == '.'
                ? name.Append('_') : char.IsAsciiLetterUpper(c) ? name.Append('_').Append(c) : name.Append(char.ToUpperInvariant(c));
        }

        return name.ToString();
    }
}
