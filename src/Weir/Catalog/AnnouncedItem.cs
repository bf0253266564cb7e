using System.Buffers;
using System.Security.Cryptography;
using System.Text.Json;

namespace Weir.Catalog;

/// <summary>The kinds of what servers announce, as the database spells them.</summary>
internal static class ItemKinds
{
    public const string Tool = "tool";
    public const string Prompt = "prompt";
    public const string Template = "template";
    public const string Resource = "resource";

    /// <summary>The member of a definition that names it.</summary>
    public static string NameMember(string kind) => kind switch
    {
        Template => "uriTemplate",
        Resource => "uri",
        _ => "name",
    };
}

/// <summary>A tool, prompt or template as its server announced it.</summary>
/// <param name="Definition">The server's own bytes, as text.</param>
/// <param name="Hash">SHA-256 over the canonical form: members sorted by name, no white space. What an approval is bound to.</param>
internal sealed record AnnouncedItem(string Kind, string Name, string Definition, byte[] Hash)
{
    public static AnnouncedItem Read(string kind, string nameMember, JsonElement definition)
    {
        var name = definition.ValueKind == JsonValueKind.Object && definition.TryGetProperty(nameMember, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        return string.IsNullOrEmpty(name) || name.Length > 256
            ? throw new JsonException($"A {kind} without a {nameMember}.")
            : new AnnouncedItem(kind, name, definition.GetRawText(), SHA256.HashData(Canonical(definition)));
    }

    private static ReadOnlySpan<byte> Canonical(JsonElement definition)
    {
        var output = new ArrayBufferWriter<byte>(1024);
        using (var json = new Utf8JsonWriter(output))
        {
            WriteCanonical(json, definition);
        }

        return output.WrittenSpan;
    }

    private static void WriteCanonical(Utf8JsonWriter json, JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                json.WriteStartObject();
                foreach (var member in value.EnumerateObject().OrderBy(m => m.Name, StringComparer.Ordinal))
                {
                    json.WritePropertyName(member.Name);
                    WriteCanonical(json, member.Value);
                }

                json.WriteEndObject();
                break;
            case JsonValueKind.Array:
                json.WriteStartArray();
                foreach (var item in value.EnumerateArray())
                {
                    WriteCanonical(json, item);
                }

                json.WriteEndArray();
                break;
            default:
                value.WriteTo(json);
                break;
        }
    }
}
