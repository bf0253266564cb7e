using System.Text.Json;

namespace Weir.Tests.Models;

/// <summary>Chat completions, as their reference has them.</summary>
internal static class OpenAIWire
{
    public static string Body(ModelReply reply) => reply switch
    {
        ModelReply.Says says => Completion(string.Concat(says.Pieces), null, says.Calls, says.Calls.Length > 0 ? "tool_calls" : "stop"),
        ModelReply.Refuses refuses => Completion(null, refuses.Words, [], "stop"),
        ModelReply.Breaks => """{"id": "chatcmpl-1", "object": "chat.compl""",
        _ => "",
    };

    public static IEnumerable<string> Stream(ModelReply reply)
    {
        var (pieces, refusal, calls) = reply switch
        {
            ModelReply.Says says => (says.Pieces, null, says.Calls),
            ModelReply.Refuses refuses => ([], refuses.Words, []),
            ModelReply.Breaks breaks => (breaks.Pieces, null, []),
            ModelReply.Hangs hangs => (hangs.Pieces, (string?)null, Array.Empty<ToolUse>()),
            _ => throw new InvalidOperationException(),
        };
        if (reply is not ModelReply.Hangs { Pieces.Length: 0 })
        {
            yield return Chunk(new { role = "assistant", content = "" });
        }

        foreach (var piece in pieces)
        {
            yield return Chunk(new { content = piece });
        }

        if (reply is ModelReply.Breaks or ModelReply.Hangs)
        {
            yield break;
        }

        if (refusal is not null)
        {
            yield return Chunk(new { refusal });
        }

        for (var i = 0; i < calls.Length; i++)
        {
            yield return Chunk(
                new
                {
                    tool_calls = new[]
                    {
                        new { index = i, id = calls[i].Id, type = "function", function = new { name = calls[i].Name, arguments = "" } },
                    },
                });
            foreach (var part in Halves(calls[i].Arguments))
            {
                yield return Chunk(new { tool_calls = new[] { new { index = i, function = new { arguments = part } } } });
            }
        }

        yield return Chunk(new { }, calls.Length > 0 ? "tool_calls" : "stop");
        yield return Event(
            new
            {
                id = "chatcmpl-1",
                @object = "chat.completion.chunk",
                created = 1,
                model = "small",
                choices = Array.Empty<object>(),
                usage = Usage(),
            });
        yield return "data: [DONE]\n\n";
    }

    private static string Completion(string? content, string? refusal, ToolUse[] calls, string finish) => JsonSerializer.Serialize(new
    {
        id = "chatcmpl-1",
        @object = "chat.completion",
        created = 1,
        model = "small",
        choices = new[]
        {
            new
            {
                index = 0,
                message = new
                {
                    role = "assistant",
                    content,
                    refusal,
                    tool_calls = calls.Length == 0
                        ? null
                        : calls.Select(
                            c => new { id = c.Id, type = "function", function = new { name = c.Name, arguments = c.Arguments } }),
                },
                finish_reason = finish,
            },
        },
        usage = Usage(),
    });

    private static object Usage() => new
    {
        prompt_tokens = ModelServer.InputTokens,
        completion_tokens = ModelServer.OutputTokens,
        total_tokens = ModelServer.InputTokens + ModelServer.OutputTokens,
    };

    private static string Chunk(object delta, string? finish = null) => Event(new
    {
        id = "chatcmpl-1",
        @object = "chat.completion.chunk",
        created = 1,
        model = "small",
        choices = new[] { new { index = 0, delta, finish_reason = finish } },
    });

    private static string Event(object data) => $"data: {JsonSerializer.Serialize(data)}\n\n";

    private static IEnumerable<string> Halves(string text) => [text[..(text.Length / 2)], text[(text.Length / 2)..]];
}
