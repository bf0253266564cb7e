using System.Text;
using System.Text.Json;
using Weir.Mcp;

namespace Weir.Catalog;

/// <summary>The kinds of what servers announce, as the database spells them.</summary>
internal static class ItemKinds
{
    public const string Tool = "tool";
    public const string Prompt = "prompt";
    public const string Template = "template";
    public const string Resource = "resource";
}

/// <summary>A tool, prompt, template or resource as its server announced it.</summary>
/// <param name="Name">Its name; of a template its URI template, of a resource its URI.</param>
/// <param name="Definition">The server's own bytes, as text.</param>
/// <param name="Hash">SHA-256 over the canonical form. What an approval is bound to.</param>
/// <param name="Warning">What in it hides from people, and where; null: nothing.</param>
internal sealed record AnnouncedItem(string Kind, string Name, string Definition, byte[] Hash, string? Warning)
{
    private const int MaxDefinitionBytes = 256 * 1024;

    /// <exception cref="JsonException">It is no good; the message says why, in words of ours.</exception>
    public static AnnouncedItem Read(ListedKind list, JsonElement definition)
    {
        try
        {
            var name = definition.ValueKind == JsonValueKind.Object && definition.TryGetProperty(list.NameMember, out var value)
                && value.ValueKind == JsonValueKind.String
                    ? value.GetString() : null;
            if (string.IsNullOrEmpty(name) || Encoding.UTF8.GetByteCount(name) > list.MaxNameBytes)
            {
                throw new JsonException($"no {list.NameMember}, or one of more than {list.MaxNameBytes} bytes");
            }

            var text = definition.GetRawText();
            if (Encoding.UTF8.GetByteCount(text) > MaxDefinitionBytes)
            {
                throw new JsonException("more than 256 KiB");
            }

            if (list.Kind == ItemKinds.Tool && definition.TryGetProperty("inputSchema", out var schema) && ParamHeaders.Read(schema) is null)
            {
                throw new JsonException("an x-mcp-header that is not allowed");
            }

            var (hash, warning) = CanonicalDefinition.Of(definition);
            return list.Kind == ItemKinds.Resource && warning is not null
                ? throw new JsonException("hidden text, and a resource is approved by nobody")
                : new AnnouncedItem(list.Kind, name, text, hash, warning);
        }
        catch (InvalidOperationException e)
        {
            throw new JsonException("half of a surrogate pair in a text", e);
        }
    }
}
