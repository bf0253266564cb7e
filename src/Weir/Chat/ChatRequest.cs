using System.Text;
using System.Text.Json;
using Weir.Errors;

namespace Weir.Chat;

/// <summary>One message of a person. <c>agentId: null</c> only saves it.</summary>
internal sealed record ChatRequest(Guid? AgentId, string Message, Guid? WorkspaceId, Guid? ChannelId, string? ClientMessageId)
{
    /// <summary>Longest message. Bytes of UTF-8.</summary>
    public const int MaxMessageBytes = 32 * 1024;

    private const int MaxClientIdLength = 100;
    private static readonly JsonDocumentOptions Strict = new() { MaxDepth = 16, AllowDuplicateProperties = false };

    /// <exception cref="WeirException">WR001: which member is wrong, and how.</exception>
    public static ChatRequest Parse(ReadOnlyMemory<byte> body)
    {
        using var document = Read(body);
        var root = document.RootElement;
        if (root.ValueKind != JsonValueKind.Object)
        {
            throw Invalid("The body must be a JSON object.");
        }

        if (!root.TryGetProperty("agentId", out _))
        {
            throw Invalid("agentId is missing: give an agent's id, or null to save the message only.");
        }

        return new ChatRequest(Id(root, "agentId"), ReadMessage(root), Id(root, "workspaceId"), Id(root, "channelId"), ClientId(root));
    }

    private static JsonDocument Read(ReadOnlyMemory<byte> body)
    {
        try
        {
            return JsonDocument.Parse(body, Strict);
        }
        catch (JsonException)
        {
            throw Invalid("The body is not JSON, is nested too deeply, or holds a key twice.");
        }
    }

    private static string ReadMessage(JsonElement root)
    {
        var message = Text(root, "message") ?? throw Invalid("message is missing.");
        return string.IsNullOrWhiteSpace(message) ? throw Invalid("message must not be empty.")
            : Encoding.UTF8.GetByteCount(message) > MaxMessageBytes ? throw Invalid($"message must be at most {MaxMessageBytes} bytes of UTF-8.")
            : message;
    }

    private static string? ClientId(JsonElement root) => Text(root, "clientMessageId") switch
    {
        null => null,
        { Length: > 0 and <= MaxClientIdLength } id => id,
        _ => throw Invalid($"clientMessageId must be 1 to {MaxClientIdLength} characters."),
    };

    private static Guid? Id(JsonElement root, string member) => Text(root, member) switch
    {
        null => null,
        var text when Guid.TryParseExact(text, "D", out var id) => id,
        _ => throw Invalid($"{member} must be a UUID."),
    };

    private static string? Text(JsonElement root, string member)
    {
        if (!root.TryGetProperty(member, out var value) || value.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        if (value.ValueKind != JsonValueKind.String)
        {
            throw Invalid($"{member} must be a string.");
        }

        try
        {
            var text = value.GetString()!;
            return text.Contains('\0', StringComparison.Ordinal) ? throw Invalid($"{member} must not hold U+0000.") : text;
        }
        catch (InvalidOperationException)
        {
            throw Invalid($"{member} holds half of a surrogate pair.");
        }
    }

    private static WeirException Invalid(string message) => new(ErrorCode.InvalidArgument, message);
}
