using System.Buffers;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Weir.Input;
using Weir.Mcp;

namespace Weir.Rest;

/// <summary>
/// Named arguments of a function: their names, and the JSON object that PostgreSQL takes them from, by the declared types.
/// </summary>
internal sealed partial record CallArguments(IReadOnlyList<string> Names, string Json)
{
    /// <summary>Of a person: PostgreSQL refuses U+0000 and half pairs by codes that clients know.</summary>
    private static readonly JsonBounds Known = new(RestLimits.BodyDepth, RestLimits.BodyValues, ForPostgres: true);

    /// <summary>Of anybody else they are refused here, because each refusal of PostgreSQL's is lines in its log.</summary>
    private static readonly JsonBounds Unknown = Known with { ForPostgres = false };

    /// <summary>From the body of a POST; an empty one has none.</summary>
    /// <param name="isKnown">Whether a person's token was verified.</param>
    public static CallArguments Parse(ReadOnlyMemory<byte> body, bool isKnown)
    {
        if (body.Length == 0)
        {
            return new CallArguments([], "{}");
        }

        if (!JsonInput.TryParse(body, isKnown ? Known : Unknown, out var document, out var problem))
        {
            throw RestErrors.Body("The body " + problem);
        }

        using (document)
        {
            if (document.RootElement.ValueKind != JsonValueKind.Object)
            {
                throw RestErrors.Body("The body must be one JSON object with the arguments by name.");
            }

            foreach (var argument in document.RootElement.EnumerateObject())
            {
                CheckNumbers(argument.Name, JsonMarshal.GetRawUtf8Value(argument.Value));
            }

            return new CallArguments([.. document.RootElement.EnumerateObject().Select(p => p.Name)], Encoding.UTF8.GetString(body.Span));
        }
    }

    /// <summary>From the query string of a GET: what has an argument's name is one, all else is about the rows.</summary>
    public static (CallArguments Arguments, IReadOnlyList<KeyValuePair<string, string>> Filters) Parse(
        IReadOnlyList<PublishedFunction> candidates, IReadOnlyList<KeyValuePair<string, string>> query, bool isKnown)
    {
        var known = candidates.SelectMany(f => f.Arguments).DistinctBy(a => a.Name, StringComparer.Ordinal)
            .ToDictionary(a => a.Name, StringComparer.Ordinal);
        var given = query.Where(p => known.ContainsKey(p.Key)).ToArray();
        if (given.GroupBy(p => p.Key, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1) is { } twice)
        {
            throw RestErrors.Parse("argument", twice.Key, $"{twice.Key} is there twice.");
        }

        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            foreach (var (name, value) in given)
            {
                writer.WritePropertyName(name);
                Write(writer, known[name], value, isKnown);
            }

            writer.WriteEndObject();
        }

        return (new CallArguments([.. given.Select(p => p.Key)], Encoding.UTF8.GetString(buffer.WrittenSpan)),
            [.. query.Where(p => !known.ContainsKey(p.Key))]);
    }

    /// <summary>
    /// Which of them cannot be what the function declares, once PostgreSQL has refused one of them without saying which. It decides
    /// nothing, so what it does not recognize it does not name.
    /// </summary>
    public string? Misfits(PublishedFunction function)
    {
        // It was parsed before, within the same bounds.
        using var document = JsonDocument.Parse(Json, new JsonDocumentOptions { MaxDepth = RestLimits.BodyDepth });
        var names = document.RootElement.EnumerateObject()
            .Where(p => function.Arguments.FirstOrDefault(a => a.Name == p.Name) is { } argument && !Fits(argument, p.Value))
            .Select(p => $"{p.Name} ({function.Arguments.First(a => a.Name == p.Name).Type})").ToArray();
        return names.Length == 0 ? null : $"It is about {string.Join(", ", names)}.";
    }

    private static bool Fits(PublishedColumn argument, JsonElement value)
    {
        if (value.ValueKind == JsonValueKind.Null)
        {
            return true;
        }

        // As it is written, and so with U+0000 and half a surrogate pair as the escapes that JSON has for them.
        var raw = value.GetRawText();
        if (raw.Contains("\\u0000", StringComparison.OrdinalIgnoreCase) || HalfPair().IsMatch(raw))
        {
            return false;
        }

        var text = value.ValueKind == JsonValueKind.String ? value.GetString()! : raw;
        return argument.Type switch
        {
            "json" or "jsonb" => true,
            "text[]" when value.ValueKind == JsonValueKind.Array => value.EnumerateArray().All(e => e.ValueKind != JsonValueKind.Array),
            // An object looks like the text of an array, {}, and is none.
            [.., '[', ']'] when value.ValueKind == JsonValueKind.Object => false,
            var type => ValueForms.Fits(type, text),
        };
    }

    [GeneratedRegex(@"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]",
        RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, 1000)]
    private static partial Regex HalfPair();

    private static void CheckNumbers(string argument, ReadOnlySpan<byte> json)
    {
        if (!NumberBounds.ContainAllOf(json))
        {
            throw RestErrors.Number(argument);
        }
    }

    /// <summary>Text, which PostgreSQL reads by the argument's type; where that is JSON, the JSON itself.</summary>
    private static void Write(Utf8JsonWriter writer, PublishedColumn argument, string value, bool isKnown)
    {
        if (!isKnown && value.Contains('\0'))
        {
            throw RestErrors.NullByte();
        }

        if (!argument.IsJson)
        {
            writer.WriteStringValue(value);
            return;
        }

        if (!JsonInput.TryParse(Encoding.UTF8.GetBytes(value), isKnown ? Known : Unknown, out var document, out var problem))
        {
            throw RestErrors.Parse("argument", argument.Name, $"The value of {argument.Name} {problem}");
        }

        using (document)
        {
            CheckNumbers(argument.Name, Encoding.UTF8.GetBytes(value));
            document.RootElement.WriteTo(writer);
        }
    }
}
