using System.Buffers;
using System.Text;
using System.Text.Json;
using Weir.Configuration;

namespace Weir.Mcp;

/// <summary>
/// What a client offers to servers, in one spelling, so that two clients that offer the same share a server's session: only
/// what Weir relays (elicitation, sampling, roots without their changes, extensions without tasks), members sorted.
/// </summary>
/// <param name="Json">A JSON object; <c>{}</c> offers nothing.</param>
internal sealed record ClientCapabilities(string Json)
{
    /// <summary>More than this is not kept: a session's id carries it in a header.</summary>
    private const int MaxLength = 2048;

    private static readonly string[] Relayed = ["elicitation", "extensions", "roots", "sampling"];

    public static readonly ClientCapabilities None = new("{}");

    public bool AreNone => Json.Length == 2;

    public byte[] Utf8 { get; } = Encoding.UTF8.GetBytes(Json);

    /// <summary>Reads what a client declared; what is no object offers nothing.</summary>
    public static ClientCapabilities Read(ReadOnlySpan<byte> declared)
    {
        if (declared.IsEmpty)
        {
            return None;
        }

        var json = JsonElement.Parse(declared, new JsonDocumentOptions { MaxDepth = JsonDepth.Message });
        if (json.ValueKind != JsonValueKind.Object || declared.Length > MaxLength)
        {
            return None;
        }

        var output = new ArrayBufferWriter<byte>(declared.Length);
        using (var writer = new Utf8JsonWriter(output))
        {
            WriteSorted(writer, json, isTop: true);
        }

        return new ClientCapabilities(Encoding.UTF8.GetString(output.WrittenSpan));
    }

    /// <summary>Whether a server may send this request to the client.</summary>
    public bool Offers(string method)
    {
        var capability = method switch
        {
            Methods.Elicit => "elicitation",
            Methods.Sample => "sampling",
            Methods.ListRoots => "roots",
            _ => null,
        };
        return capability is not null && !AreNone
            && JsonElement.Parse(Utf8, new JsonDocumentOptions { MaxDepth = JsonDepth.Message }).TryGetProperty(capability, out _);
    }

    private static void WriteSorted(Utf8JsonWriter writer, JsonElement value, bool isTop)
    {
        writer.WriteStartObject();
        foreach (var member in value.EnumerateObject().OrderBy(m => m.Name, StringComparer.Ordinal))
        {
            if ((isTop && !Relayed.Contains(member.Name, StringComparer.Ordinal))
                || (isTop && member.Value.ValueKind != JsonValueKind.Object)
                || (isTop && member.Name == "extensions" && !member.Value.EnumerateObject().Any(IsRelayed))
                || (!isTop && !IsRelayed(member)))
            {
                continue;
            }

            writer.WritePropertyName(member.Name);
            if (member.Value.ValueKind == JsonValueKind.Object)
            {
                WriteSorted(writer, member.Value, isTop: false);
            }
            else
            {
                member.Value.WriteTo(writer);
            }
        }

        writer.WriteEndObject();
    }

    private static bool IsRelayed(JsonProperty member) => member.Name is not (Protocol.TasksExtension or "tasks" or "listChanged");
}
