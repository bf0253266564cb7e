using System.Text.Json;

namespace Weir.Tests.Models;

/// <summary>Messages, as their reference has them.</summary>
internal static class AnthropicWire
{
    public static string Body(ModelReply reply) => reply switch
    {
        ModelReply.Says says =>
            Message([.. Texts(string.Concat(says.Pieces)), .. says.Calls.Select(Use)], says.Calls.Length > 0 ? "tool_use" : "end_turn"),
        ModelReply.Refuses refuses => Message([.. Texts(refuses.Words)], "refusal"),
        ModelReply.Breaks => """{"id": "msg_1", "type": "mess""",
        _ => "",
    };

    public static IEnumerable<string> Stream(ModelReply reply)
    {
        var (pieces, calls, stop) = reply switch
        {
            ModelReply.Says says => (says.Pieces, says.Calls, says.Calls.Length > 0 ? "tool_use" : "end_turn"),
            ModelReply.Refuses refuses => ([refuses.Words], [], "refusal"),
            ModelReply.Breaks breaks => (breaks.Pieces, [], null),
            ModelReply.Hangs hangs => (hangs.Pieces, Array.Empty<ToolUse>(), (string?)null),
            _ => throw new InvalidOperationException(),
        };
        if (reply is ModelReply.Hangs { Pieces.Length: 0 })
        {
            yield break;
        }

        yield return Event("message_start", new
        {
            type = "message_start",
            message = new
            {
                id = "msg_1", type = "message", role = "assistant", model = "small", content = Array.Empty<object>(),
                stop_reason = (string?)null, stop_sequence = (string?)null,
                usage = new { input_tokens = ModelServer.InputTokens, output_tokens = 1 },
            },
        });
        yield return Event("ping", new { type = "ping" });
        var index = 0;
        if (pieces.Length > 0)
        {
            yield return Event(
                "content_block_start", new { type = "content_block_start", index, content_block = new { type = "text", text = "" } });
            foreach (var piece in pieces)
            {
                yield return Event(
                    "content_block_delta", new { type = "content_block_delta", index, delta = new { type = "text_delta", text = piece } });
            }
        }

        if (stop is null)
        {
            yield break;
        }

        if (pieces.Length > 0)
        {
            yield return Event("content_block_stop", new { type = "content_block_stop", index });
            index++;
        }

        foreach (var call in calls)
        {
            yield return Event(
                "content_block_start",
                new
                {
                    type = "content_block_start",
                    index,
                    content_block = new { type = "tool_use", id = call.Id, name = call.Name, input = new { } },
                });
            yield return Event(
                "content_block_delta",
                new
                {
                    type = "content_block_delta",
                    index,
                    delta = new { type = "input_json_delta", partial_json = call.Arguments[..(call.Arguments.Length / 2)] },
                });
            yield return Event(
                "content_block_delta",
                new
                {
                    type = "content_block_delta",
                    index,
                    delta = new { type = "input_json_delta", partial_json = call.Arguments[(call.Arguments.Length / 2)..] },
                });
            yield return Event("content_block_stop", new { type = "content_block_stop", index });
            index++;
        }

        yield return Event(
            "message_delta",
            new
            {
                type = "message_delta",
                delta = new { stop_reason = stop, stop_sequence = (string?)null },
                usage = new { output_tokens = ModelServer.OutputTokens },
            });
        yield return Event("message_stop", new { type = "message_stop" });
    }

    private static IEnumerable<object> Texts(string text) => text.Length == 0 ? [] : [new { type = "text", text }];

    private static object Use(ToolUse call) =>
        new { type = "tool_use", id = call.Id, name = call.Name, input = JsonElement.Parse(call.Arguments) };

    private static string Message(object[] content, string stop) => JsonSerializer.Serialize(new
    {
        id = "msg_1",
        type = "message",
        role = "assistant",
        model = "small",
        content,
        stop_reason = stop,
        stop_sequence = (string?)null,
        usage = new { input_tokens = ModelServer.InputTokens, output_tokens = ModelServer.OutputTokens },
    });

    private static string Event(string type, object data) => $"event: {type}\ndata: {JsonSerializer.Serialize(data)}\n\n";
}
