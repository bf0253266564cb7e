using System.Runtime.InteropServices;
using System.Text.Json;

namespace Weir.Gateway;

/// <summary>
/// Maps the URIs of a tool's result on <c>/mcp</c>: <c>weir://{instance}/</c> in front of <c>resource_link.uri</c> and
/// <c>resource.uri</c>, the original unescaped behind it. <c>ui://</c> is kept: hosts know it by its scheme.
/// </summary>
internal static class ResourceUris
{
    /// <summary>Most results hold no URI at all; those are passed on without being parsed again.</summary>
    public static bool MayHold(ReadOnlySpan<byte> result) => result.IndexOf("\"resource"u8) >= 0 || result.IndexOf("\\u"u8) >= 0;

    public static string Prefix(string instanceName) => $"weir://{instanceName}/";

    public static string Map(string instanceName, string uri) =>
        uri.StartsWith("ui://", StringComparison.OrdinalIgnoreCase) ? uri : Prefix(instanceName) + uri;

    /// <summary>Writes the result with its URIs mapped; every other token as it was.</summary>
    public static void WriteMapped(Utf8JsonWriter output, ReadOnlyMemory<byte> result, string instanceName)
    {
        using var document = JsonDocument.Parse(result, new JsonDocumentOptions { MaxDepth = 128 });
        output.WriteStartObject();
        foreach (var member in document.RootElement.EnumerateObject())
        {
            if (member.NameEquals("content"u8) && member.Value.ValueKind == JsonValueKind.Array)
            {
                output.WriteStartArray(member.Name);
                foreach (var block in member.Value.EnumerateArray())
                {
                    WriteBlock(output, block, instanceName);
                }

                output.WriteEndArray();
            }
            else
            {
                WriteRaw(output, member);
            }
        }

        output.WriteEndObject();
    }

    /// <summary>The bytes as they came: a string that is no text is not ours to judge.</summary>
    private static void WriteRaw(Utf8JsonWriter output, JsonProperty member)
    {
        output.WritePropertyName(member.Name);
        output.WriteRawValue(JsonMarshal.GetRawUtf8Value(member.Value), skipInputValidation: true);
    }

    private static void WriteBlock(Utf8JsonWriter output, JsonElement block, string instanceName)
    {
        if (block.ValueKind != JsonValueKind.Object || !block.TryGetProperty("type"u8, out var type) || type.ValueKind != JsonValueKind.String)
        {
            output.WriteRawValue(JsonMarshal.GetRawUtf8Value(block), skipInputValidation: true);
            return;
        }

        var isLink = type.ValueEquals("resource_link"u8);
        var isEmbedded = type.ValueEquals("resource"u8);
        output.WriteStartObject();
        foreach (var member in block.EnumerateObject())
        {
            if (isLink && member.NameEquals("uri"u8) && member.Value.ValueKind == JsonValueKind.String)
            {
                output.WriteString("uri"u8, Map(instanceName, member.Value.GetString() ?? ""));
            }
            else if (isEmbedded && member.NameEquals("resource"u8) && member.Value.ValueKind == JsonValueKind.Object)
            {
                output.WritePropertyName("resource"u8);
                WriteResource(output, member.Value, instanceName);
            }
            else
            {
                WriteRaw(output, member);
            }
        }

        output.WriteEndObject();
    }

    private static void WriteResource(Utf8JsonWriter output, JsonElement resource, string instanceName)
    {
        output.WriteStartObject();
        foreach (var member in resource.EnumerateObject())
        {
            if (member.NameEquals("uri"u8) && member.Value.ValueKind == JsonValueKind.String)
            {
                output.WriteString("uri"u8, Map(instanceName, member.Value.GetString() ?? ""));
            }
            else
            {
                WriteRaw(output, member);
            }
        }

        output.WriteEndObject();
    }
}
