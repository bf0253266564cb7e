using System.Text.Json;

namespace Weir.Chat.Offline;

/// <summary>What was found for a tool's arguments.</summary>
/// <param name="Values">Ready to be sent.</param>
/// <param name="Missing">Required, and nowhere to be found.</param>
/// <param name="Guessed">A relative path of the message, for want of a directory that it could be below.</param>
internal sealed record FoundArguments(IReadOnlyDictionary<string, object?> Values, IReadOnlyList<MissingArgument> Missing, bool Guessed)
{
    public bool IsComplete => Missing.Count == 0;
}

/// <param name="Options">What earlier results offer, where that is more than one and the message does not say which.</param>
internal sealed record MissingArgument(Parameter Parameter, IReadOnlyList<string> Options);

/// <summary>
/// Takes required arguments from the message, from the schema's default or enum, or from earlier results of the same server; an
/// optional one only where the message names it. Never makes one up.
/// </summary>
internal sealed class ArgumentFinder
{
    private static readonly string[] FreeTextWords =
        ["message", "text", "query", "q", "question", "search", "term", "input", "prompt", "phrase", "keyword", "topic"];

    private readonly OfflineTool _tool;
    private readonly string _message;
    private readonly IReadOnlyList<string> _results;
    private readonly Queue<string> _quoted;
    private readonly Queue<double> _numbers;
    private bool _guessed;

    private ArgumentFinder(OfflineTool tool, string message, IReadOnlyList<string> results)
    {
        _tool = tool;
        _message = message;
        _results = results;
        _quoted = new Queue<string>(Values.Quoted(message));
        _numbers = new Queue<double>(Values.Numbers(message));
    }

    /// <param name="results">Texts of earlier results of the tool's own server.</param>
    public static FoundArguments Find(OfflineTool tool, string message, IReadOnlyList<string> results) =>
        new ArgumentFinder(tool, message, results).Find();

    private FoundArguments Find()
    {
        var values = new Dictionary<string, object?>(StringComparer.Ordinal);
        List<MissingArgument> missing = [];
        foreach (var parameter in _tool.Parameters)
        {
            if (FromName(parameter) is { } named)
            {
                values[parameter.Name] = named;
            }
            else if (parameter.Required)
            {
                if ((FromMessage(parameter) ?? FromSchema(parameter) ?? FromResults(parameter)) is { } value)
                {
                    values[parameter.Name] = value;
                }
                else
                {
                    missing.Add(new MissingArgument(parameter, Candidates.For(parameter, _results)));
                }
            }
        }

        return new FoundArguments(values, missing, _guessed);
    }

    /// <summary><c>pattern=*.csv</c>, <c>count: 3</c>.</summary>
    private object? FromName(Parameter parameter) => Values.Named(_message, parameter.Name) is { } text ? Convert(parameter, text) : null;

    private object? FromMessage(Parameter parameter)
    {
        if (Enumeration(parameter) is { Count: > 0 } values)
        {
            var said = Words.Of(_message);
            return values.Where(v => v.ValueKind == JsonValueKind.String)
                .Where(v => Words.Of(v.GetString()!) is { Count: > 0 } words && words.All(w => said.Contains(w, StringComparer.Ordinal)))
                .OrderByDescending(v => v.GetString()!.Length).Select(v => (object?)v).FirstOrDefault();
        }

        return parameter.Type switch
        {
            "number" or "integer" => NextNumber(parameter),
            "array" => FromMessageAsList(parameter),
            "string" or "" => FromMessageAsText(parameter),
            _ => null,
        };
    }

    private object? FromMessageAsText(Parameter parameter)
    {
        if (Candidates.IsPath(parameter))
        {
            return Values.Paths(_message) is [var path, ..] ? Place(parameter, path) : null;
        }

        if (Candidates.IsUrl(parameter))
        {
            return Values.Urls(_message) is [var url, ..] ? url : null;
        }

        var words = Words.Of(parameter.Name);
        if (words.Any(w => w is "pattern" or "glob") && Values.Patterns(_message) is [var pattern, ..])
        {
            return pattern;
        }

        return _quoted.TryDequeue(out var quoted) ? quoted
            : words.Intersect(FreeTextWords, StringComparer.Ordinal).Any() ? RestOfMessage()
            : null;
    }

