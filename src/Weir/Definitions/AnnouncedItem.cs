using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Weir.Mcp;

namespace Weir.Definitions;

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
/// <param name="Shape">Whose lists it fits into.</param>
internal sealed record AnnouncedItem(string Kind, string Name, string Definition, byte[] Hash, string? Warning, ItemShape Shape)
{
    private const int MaxDefinitionBytes = 256 * 1024;
    private const int MaxShownName = 200;

    /// <summary>Enough of a definition that is too large to be kept.</summary>
    private const int MaxExcerpt = 4096;

    /// <summary>The client capabilities without which the server does not announce it; see <see cref="ClientAbilities"/>.</summary>
    public IReadOnlyList<string> Needs { get; init; } = [];

    /// <summary>Whether nobody may ever be shown it as it is, so that it takes no part in its name's history.</summary>
    public bool IsLeftOut => Shape.Eras.Count == 0 && Needs.Count == 0;

    /// <exception cref="JsonException">It is no good; the message says why, in words of ours, and the path which member.</exception>
    public static AnnouncedItem Read(ListedKind list, JsonElement definition)
    {
        try
        {
            var name = NameOf(list, definition);
            if (string.IsNullOrEmpty(name) || Encoding.UTF8.GetByteCount(name) > list.MaxNameBytes)
            {
                throw NoGood(list.NameMember, $"no {list.NameMember}, or one of more than {list.MaxNameBytes} bytes");
            }

            var text = definition.GetRawText();
            if (Encoding.UTF8.GetByteCount(text) > MaxDefinitionBytes)
            {
                throw NoGood(null, "more than 256 KiB");
            }

            if (list.Kind == ItemKinds.Tool && definition.TryGetProperty("inputSchema", out var schema)
                && ParamHeaders.Read(schema) is null)
            {
                throw NoGood("inputSchema", "an x-mcp-header that is not allowed");
            }

            var (hash, warning) = CanonicalDefinition.Of(definition);
            return list.Kind == ItemKinds.Resource && warning is not null
                ? throw NoGood(null, "hidden text, and a resource is approved by nobody")
                : new AnnouncedItem(list.Kind, name, text, hash, warning, ItemShape.Of(list.Kind, text));
        }
        catch (InvalidOperationException e)
        {
            throw new JsonException("half of a surrogate pair in a text", e);
        }
    }

    /// <summary>One that is no good, for the eyes of an admin only.</summary>
    public static AnnouncedItem LeftOut(ListedKind list, JsonElement definition, JsonException problem)
    {
        var path = problem.Path ?? "$";
        var text = definition.GetRawText();
        return new AnnouncedItem(
            list.Kind,
            ShownName(list, definition),
            Encoding.UTF8.GetByteCount(text) <= MaxDefinitionBytes ? text : Plain(text, MaxExcerpt),
            HashOf(definition, text),
            Warning: null,
            new ItemShape([], new ItemFault(ItemFault.Malformed, path, $"The {list.Kind} has {problem.Message}.")));
    }

    private static JsonException NoGood(string? path, string message) => new(message, path, lineNumber: null, bytePositionInLine: null);

    private static string? NameOf(ListedKind list, JsonElement definition) =>
        definition.ValueKind == JsonValueKind.Object && definition.TryGetProperty(list.NameMember, out var value)
            && value.ValueKind == JsonValueKind.String
                ? value.GetString() : null;

    private static string ShownName(ListedKind list, JsonElement definition)
    {
        try
        {
            return NameOf(list, definition) is { Length: > 0 } name ? Plain(name, MaxShownName) : "(no name)";
        }
        catch (InvalidOperationException)
        {
            return "(no name)";
        }
    }

    /// <summary>What PostgreSQL keeps of a text, at most so many characters.</summary>
    private static string Plain(string text, int length) =>
        string.Concat(text[..Math.Min(text.Length, length)].EnumerateRunes()).Replace('\0', '\uFFFD');

    /// <summary>The canonical hash where there is one, so that a time in <c>_meta</c> does not make another item of it.</summary>
    private static byte[] HashOf(JsonElement definition, string text)
    {
        try
        {
            return definition.ValueKind == JsonValueKind.Object
                ? CanonicalDefinition.Of(definition).Hash : SHA256.HashData(Encoding.UTF8.GetBytes(text));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return SHA256.HashData(Encoding.UTF8.GetBytes(text));
        }
    }
}
