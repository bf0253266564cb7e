using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Weir.Mcp;

namespace Weir.Definitions;

/// <summary>
/// The canonical form of a definition, whose hash an approval is bound to; docs/mcp.md has the rule. Walked once, and on the way
/// refused what could be read in two ways, and looked for what hides from people.
/// </summary>
internal sealed class CanonicalDefinition
{
    /// <summary>So much is told of what hides; one place is enough to wait for an admin.</summary>
    private const int MaxWarnings = 5;
    private const int MaxPlace = 80;

    /// <summary>What `jsonb` and every number type hold.</summary>
    private const int MaxNumberLength = 400;

    private readonly ArrayBufferWriter<byte> _output = new(1024);
    private readonly List<string> _warnings = [];
    private readonly Utf8JsonWriter _json;

    private CanonicalDefinition() => _json = new Utf8JsonWriter(_output);

    public static (byte[] Hash, string? Warning) Of(JsonElement definition)
    {
        var canonical = new CanonicalDefinition();
        using (canonical._json)
        {
            canonical.WriteObject(definition, "", isWhole: true);
        }

        return (
            SHA256.HashData(canonical._output.WrittenSpan), canonical._warnings.Count > 0 ? string.Join("; ", canonical._warnings) : null);
    }

    private void Write(JsonElement value, string place)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                WriteObject(value, place, isWhole: false);
                break;
            case JsonValueKind.Array:
                _json.WriteStartArray();
                foreach (var item in value.EnumerateArray())
                {
                    Write(item, place);
                }

                _json.WriteEndArray();
                break;
            case JsonValueKind.String:
                _json.WriteStringValue(Checked(value.GetString()!, place));
                break;
            case JsonValueKind.Number:
                _json.WriteRawValue(Number(value.GetRawText()));
                break;
            default:
                value.WriteTo(_json);
                break;
        }
    }

    /// <param name="isWhole">Of the definition itself what is decoration or passes along is left out, and no two members may be taken for
    /// one another.</param>
    private void WriteObject(JsonElement value, string place, bool isWhole)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        _json.WriteStartObject();
        foreach (var member in value.EnumerateObject().OrderBy(m => m.Name, StringComparer.Ordinal))
        {
            if (!names.Add(isWhole ? KeyFolding.Fold(member.Name) : member.Name))
            {
                throw new JsonException("two members of one name");
            }

            if (isWhole && member.Name is "_meta" or "icons")
            {
                continue;
            }

            _json.WritePropertyName(Checked(member.Name, place.Length == 0 ? "a member's name" : "a name in " + place));
            Write(member.Value, place.Length == 0 ? member.Name : Cut(place + "." + member.Name));
        }

        _json.WriteEndObject();
    }

    private string Checked(string text, string place)
    {
        if (text.Contains('\0'))
        {
            throw new JsonException("U+0000 in a text");
        }

        if (_warnings.Count < MaxWarnings && HiddenText.Find(text) is { } kind
            && !_warnings.Contains($"{kind} at {place}", StringComparer.Ordinal))
        {
            _warnings.Add($"{kind} at {place}");
        }

        return text;
    }

    /// <summary>A place is told to people: of a name that hides something nothing is repeated.</summary>
    private static string Cut(string place)
    {
        var cut = place.Length <= MaxPlace ? place : place[..MaxPlace];
        return HiddenText.Find(cut) is null && !char.IsHighSurrogate(cut[^1]) ? cut : "a hidden name";
    }

    /// <summary>The digits of a number without zeros at either end, and its power of ten: 1, 1.0 and 10e-1 are the same.</summary>
    private static string Number(string raw)
    {
        var e = raw.AsSpan().IndexOfAny('e', 'E');
        var mantissa = e < 0 ? raw : raw[..e];
        var exponent = 0;
        if (raw.Length > MaxNumberLength
            || (e >= 0 && !int.TryParse(raw.AsSpan(e + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out exponent))
            || exponent is > MaxNumberLength or < -MaxNumberLength)
        {
            throw new JsonException("a number out of range");
        }

        var isNegative = mantissa[0] == '-';
        var point = mantissa.IndexOf('.', StringComparison.Ordinal);
        var fraction = point < 0 ? 0 : mantissa.Length - point - 1;
        var digits = mantissa.Replace(".", "", StringComparison.Ordinal).TrimStart('-').TrimStart('0');
        var significant = digits.TrimEnd('0');
        return significant.Length == 0 ? "0" : string.Create(
            CultureInfo.InvariantCulture,
            $"{(isNegative ? "-" : "")}{significant}e{exponent - fraction + digits.Length - significant.Length}");
    }
}
