using System.Buffers;
using System.Runtime.InteropServices;
using System.Text.Json;
using Weir.Mcp;

namespace Weir.Gateway.Names;

/// <summary>
/// Maps the URIs of results on <c>/mcp</c>: <c>weir://{instance}/</c> in front of <c>resource_link.uri</c>, <c>resource.uri</c> and
/// <c>contents[].uri</c>, the original unescaped behind it. <c>ui://</c> is kept: hosts know it by its scheme.
/// </summary>
internal static class ResourceUris
{
    private static readonly SearchValues<char> SchemeCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+.-");

    /// <summary>Most results hold no URI at all; those are passed on without being parsed again.</summary>
    public static bool MayHold(ReadOnlySpan<byte> result, string method) =>
        method == Methods.ResourcesRead || result.IndexOf("\"resource"u8) >= 0 || result.IndexOf("\\u"u8) >= 0;

    public static string Prefix(string instanceName) => $"weir://{instanceName}/";

    /// <summary>As <c>weir.is_uri</c>: it begins with a scheme.</summary>
    public static bool IsUri(string item)
    {
        var colon = item.IndexOf(':', StringComparison.Ordinal);
        return colon > 0 && char.IsAsciiLetter(item[0]) && item.AsSpan(0, colon).IndexOfAnyExcept(SchemeCharacters) < 0;
    }

    /// <summary>User interfaces: hosts know them by this scheme, so it is not hidden behind another.</summary>
    public static bool IsKept(string uri) => uri.StartsWith("ui://", StringComparison.OrdinalIgnoreCase);

    public static string Map(string instanceName, string uri) => IsKept(uri) ? uri : Prefix(instanceName) + uri;

    /// <summary>The server and its own URI behind one of <c>/mcp</c>'s; null where it names no server of the agent's.</summary>
    public static CallTarget? Split(AgentCatalog catalog, string exposed)
    {
        const string Scheme = "weir://";
        var end = exposed.StartsWith(Scheme, StringComparison.Ordinal) ? exposed.IndexOf('/', Scheme.Length) : -1;
        if (end < 0 || end == exposed.Length - 1)
        {
            return null;
        }

        var name = exposed[Scheme.Length..end];
        return catalog.Instances.FirstOrDefault(i => string.Equals(i.Name, name, StringComparison.Ordinal)) is { } instance
            ? new CallTarget(instance.Id, instance.Name, exposed[(end + 1)..])
            : null;
    }

    /// <summary>Writes the result with its URIs mapped; every other token as it was.</summary>
    /// <param name="method">What was asked: where URIs stand depends on it.</param>
    public static void WriteMapped(Utf8JsonWriter output, ReadOnlyMemory<byte> result, string instanceName, string method)
    {
        using var document = JsonDocument.Parse(result, new JsonDocumentOptions { MaxDepth = 128 });
        output.WriteStartObject();
        foreach (var member in document.RootElement.EnumerateObject())
        {
            if (member.Value.ValueKind != JsonValueKind.Array || !HoldsUris(method, member.Name))
            {
                WriteRaw(output, member);
                continue;
            }

            output.WriteStartArray(member.Name);
            foreach (var element in member.Value.EnumerateArray())
            {
                WriteElement(output, element, instanceName, method);
            }

            output.WriteEndArray();
        }

        output.WriteEndObject();
    }

    private static bool HoldsUris(string method, string member) => (method, member) is
        (Methods.ToolsCall, "content") or (Methods.PromptsGet, "messages") or (Methods.ResourcesRead, "contents");

    private static void WriteElement(Utf8JsonWriter output, JsonElement element, string instanceName, string method)
    {
        switch (method)
        {
            case Methods.ResourcesRead when element.ValueKind == JsonValueKind.Object:
                WriteResource(output, element, instanceName);
                break;
            case Methods.PromptsGet when element.ValueKind == JsonValueKind.Object:
                output.WriteStartObject();
                foreach (var member in element.EnumerateObject())
                {
                    if (member.NameEquals("content"u8))
                    {
                        output.WritePropertyName("content"u8);
                        WriteBlock(output, member.Value, instanceName);
                    }
                    else
                    {
                        WriteRaw(output, member);
                    }
                }

                output.WriteEndObject();
                break;
            default:
                WriteBlock(output, element, instanceName);
                break;
        }
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
