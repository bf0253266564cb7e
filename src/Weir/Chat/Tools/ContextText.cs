using System.Text.Json;
using Weir.Chat.Tools;

namespace Weir.Chat.Tools;

/// <summary>The words in the result of <c>resources/read</c> or <c>prompts/get</c>. What is no text is named, not copied.</summary>
internal static class ContextText
{
    /// <returns>Null where the result is not one: a server may say anything.</returns>
    public static string? Of(string kind, JsonElement result)
    {
        var member = kind == ContextKinds.Resource ? "contents" : "messages";
        if (result.ValueKind != JsonValueKind.Object || !result.TryGetProperty(member, out var list)
            || list.ValueKind != JsonValueKind.Array)
        {
            return null;
        }

        var parts = list.EnumerateArray().Select(e => kind == ContextKinds.Resource ? ToolText.OfResource(e) : OfMessage(e)).ToArray();
        return parts.Contains(null) ? null : string.Join('\n', parts.Where(p => p!.Length > 0));
    }

    /// <summary>Whoever the server lets speak in its prompt: here it is the server that speaks.</summary>
    private static string? OfMessage(JsonElement message) =>
        message.ValueKind == JsonValueKind.Object && message.TryGetProperty("content", out var content)
            && content.ValueKind == JsonValueKind.Object
            ? ToolText.Block(content)
            : null;
}
