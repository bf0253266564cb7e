using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Weir.Models;

/// <summary>An answer of OpenAI's chat completions. A message of a whole answer and a delta of a stream have the same members.</summary>
internal sealed class CompletionsReader : AnswerReader
{
    private bool _hasEmptyReason;

    public override IList<AIContent> Take(ModelEvent happened)
    {
        if (happened.IsDone)
        {
            Finished ??= ChatFinishReason.Stop;
            return [];
        }

        return happened.Type == "error" ? throw Error() : Read(happened.Data);
    }

    public override IList<AIContent> TakeWhole(JsonElement answer)
    {
        var contents = Read(answer);
        if (Choice(answer).ValueKind != JsonValueKind.Object)
        {
            throw new JsonException("An answer without choices.");
        }

        Finished ??= ChatFinishReason.Stop;
        return contents;
    }

    /// <summary>Some endpoints have an empty reason for everything.</summary>
    public override void End() => Finished ??= _hasEmptyReason ? ChatFinishReason.Stop : null;

    private List<AIContent> Read(JsonElement answer)
    {
        if (answer.Member("error").ValueKind is not (JsonValueKind.Undefined or JsonValueKind.Null))
        {
            throw Error();
        }

        var usage = answer.Member("usage");
        Count(usage.Count("prompt_tokens"), usage.Count("completion_tokens"));
        var choice = Choice(answer);
        var said = choice.Member("delta").ValueKind == JsonValueKind.Object ? choice.Member("delta") : choice.Member("message");
        var contents = Words(said).ToList();
        var isWhole = choice.Member("delta").ValueKind != JsonValueKind.Object;
        foreach (var (place, call) in said.Member("tool_calls").Items().Index())
        {
            var function = call.Member("function");
            Parts.Add(
                call.Count("index") ?? (isWhole ? place : null), call.Text("id"), function.Text("name"), function.Member("arguments"));
        }

        // As calls were written before there could be several.
        if (said.Member("function_call") is { ValueKind: JsonValueKind.Object } old)
        {
            Parts.Add(0, "", old.Text("name"), old.Member("arguments"));
        }

        Finished ??= Reason(choice.Text("finish_reason"));
        _hasEmptyReason = choice.Member("finish_reason") is { ValueKind: JsonValueKind.String }
            || (_hasEmptyReason && choice.ValueKind != JsonValueKind.Object);
        return contents;
    }

    private static JsonElement Choice(JsonElement answer) => answer.Member("choices").Items().FirstOrDefault();

    private static IEnumerable<AIContent> Words(JsonElement said)
    {
        foreach (var text in Texts(said.Member("content")).Where(t => t.Length > 0))
        {
            yield return new TextContent(text);
        }

        foreach (var refusal in said.Member("content").Items().Select(p => p.Text("refusal")).Append(said.Text("refusal"))
            .Where(r => r.Length > 0))
        {
            yield return Refusal(refusal);
        }
    }

    /// <summary>A text, or parts of which some are.</summary>
    private static IEnumerable<string> Texts(JsonElement content) => content.ValueKind == JsonValueKind.Array
        ? content.EnumerateArray().Select(p => p.ValueKind == JsonValueKind.String ? p.Text() : p.Text("text"))
        : [content.ValueKind == JsonValueKind.Object ? content.Text("text") : content.Text()];

    /// <summary>Some endpoints write an empty reason until there is one.</summary>
    private static ChatFinishReason? Reason(string reason) => reason switch
    {
        "" => null,
        "length" => ChatFinishReason.Length,
        "tool_calls" or "function_call" => ChatFinishReason.ToolCalls,
        "content_filter" => ChatFinishReason.ContentFilter,
        _ => ChatFinishReason.Stop,
    };
}
