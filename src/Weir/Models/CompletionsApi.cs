using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Extensions.AI;

namespace Weir.Models;

/// <summary>OpenAI's chat completions.</summary>
internal sealed partial class CompletionsApi : ModelApi
{
    private const int MaxName = 64;

    public override string Path => "/chat/completions";

    public override AnswerReader Reader() => new CompletionsReader();

    protected override void WriteMessages(Utf8JsonWriter json, IReadOnlyList<ChatMessage> messages)
    {
        json.WriteStartArray("messages"u8);
        foreach (var message in messages)
        {
            foreach (var result in message.Contents.OfType<FunctionResultContent>())
            {
                json.WriteStartObject();
                json.WriteString("role"u8, "tool"u8);
                json.WriteString("tool_call_id"u8, result.CallId);
                json.WriteString("content"u8, TextOf(result));
                json.WriteEndObject();
            }

            if (message.Role != ChatRole.Tool)
            {
                WriteMessage(json, message);
            }
        }

        json.WriteEndArray();
    }

    protected override void WriteOptions(Utf8JsonWriter json, ChatOptions options, bool isStreamed)
    {
        if (options.Temperature is { } temperature)
        {
            json.WriteNumber("temperature"u8, temperature);
        }

        if (options.MaxOutputTokens is { } most)
        {
            json.WriteNumber("max_completion_tokens"u8, most);
        }

        if (isStreamed)
        {
            json.WriteBoolean("stream"u8, true);
            json.WriteStartObject("stream_options"u8);
            json.WriteBoolean("include_usage"u8, true);
            json.WriteEndObject();
        }
    }

    protected override void WriteTool(Utf8JsonWriter json, AIFunctionDeclaration tool)
    {
        json.WriteStartObject();
        json.WriteString("type"u8, "function"u8);
        json.WriteStartObject("function"u8);
        json.WriteString("name"u8, tool.Name);
        json.WriteString("description"u8, tool.Description);
        json.WritePropertyName("parameters"u8);
        tool.JsonSchema.WriteTo(json);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteMessage(Utf8JsonWriter json, ChatMessage message)
    {
        var calls = message.Contents.OfType<FunctionCallContent>().ToArray();
        json.WriteStartObject();
        json.WriteString("role"u8, message.Role.Value);
        if (message.AuthorName is { } author && NotInNames().Replace(author, "") is { Length: > 0 } name)
        {
            json.WriteString("name"u8, name[..Math.Min(name.Length, MaxName)]);
        }

        if (calls.Length > 0 && message.Text.Length == 0)
        {
            json.WriteNull("content"u8);
        }
        else
        {
            json.WriteString("content"u8, message.Text);
        }

        if (calls.Length > 0)
        {
            WriteCalls(json, calls);
        }

        json.WriteEndObject();
    }

    private static void WriteCalls(Utf8JsonWriter json, IEnumerable<FunctionCallContent> calls)
    {
        json.WriteStartArray("tool_calls"u8);
        foreach (var call in calls)
        {
            json.WriteStartObject();
            json.WriteString("id"u8, call.CallId);
            json.WriteString("type"u8, "function"u8);
            json.WriteStartObject("function"u8);
            json.WriteString("name"u8, call.Name);
            json.WriteString("arguments"u8, ArgumentsOf(call));
            json.WriteEndObject();
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    [GeneratedRegex("[^a-zA-Z0-9_]+", RegexOptions.None, 1000)]
    private static partial Regex NotInNames();
}
