using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Weir.Models;

/// <summary>The API that a provider speaks: where a request goes, how it is written, and how its answer is read.</summary>
internal abstract class ModelApi
{
    public static ModelApi Of(string kind) => kind == "anthropic" ? new MessagesApi() : new CompletionsApi();

    /// <summary>Added to the provider's URL.</summary>
    public abstract string Path { get; }

    public virtual IReadOnlyList<(string Name, string Value)> Headers => [];

    public abstract AnswerReader Reader();

    /// <param name="isStreamed">The answer is to come as events.</param>
    public void Write(Utf8JsonWriter json, string model, IReadOnlyList<ChatMessage> messages, ChatOptions options, bool isStreamed)
    {
        json.WriteStartObject();
        json.WriteString("model"u8, model);
        WriteMessages(json, messages);
        WriteOptions(json, options, isStreamed);
        if (options.Tools is { Count: > 0 } tools)
        {
            json.WriteStartArray("tools"u8);
            foreach (var tool in tools.OfType<AIFunctionDeclaration>())
            {
                WriteTool(json, tool);
            }

            json.WriteEndArray();
        }

        json.WriteEndObject();
    }

    protected abstract void WriteMessages(Utf8JsonWriter json, IReadOnlyList<ChatMessage> messages);

    protected abstract void WriteOptions(Utf8JsonWriter json, ChatOptions options, bool isStreamed);

    protected abstract void WriteTool(Utf8JsonWriter json, AIFunctionDeclaration tool);

    protected static string ArgumentsOf(FunctionCallContent call) =>
        call.Arguments is null ? "{}" : JsonSerializer.Serialize(call.Arguments, ModelJson.Writing);

    protected static string TextOf(FunctionResultContent result) => result.Result?.ToString() ?? "";
}
