using System.Text;
using System.Text.Json;
using Weir.Errors;
using Weir.Http;

namespace Weir.Chat;

/// <summary>One message of a person. <c>agentId: null</c> only saves it.</summary>
internal sealed record ChatRequest(Guid? AgentId, string Message, Guid? WorkspaceId, Guid? ChannelId, string? ClientMessageId)
{
    /// <summary>Longest message. Bytes of UTF-8.</summary>
    public const int MaxMessageBytes = 32 * 1024;

    private const int MaxClientIdLength = 100;

    /// <summary>The priorities of servers in this turn.</summary>
    public PriorityRules Priorities { get; init; } = PriorityRules.None;

    /// <exception cref="WeirException">WR001: which member is wrong, and how.</exception>
    public static ChatRequest Parse(ReadOnlyMemory<byte> body)
    {
        using var document = RequestJson.Read(body);
        var root = document.RootElement;
        if (!root.TryGetProperty("agentId", out _))
        {
            throw RequestJson.Invalid("agentId is missing: give an agent's id, or null to save the message only.");
        }

        return new ChatRequest(
            RequestJson.OptionalId(root, "agentId"), ReadMessage(root), RequestJson.OptionalId(root, "workspaceId"),
            RequestJson.OptionalId(root, "channelId"), ClientId(root))
        {
            Priorities = PriorityRules.Parse(root),
        };
    }

    private static string ReadMessage(JsonElement root)
    {
        var message = RequestJson.Text(root, "message") ?? throw RequestJson.Invalid("message is missing.");
        return string.IsNullOrWhiteSpace(message) ? throw RequestJson.Invalid("message must not be empty.")
            : Encoding.UTF8.GetByteCount(message) > MaxMessageBytes
                ? throw RequestJson.Invalid($"message must be at most {MaxMessageBytes} bytes of UTF-8.")
            : message;
    }

    private static string? ClientId(JsonElement root) => RequestJson.Text(root, "clientMessageId") switch
    {
        null => null,
        { Length: > 0 and <= MaxClientIdLength } id => id,
        _ => throw RequestJson.Invalid($"clientMessageId must be 1 to {MaxClientIdLength} characters."),
    };
}
