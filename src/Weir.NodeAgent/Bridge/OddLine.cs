using System.Text.Json;
using Weir.Configuration;

namespace Weir.NodeAgent.Bridge;

/// <summary>A message, or what stands in the place of one.</summary>
internal delegate void MessageHandler(in MessageParts parts, Span<byte> message);

/// <summary>
/// A line of a child's output that is not one message: several messages after each other, as servers write that forget a line break, or a
/// batch. Each message is taken for itself, in its order.
/// </summary>
internal static class OddLine
{
    /// <summary>Hands out the messages of the line; returns where the first thing stands that is none, or null.</summary>
    public static Range? Read(Span<byte> line, MessageHandler onMessage)
    {
        // One level more than a message may have, for the batch around it.
        var reader = new Utf8JsonReader(line, new JsonReaderOptions { AllowMultipleValues = true, MaxDepth = JsonDepth.Message + 1 });
        var (taken, first) = (0, (Range?)null);
        try
        {
            while (reader.Read())
            {
                if (reader.TokenType is JsonTokenType.StartArray or JsonTokenType.EndArray && reader.CurrentDepth == 0)
                {
                    taken = (int)reader.BytesConsumed;
                    continue;
                }

                var start = (int)reader.TokenStartIndex;
                reader.Skip();
                taken = (int)reader.BytesConsumed;
                if (MessageParts.TryParse(line[start..taken], out var parts, out _))
                {
                    onMessage(parts, line[start..taken]);
                }
                else
                {
                    first ??= start..taken;
                }
            }
        }
        catch (JsonException)
        {
            first ??= taken..line.Length;
        }

        return first;
    }
}
