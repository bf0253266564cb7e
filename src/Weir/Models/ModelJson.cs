using System.Globalization;
using System.Text;
using System.Text.Json;
using Weir.Configuration;

namespace Weir.Models;

/// <summary>Reads what a provider wrote, member by member, without trusting that any of them has the type that its API says.</summary>
internal static class ModelJson
{
    public static readonly JsonDocumentOptions Reading = new() { MaxDepth = JsonDepth.Message };

    public static readonly JsonSerializerOptions Writing = new(JsonSerializerDefaults.Web) { MaxDepth = JsonDepth.Wrapped };

    /// <summary>The member, or an undefined element where there is none.</summary>
    public static JsonElement Member(this JsonElement json, string name) =>
        json.ValueKind == JsonValueKind.Object && json.TryGetProperty(name, out var value) ? value : default;

    public static IEnumerable<JsonElement> Items(this JsonElement json) => json.ValueKind == JsonValueKind.Array
        ? json.EnumerateArray() : [];

    /// <summary>The text of a string; empty for anything else.</summary>
    public static string Text(this JsonElement json) => json.ValueKind == JsonValueKind.String ? Decode(json) : "";

    public static string Text(this JsonElement json, string name) => json.Member(name).Text();

    public static long? Count(this JsonElement json, string name) =>
        json.Member(name) is { ValueKind: JsonValueKind.Number } number && number.TryGetInt64(out var count) ? count : null;

    /// <summary>A character whose two halves come in two pieces is whole again when the pieces are put together.</summary>
    private static string Decode(JsonElement json)
    {
        try
        {
            return json.GetString()!;
        }
        catch (InvalidOperationException)
        {
            return Unescape(json.GetRawText().AsSpan()[1..^1]);
        }
    }

    private static string Unescape(ReadOnlySpan<char> raw)
    {
        var text = new StringBuilder(raw.Length);
        for (var i = 0; i < raw.Length; i++)
        {
            if (raw[i] != '\\')
            {
                text.Append(raw[i]);
                continue;
            }

            i++;
            if (raw[i] == 'u')
            {
                text.Append((char)ushort.Parse(raw.Slice(i + 1, 4), NumberStyles.HexNumber, CultureInfo.InvariantCulture));
                i += 4;
                continue;
            }

            text.Append(raw[i] switch { 'n' => '\n', 't' => '\t', 'r' => '\r', 'b' => '\b', 'f' => '\f', var other => other });
        }

        return text.ToString();
    }
}
