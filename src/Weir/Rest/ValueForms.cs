using System.Globalization;
using System.Text.Json;

namespace Weir.Rest;

/// <summary>
/// Whether a text can be a value of a type, once PostgreSQL has refused some value without saying which. It decides nothing; a type or form
/// that it does not know counts as fitting.
/// </summary>
internal static class ValueForms
{
    private static readonly string[] Booleans = [
        "t", "tr", "tru", "true", "f", "fa", "fal", "fals", "false", "y", "ye", "yes", "n", "no", "on", "of", "off", "1", "0",
    ];
    private static readonly string[] Times = ["now", "today", "tomorrow", "yesterday", "epoch", "infinity", "-infinity"];
    private static readonly string[] Numbers = ["nan", "infinity", "-infinity", "inf", "-inf"];

    /// <param name="type">As PostgreSQL writes it.</param>
    public static bool Fits(string type, string text)
    {
        var value = text.Trim();
        return type switch
        {
            _ when type.EndsWith("[]", StringComparison.Ordinal) => value.StartsWith('{') && value.EndsWith('}'),
            "uuid" => Guid.TryParse(value, out _),
            "smallint" => short.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _),
            "integer" => int.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _),
            "bigint" => long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _),
            "numeric" or "double precision" or "real" =>
                double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out _) || IsOneOf(Numbers, value),
            "boolean" => IsOneOf(Booleans, value),
            "date" or "timestamp with time zone" or "timestamp without time zone" =>
                IsOneOf(Times, value) || DateTimeOffset.TryParse(value, CultureInfo.InvariantCulture, DateTimeStyles.None, out _),
            "json" or "jsonb" => IsJson(value),
            _ => true,
        };
    }

    private static bool IsOneOf(string[] words, string value) => words.Contains(value, StringComparer.OrdinalIgnoreCase);

    private static bool IsJson(string value)
    {
        try
        {
            using var document = JsonDocument.Parse(value, new JsonDocumentOptions { MaxDepth = RestLimits.BodyDepth });
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
