using System.Text.Json;
using Weir.Configuration;
using Weir.Mcp;

namespace Weir.Upstream;

/// <summary>Takes apart what a server sent as one. A server of 2025-03-26 may send several messages in one JSON array.</summary>
internal static class RpcBatch
{
    /// <summary>Bytes.</summary>
    private const int LongestHeartbeat = 4096;

    /// <summary>The messages, one after the other: an array is never materialized.</summary>
    /// <exception cref="JsonException">It begins as an array and is none.</exception>
    public static IEnumerable<ReadOnlyMemory<byte>> Split(ReadOnlyMemory<byte> data)
    {
        var at = SkipSpace(data.Span, 0);
        if (at == data.Length || data.Span[at] != (byte)'[')
        {
            yield return data;
            yield break;
        }

        at++;
        for (var isFirst = true; Next(data.Span, ref at, isFirst) is { Length: > 0 } range; isFirst = false)
        {
            yield return data.Slice(range.Start, range.Length);
        }
    }

    /// <summary>
    /// Whether an event that should carry a message carries a sign of life instead, such as <c>ping</c> or <c>{"type":"heartbeat"}</c>:
    /// short, and nothing of JSON-RPC. A message that is broken is none.
    /// </summary>
    public static bool IsHeartbeat(ReadOnlySpan<byte> data)
    {
        if (data.Length > LongestHeartbeat || data.IndexOf("\"jsonrpc\""u8) >= 0 || data[0] == (byte)'[')
        {
            return false;
        }

        try
        {
            // Some servers leave out their version.
            ServerMessage.Read(data);
            return false;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return true;
        }
    }

    /// <summary>Where the next element is; nothing at the end of the array.</summary>
    private static (int Start, int Length) Next(ReadOnlySpan<byte> data, ref int at, bool isFirst)
    {
        at = SkipSpace(data, at);
        if (at < data.Length && data[at] == (byte)']')
        {
            return SkipSpace(data, at + 1) == data.Length ? default : throw new JsonException("Something follows the array.");
        }

        if (!isFirst && (at == data.Length || data[at++] != (byte)','))
        {
            throw new JsonException("The array has no end.");
        }

        at = SkipSpace(data, at);
        var reader = new Utf8JsonReader(data[at..], new JsonReaderOptions { MaxDepth = JsonDepth.Message });
        reader.Read();
        reader.Skip();
        var start = at;
        at += (int)reader.BytesConsumed;
        return (start, at - start);
    }

    private static int SkipSpace(ReadOnlySpan<byte> data, int from)
    {
        var next = data[from..].IndexOfAnyExcept(" \t\r\n"u8);
        return next < 0 ? data.Length : from + next;
    }
}
