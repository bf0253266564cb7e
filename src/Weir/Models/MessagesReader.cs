using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Weir.Models;

/// <summary>An answer of Anthropic's Messages. Blocks that are neither text nor a call, such as thinking, say nothing.</summary>
internal sealed class MessagesReader : AnswerReader
{
    private readonly HashSet<long> _calls = [];
    private long _index = -1;

    public override IList<AIContent> Take(ModelEvent happened)
    {
        if (happened.IsDone)
        {
            Finished ??= ChatFinishReason.Stop;
            return [];
        }

        var data = happened.Data;
        switch (data.Text("type") is { Length: > 0 } type ? type : happened.Type)
        {
            case "error":
                throw Error();
            case "message_start":
                Count(data.Member("message"));
                return [];
            case "content_block_start":
                _index = data.Count("index") ?? _index + 1;
                return Block(_index, data.Member("content_block"));
            case "content_block_delta":
                return Delta(data.Count("index") ?? _index, data.Member("delta"));
            case "message_delta":
                Count(data);
                Finished ??= Reason(data.Member("delta").Text("stop_reason"));
                return [];
            case "message_stop":
                Finished ??= ChatFinishReason.Stop;
                return [];
            default:
                return [];
        }
    }

    public override IList<AIContent> TakeWhole(JsonElement answer)
    {
        if (answer.Text("type") == "error" || answer.Member("error").ValueKind == JsonValueKind.Object)
        {
            throw Error();
        }

        var content = answer.Member("content");
        if (content.ValueKind is not (JsonValueKind.Array or JsonValueKind.String))
        {
            throw new JsonException("An answer without content.");
        }

        Count(answer);
        Finished = Reason(answer.Text("stop_reason")) ?? ChatFinishReason.Stop;
        return content.ValueKind == JsonValueKind.String
            ? Words(content.Text()) : [.. content.EnumerateArray().SelectMany((b, i) => Block(i, b))];
    }

    private IList<AIContent> Block(long index, JsonElement block)
    {
        if (block.Text("type") == "tool_use")
        {
            // In a stream an empty input is a place for the pieces that follow.
            var input = block.Member("input");
            var isEmpty = input.ValueKind == JsonValueKind.Object && !input.EnumerateObject().Any();
            _calls.Add(index);
            Parts.Add(index, block.Text("id"), block.Text("name"), isEmpty ? default : input);
            return [];
        }

        return block.Text("type") is "text" or "" ? Words(block.Text("text")) : [];
    }

    private IList<AIContent> Delta(long index, JsonElement delta)
    {
        if (delta.Text("type") == "input_json_delta")
        {
            // A block of another type, such as a provider's own tool, has input too.
            if (_calls.Contains(index))
            {
                Parts.Add(index, "", "", delta.Member("partial_json"));
            }

            return [];
        }

        return delta.Text("type") is "text_delta" or "" ? Words(delta.Text("text")) : [];
    }

    private static IList<AIContent> Words(string text) => text.Length > 0 ? [new TextContent(text)] : [];

    private void Count(JsonElement message)
    {
        var usage = message.Member("usage");
        var input = usage.Count("input_tokens");
        Count(input + (usage.Count("cache_creation_input_tokens") ?? 0) + (usage.Count("cache_read_input_tokens") ?? 0),
            usage.Count("output_tokens"));
    }

    private static ChatFinishReason? Reason(string reason) => reason switch
    {
        "" => null,
        "max_tokens" or "model_context_window_exceeded" => ChatFinishReason.Length,
        "tool_use" => ChatFinishReason.ToolCalls,
        "refusal" => ChatFinishReason.ContentFilter,
        _ => ChatFinishReason.Stop,
    };
}