    private string[]? FromMessageAsList(Parameter parameter)
    {
        string[] values = Candidates.IsPath(parameter)
            ? [.. Values.Paths(_message).Select(p => Place(parameter, p)).OfType<string>()]
            : [.. _quoted];
        return values.Length > 0 ? values : null;
    }

    /// <summary>
    /// A relative path is put below the directory that an earlier result named; two directories, and the message must say which.
    /// </summary>
    private string? Place(Parameter parameter, string path)
    {
        if (path.StartsWith('/'))
        {
            return path;
        }

        var known = Candidates.For(parameter with { Schema = default, Name = "path" }, _results);
        if (known.FirstOrDefault(k => k.EndsWith("/" + path, StringComparison.Ordinal)) is { } whole)
        {
            return whole;
        }

        if (known.Count > 0)
        {
            return Candidates.Choose(known, _message) is { } directory ? $"{directory.TrimEnd('/')}/{path}" : null;
        }

        _guessed = true;
        return path;
    }

    private object? NextNumber(Parameter parameter)
    {
        while (_numbers.TryDequeue(out var number))
        {
            if (Fits(parameter, number))
            {
                return AsNumber(number);
            }
        }

        return null;
    }

    /// <summary>What follows the words that named the tool: "echo hello world".</summary>
    private string? RestOfMessage()
    {
        var name = Words.Of(_tool.Tool);
        var tokens = _message.Split([' ', '\t', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var last = Array.FindLastIndex(tokens, t => Words.Of(t).Intersect(name, StringComparer.Ordinal).Any());
        string[] rest = last < 0
            ? []
            : [.. tokens.Skip(last + 1)
                .SkipWhile(t => t.TrimEnd(':') is "" or "for" or "about" or "on" or "of" or "that" or "to" or "the")];
        return rest.Length > 0 ? string.Join(' ', rest) : null;
    }

    private static object? FromSchema(Parameter parameter)
    {
        if (parameter.Schema.ValueKind != JsonValueKind.Object)
        {
            return null;
        }

        if (parameter.Schema.TryGetProperty("default", out var value) && value.ValueKind != JsonValueKind.Null)
        {
            return value;
        }

        return parameter.Schema.TryGetProperty("const", out var constant) ? constant : Enumeration(parameter) is [var only] ? only : null;
    }

    private object? FromResults(Parameter parameter) =>
        parameter.Type is "array" or "object" or "boolean" ? null
        : Candidates.Choose(Candidates.For(parameter, _results), _message) is { } value ? Convert(parameter, value)
        : null;

    private static object? Convert(Parameter parameter, string text) => parameter.Type switch
    {
        "number" or "integer" =>
            double.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, out var number) && Fits(parameter, number)
                ? AsNumber(number) : null,
        "boolean" => text.ToLowerInvariant() switch
        {
            "true" or "yes" => true,
            "false" or "no" => false,
            _ => null,
        },
        "array" => text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries),
        "object" => null,
        _ => Enumeration(parameter) is { Count: > 0 } values && !values.Any(v => v.ToString() == text) ? null : text,
    };

    private static IReadOnlyList<JsonElement> Enumeration(Parameter parameter) =>
        parameter.Schema.ValueKind == JsonValueKind.Object && parameter.Schema.TryGetProperty("enum", out var values)
            && values.ValueKind == JsonValueKind.Array
            ? [.. values.EnumerateArray()]
            : [];

    private static bool Fits(Parameter parameter, double number) =>
        double.IsFinite(number)
        && (parameter.Type != "integer" || double.IsInteger(number))
        && (Bound(parameter, "minimum") is not { } low || number >= low)
        && (Bound(parameter, "maximum") is not { } high || number <= high);

    private static double? Bound(Parameter parameter, string name) =>
        parameter.Schema.TryGetProperty(name, out var bound) && bound.ValueKind == JsonValueKind.Number ? bound.GetDouble() : null;

    /// <summary>A whole number is written as one.</summary>
    private static object AsNumber(double number) => double.IsInteger(number) && Math.Abs(number) < 1e15 ? (long)number : number;
}
