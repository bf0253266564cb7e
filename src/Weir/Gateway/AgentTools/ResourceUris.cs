using System.Runtime.InteropServices;
using System.Text.Json;
using Weir.Configuration;
using Weir.Mcp;

namespace Weir.Gateway.AgentTools;

/// <summary>
/// Maps URIs between a server and <c>/mcp</c>, where several servers may have the same: <c>weir://{instance}/</c> stands in front of
/// the original, unescaped. Addresses of user interfaces keep their scheme, by which hosts know them, and get the server as their
/// host: <c>ui://x</c> becomes <c>ui://{instance}/x</c>. See docs/decisions/0016-addresses-of-user-interfaces-name-their-server.md.
/// </summary>
internal static class ResourceUris
{

    private const string Scheme = "weir://";
    private const string UiScheme = "ui://";

    /// <summary>Most results hold no URI at all; those are passed on without being parsed again.</summary>
    public static bool MayHold(ReadOnlySpan<byte> result, string method) =>
        method == Methods.ResourcesRead || result.IndexOf("\"resource"u8) >= 0 || result.IndexOf("\\u"u8) >= 0
            || result.IndexOf("ui:"u8) >= 0;

    public static bool IsUi(string uri) => uri.StartsWith(UiScheme, StringComparison.OrdinalIgnoreCase);

    /// <summary>
    /// Whether a member of a tool's or result's <c>_meta</c> holds the address of a user interface: <c>ui.resourceUri</c>, and the flat
    /// keys that hosts used before it.
    /// </summary>
    /// <param name="isUi">Whether the member is one of <c>_meta.ui</c>.</param>
    public static bool IsAddress(string? member, bool isUi) => isUi
        ? member == "resourceUri" : member is "ui/resourceUri" or "openai/outputTemplate";

    public static string Map(string instanceName, string uri) =>
        IsUi(uri) ? $"{uri[..UiScheme.Length]}{instanceName}/{uri[UiScheme.Length..]}" : $"{Scheme}{instanceName}/{uri}";

    /// <summary>The server and its own URI behind one of <c>/mcp</c>'s; null where it names no server of the agent's.</summary>
    public static CallTarget? Split(AgentToolSet tools, string exposed)
    {
        var isUi = IsUi(exposed);
        var start = isUi ? UiScheme.Length : Scheme.Length;
        var end = isUi || exposed.StartsWith(Scheme, StringComparison.Ordinal) ? exposed.IndexOf('/', start) : -1;
        if (end < 0 || (end == exposed.Length - 1 && !isUi))
        {
            return null;
        }

        var name = exposed[start..end];
        var own = exposed[(end + 1)..];
        return tools.Instances.FirstOrDefault(i => string.Equals(i.Name, name, StringComparison.Ordinal)) is { } instance
            ? new CallTarget(instance.Id, instance.Name, isUi ? exposed[..start] + own : own)
            : null;
    }

    /// <summary>Writes the result with its URIs mapped; every other token as it was.</summary>
    /// <param name="method">What was asked: where URIs stand depends on it.</param>
    public static void WriteMapped(Utf8JsonWriter output, ReadOnlyMemory<byte> result, string instanceName, string method)
    {
        using var document = JsonDocument.Parse(result, new JsonDocumentOptions { MaxDepth = JsonDepth.Message });
        output.WriteStartObject();
        foreach (var member in document.RootElement.EnumerateObject())
        {
            if (member.NameEquals("_meta"u8) && member.Value.ValueKind == JsonValueKind.Object)
            {
                WriteMeta(output, member, instanceName, isUi: false);
                continue;
            }

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

    private static void WriteMeta(Utf8JsonWriter output, JsonProperty meta, string instanceName, bool isUi)
    {
        output.WriteStartObject(meta.Name);
        foreach (var member in meta.Value.EnumerateObject())
        {
            if (!isUi && member.NameEquals("ui"u8) && member.Value.ValueKind == JsonValueKind.Object)
            {
                WriteMeta(output, member, instanceName, isUi: true);
            }
            else if (IsAddress(member.Name, isUi) && member.Value.ValueKind == JsonValueKind.String && member.Value.GetString() is { } uri
                && IsUi(uri))
            {
                output.WriteString(member.Name, Map(instanceName, uri));
            }
            else
            {
                WriteRaw(output, member);
            }
        }

        output.WriteEndObject();
    }

    private static void WriteBlock(Utf8JsonWriter output, JsonElement block, string instanceName)
    {
        if (block.ValueKind != JsonValueKind.Object || !block.TryGetProperty("type"u8, out var type)
            || type.ValueKind != JsonValueKind.String)
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
