using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Extensions.AI;

namespace Weir.Models;

/// <summary>Anthropic's Messages. It has no parameter for the temperature any more.</summary>
internal sealed partial class MessagesApi : ModelApi
{
    private const string Version = "2023-06-01";

    public override string Path => "/v1/messages";

    public override IReadOnlyList<(string Name, string Value)> Headers => [("anthropic-version", Version)];

    public override AnswerReader Reader() => new MessagesReader();

    /// <summary>
    /// The system's words stand apart; what one side says in a row is one message, so that a round's results are together.
    /// </summary>
    protected override void WriteMessages(Utf8JsonWriter json, IReadOnlyList<ChatMessage> messages)
    {
        var system = string.Join("\n\n", messages.Where(m => m.Role == ChatRole.System).Select(m => m.Text));
        if (system.Length > 0)
        {
            json.WriteString("system"u8, system);
        }

        json.WriteStartArray("messages"u8);
        string? open = null;
        foreach (var message in messages.Where(m => m.Role != ChatRole.System && m.Contents.Any(IsSent)))
        {
            var role = message.Role == ChatRole.Assistant ? "assistant" : "user";
            if (role != open)
            {
                End(json, open);
                json.WriteStartObject();
                json.WriteString("role"u8, role);
                json.WriteStartArray("content"u8);
                open = role;
            }

            foreach (var content in message.Contents.Where(IsSent))
            {
                Write(json, content);
            }
        }

        End(json, open);
        json.WriteEndArray();
    }

    protected override void WriteOptions(Utf8JsonWriter json, ChatOptions options, bool isStreamed)
    {
        json.WriteNumber(
            "max_tokens"u8, options.MaxOutputTokens ?? throw new InvalidOperationException("The API wants a limit of tokens."));
        if (isStreamed)
        {
            json.WriteBoolean("stream"u8, true);
        }
    }

    protected override void WriteTool(Utf8JsonWriter json, AIFunctionDeclaration tool)
    {
        json.WriteStartObject();
        json.WriteString("name"u8, tool.Name);
        json.WriteString("description"u8, tool.Description);
        json.WritePropertyName("input_schema"u8);
        tool.JsonSchema.WriteTo(json);
        json.WriteEndObject();
    }

    private static void End(Utf8JsonWriter json, string? open)
    {
        if (open is not null)
        {
            json.WriteEndArray();
            json.WriteEndObject();
        }
    }

    /// <summary>An empty text is refused.</summary>
    private static bool IsSent(AIContent content) => content switch
    {
        TextReasoningContent => false,
        TextContent text => !string.IsNullOrWhiteSpace(text.Text),
        _ => content is FunctionCallContent or FunctionResultContent,
    };

    private static void Write(Utf8JsonWriter json, AIContent content)
    {
        json.WriteStartObject();
        switch (content)
        {
            case TextContent text:
                json.WriteString("type"u8, "text"u8);
                json.WriteString("text"u8, text.Text);
                break;
            case FunctionCallContent call:
                json.WriteString("type"u8, "tool_use"u8);
                json.WriteString("id"u8, Id(call.CallId));
                json.WriteString("name"u8, call.Name);
                json.WritePropertyName("input"u8);
                json.WriteRawValue(ArgumentsOf(call), skipInputValidation: true);
                break;
            case FunctionResultContent result:
                json.WriteString("type"u8, "tool_result"u8);
                json.WriteString("tool_use_id"u8, Id(result.CallId));
                json.WriteString("content"u8, TextOf(result));
                break;
        }

        json.WriteEndObject();
    }

    /// <summary>Ids of another provider's calls may hold what this one refuses.</summary>
    private static string Id(string id) => NotInIds().Replace(id, "_");

    [GeneratedRegex("[^a-zA-Z0-9_-]", RegexOptions.None, 1000)]
    private static partial Regex NotInIds();
}
