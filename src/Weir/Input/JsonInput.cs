using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Text.Unicode;

namespace Weir.Input;

/// <summary>How large a JSON text from outside may become once it is parsed.</summary>
/// <param name="Depth">Levels of nesting.</param>
/// <param name="Values">Objects, arrays, names and values together: each costs more memory than its bytes.</param>
/// <param name="ForPostgres">Whether PostgreSQL parses it again and refuses U+0000 and half pairs in values by codes that clients know.
/// Names are read here, and must not hold half pairs.</param>
/// <param name="AllowTwice">Whether a name may be there twice in one object; the last one counts.</param>
internal sealed record JsonBounds(int Depth, int Values, bool ForPostgres = false, bool AllowTwice = false)
{
    /// <summary>For the small messages of Weir's own endpoints.</summary>
    public static readonly JsonBounds Small = new(Depth: 16, Values: 1024);

    /// <summary>For what another service answers: it may repeat a name.</summary>
    public static readonly JsonBounds Answer = new(Depth: 64, Values: 2_000_000, AllowTwice: true);
}

/// <summary>
/// The one way from bytes that came from outside to JSON values. It is checked before anything is materialized, so that no later
/// <c>GetString</c> throws. A refusal is a result, not an exception.
/// </summary>
internal static class JsonInput
{
    private const int MaxQuoted = 64;

    /// <summary>False for what is refused; <paramref name="problem"/> then completes "The body …".</summary>
    public static bool TryParse(
        ReadOnlyMemory<byte> json, JsonBounds bounds, [NotNullWhen(true)] out JsonDocument? document, out string problem)
    {
        document = null;
        problem = Check(json.Span, bounds) ?? "";
        if (problem.Length > 0)
        {
            return false;
        }

        try
        {
            document =
                JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = bounds.Depth, AllowDuplicateProperties = bounds.AllowTwice });
            return true;
        }
        catch (JsonException)
        {
            problem = "names one thing twice in an object.";
            return false;
        }
    }

    /// <summary>The same as a value of a type. <c>null</c> is refused.</summary>
    public static bool TryRead<T>(
        ReadOnlyMemory<byte> json, JsonBounds bounds, JsonTypeInfo<T> type, [NotNullWhen(true)] out T? value, out string problem)
        where T : class
    {
        value = null;
        if (!TryParse(json, bounds, out var document, out problem))
        {
            return false;
        }

        using (document)
        {
            try
            {
                value = document.Deserialize(type);
                problem = value is null ? "is null." : "";
                return value is not null;
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or NotSupportedException
                or OverflowException)
            {
                // The exception's text would quote types of this program; its path names the member.
                problem = e is JsonException { Path: { Length: > 0 and <= 200 } path }
                    ? $"has a wrong value at {path}." : "has a member of a wrong type.";
                return false;
            }
        }
    }

    /// <summary>Null for JSON within the bounds; else what is wrong with it.</summary>
    public static string? Check(ReadOnlySpan<byte> json, JsonBounds bounds)
    {
        if (!Utf8.IsValid(json))
        {
            return "is not UTF-8.";
        }

        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = bounds.Depth });
        var values = 0;
        ReadOnlySpan<byte> member = default;
        try
        {
            while (reader.Read())
            {
                if (++values > bounds.Values)
                {
                    return $"holds more than {bounds.Values} values.";
                }

                var isName = reader.TokenType == JsonTokenType.PropertyName;
                var isText = isName || (reader.TokenType == JsonTokenType.String && !bounds.ForPostgres);
                if (isText && !JsonText.IsWhole(in reader, allowNull: bounds.ForPostgres))
                {
                    return "holds U+0000 or half of a surrogate pair in "
                        + $"{(isName || member.IsEmpty ? "a name or value" : Quoted(member))}.";
                }

                member = isName && reader.CurrentDepth == 1 ? reader.ValueSpan : member;
            }

            return null;
        }
        catch (JsonException)
        {
            return $"is not JSON, or is nested deeper than {bounds.Depth} levels.";
        }
    }

    /// <summary>The name of a member, as it is written, for an error.</summary>
    private static string Quoted(ReadOnlySpan<byte> name) =>
        name.Length <= MaxQuoted ? Encoding.UTF8.GetString(name) : $"a member whose name has more than {MaxQuoted} bytes";
}
