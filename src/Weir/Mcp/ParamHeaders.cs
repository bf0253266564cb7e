using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Weir.Configuration;

namespace Weir.Mcp;

/// <summary>One argument that a modern request repeats in a header.</summary>
/// <param name="Path">The members that lead to it from <c>arguments</c>.</param>
/// <param name="Name">The header: <c>Mcp-Param-{x-mcp-header}</c>.</param>
internal sealed record ParamHeader(string[] Path, string Name);

/// <summary>
/// The arguments of a tool that its schema marks with <c>x-mcp-header</c>: servers route by them without reading the body.
/// </summary>
internal static class ParamHeaders
{
    private const string Annotation = "x-mcp-header";
    private const string Prefix = "Mcp-Param-";

    /// <summary>Deepest argument that may have a header. Annotations below it are not read; the message is read to its own limit.</summary>
    private const int MaxPath = 16;

    private static readonly SearchValues<char> TokenCharacters =
        SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    public static readonly IReadOnlyList<ParamHeader> None = [];

    /// <summary>
    /// The annotations of a schema; null where one is not allowed (an empty, odd or repeated name, or a value that is no text,
    /// integer or boolean).
    /// </summary>
    public static IReadOnlyList<ParamHeader>? Read(JsonElement inputSchema)
    {
        var found = new List<ParamHeader>();
        return TryCollect(inputSchema, [], found) && found.DistinctBy(h => h.Name, StringComparer.OrdinalIgnoreCase).Count() == found.Count
            ? found : null;
    }

    /// <summary>The headers of a request with these arguments: only those that are there have one.</summary>
    public static IEnumerable<(string Name, string Value)> Make(IReadOnlyList<ParamHeader> headers, ReadOnlyMemory<byte> arguments)
    {
        if (headers.Count == 0 || arguments.IsEmpty)
        {
            yield break;
        }

        using var document = JsonDocument.Parse(arguments, new JsonDocumentOptions { MaxDepth = JsonDepth.Message });
        foreach (var header in headers)
        {
            if (ValueOf(document.RootElement, header) is { } value)
            {
                yield return (header.Name, HeaderValues.Encode(value));
            }
        }
    }

    /// <summary>The first header that is missing, too much, or says something else than the arguments; null: all is in order.</summary>
    /// <param name="given">The request's header of a name; null where it has none.</param>
    public static string? Mismatch(IReadOnlyList<ParamHeader> headers, ReadOnlyMemory<byte> arguments, Func<string, string?> given)
    {
        if (headers.Count == 0)
        {
            return null;
        }

        using var document =
            JsonDocument.Parse(arguments.IsEmpty ? "{}"u8.ToArray() : arguments, new JsonDocumentOptions { MaxDepth = JsonDepth.Message });
        return headers.FirstOrDefault(h => !Agrees(ValueOf(document.RootElement, h), given(h.Name)))?.Name;
    }

    private static bool Agrees(string? value, string? header)
    {
        if (value is null || header is null)
        {
            return value is null && header is null;
        }

        return header.All(c => c is '\t' or (>= ' ' and <= '~'))
            && HeaderValues.Decode(header) is { } decoded
            && (string.Equals(decoded, value, StringComparison.Ordinal)
                || (long.TryParse(decoded, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var one)
                    && long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var other)
                    && one == other));
    }

    private static string? ValueOf(JsonElement arguments, ParamHeader header)
    {
        var value = arguments;
        foreach (var member in header.Path)
        {
            if (value.ValueKind != JsonValueKind.Object || !value.TryGetProperty(member, out value))
            {
                return null;
            }
        }

        return value.ValueKind switch
        {
            JsonValueKind.String => value.GetString(),
            JsonValueKind.True => "true",
            JsonValueKind.False => "false",
            JsonValueKind.Number =>
                value.TryGetInt64(out var integer) ? integer.ToString(CultureInfo.InvariantCulture) : value.GetRawText(),
            _ => null,
        };
    }

    private static bool TryCollect(JsonElement schema, string[] path, List<ParamHeader> found)
    {
        if (schema.ValueKind != JsonValueKind.Object || path.Length > MaxPath)
        {
            return true;
        }

        if (path.Length > 0 && schema.TryGetProperty(Annotation, out var annotation))
        {
            if (annotation.ValueKind != JsonValueKind.String || annotation.GetString() is not { Length: > 0 and <= 64 } name
                || name.AsSpan().ContainsAnyExcept(TokenCharacters) || !IsPlain(schema))
            {
                return false;
            }

            found.Add(new ParamHeader(path, Prefix + name));
        }

        return !schema.TryGetProperty("properties", out var properties)
            || properties.ValueKind != JsonValueKind.Object
            || properties.EnumerateObject().All(p => TryCollect(p.Value, [.. path, p.Name], found));
    }

    private static bool IsPlain(JsonElement schema) =>
        schema.TryGetProperty("type", out var type) && type.ValueKind == JsonValueKind.String
            && type.GetString() is ("string" or "integer" or "boolean");
}
