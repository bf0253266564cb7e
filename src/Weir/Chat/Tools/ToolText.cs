using System.Text;
using System.Text.Json;

namespace Weir.Chat.Tools;

/// <summary>The text of a tool's result, as a model can read it. What is no text is named, not copied.</summary>
internal static class ToolText
{
    /// <summary>Longest text of one result that a turn works with; it is trimmed, not dropped. Characters.</summary>
    public const int MaxLength = 16 * 1024;

    public static string Of(JsonElement result)
    {
        var parts = result.TryGetProperty("content", out var content) && content.ValueKind == JsonValueKind.Array
            ? content.EnumerateArray().Select(Block).Where(b => b.Length > 0).ToArray()
            : [];
        // The structured form is the same once more, unless it is all that there is.
        var text = parts.Length > 0 ? string.Join('\n', parts)
            : result.TryGetProperty("structuredContent", out var structured) ? structured.GetRawText() : "";
        return Trim(text);
    }

    /// <summary>What PostgreSQL can hold: no U+0000, no half of a surrogate pair.</summary>
    public static string Clean(string text) =>
        Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text.Replace("\0", "", StringComparison.Ordinal)));

    /// <summary>Cuts between characters, and says so.</summary>
    public static string Trim(string text)
    {
        if (text.Length <= MaxLength)
        {
            return text;
        }

        var length = char.IsHighSurrogate(text[MaxLength - 1]) ? MaxLength - 1 : MaxLength;
        return $"{text.AsSpan(0, length)}\n… [cut: {text.Length - length} more characters]";
    }

    /// <summary>One of a resource's contents; null where it is none.</summary>
    public static string? OfResource(JsonElement contents)
    {
        if (contents.ValueKind != JsonValueKind.Object || Text(contents, "uri").Length == 0)
        {
            return null;
        }

        return contents.TryGetProperty("text", out var text) && text.ValueKind == JsonValueKind.String ? SafeText(text)
            : contents.TryGetProperty("blob", out _) ? $"[{Text(contents, "mimeType")}, {Text(contents, "blob").Length * 3L / 4} bytes]"
            : null;
    }

    /// <summary>One block of a result's or a message's content; empty where it is none.</summary>
    public static string Block(JsonElement block)
    {
        if (block.ValueKind != JsonValueKind.Object)
        {
            return "";
        }

        switch (Text(block, "type"))
        {
            case "text":
                return Text(block, "text");
            case "image" or "audio":
                return $"[{Text(block, "type")}, {Text(block, "mimeType")}, {Text(block, "data").Length * 3L / 4} bytes]";
            case "resource_link":
                return $"[{Text(block, "name")}: {Text(block, "uri")}]";
            case "resource" when block.TryGetProperty("resource", out var resource) && resource.ValueKind == JsonValueKind.Object:
                var body = Text(resource, "text");
                return body.Length > 0
                    ? new StringBuilder($"[{Text(resource, "uri")}]\n").Append(body).ToString()
                    : $"[{Text(resource, "uri")}, {Text(resource, "mimeType")}]";
            default:
                return "";
        }
    }

    private static string Text(JsonElement element, string member) =>
        element.TryGetProperty(member, out var value) && value.ValueKind == JsonValueKind.String ? SafeText(value) : "";

    /// <summary>Half a surrogate pair, which servers may send escaped, is no text.</summary>
    private static string SafeText(JsonElement value)
    {
        try
        {
            return value.GetString()!.Replace("\0", "", StringComparison.Ordinal);
        }
        catch (InvalidOperationException)
        {
            return "[text that is not Unicode]";
        }
    }
}
