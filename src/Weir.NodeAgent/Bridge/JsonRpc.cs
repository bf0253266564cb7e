using System.Buffers;
using System.Text;
using System.Text.Json;
using Weir.Configuration;

namespace Weir.NodeAgent.Bridge;

/// <summary>The few messages that the bridge says by itself.</summary>
internal static class JsonRpc
{
    public const int ParseError = -32700;
    public const int InvalidRequest = -32600;
    public const int MethodNotFound = -32601;
    public const int InternalError = -32603;

    /// <summary>What the official servers answer to a session that they do not know.</summary>
    public const int SessionNotFound = -32001;

    /// <summary>Of the bridge's own messages: too small to be counted.</summary>
    public const int SmallMessage = 1024;

    /// <summary>The message of the error with the mark <c>overflow</c>.</summary>
    public const string TooMuchWaits = "The server sent more than may wait for its client to read it.";

    /// <param name="id">The id's own bytes, quotes and all; empty becomes null.</param>
    /// <param name="weir">A mark in <c>data</c> that tells the bridge's own errors from the server's.</param>
    public static byte[] Error(ReadOnlySpan<byte> id, int code, string message, string? weir = null)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var writer = new Utf8JsonWriter(buffer, PlainJson.Writing))
        {
            writer.WriteStartObject();
            writer.WriteString("jsonrpc"u8, "2.0"u8);
            WriteId(writer, id);
            writer.WriteStartObject("error"u8);
            writer.WriteNumber("code"u8, code);
            writer.WriteString("message"u8, message);
            if (weir is not null)
            {
                writer.WriteStartObject("data"u8);
                writer.WriteString("weir"u8, weir);
                writer.WriteEndObject();
            }

            writer.WriteEndObject();
            writer.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <param name="result">JSON.</param>
    public static byte[] Result(ReadOnlySpan<byte> id, ReadOnlySpan<byte> result)
    {
        var buffer = new ArrayBufferWriter<byte>(64 + id.Length + result.Length);
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { SkipValidation = true }))
        {
            writer.WriteStartObject();
            writer.WriteString("jsonrpc"u8, "2.0"u8);
            WriteId(writer, id);
            writer.WritePropertyName("result"u8);
            writer.WriteRawValue(result, skipInputValidation: true);
            writer.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <param name="parameters">JSON, or empty for none.</param>
    public static byte[] Request(long id, string method, string parameters) => Encoding.UTF8.GetBytes(
        $$"""{"jsonrpc":"2.0","id":{{id}},"method":"{{method}}"{{(parameters.Length == 0 ? "" : ",\"params\":" + parameters)}}}""");

    public static byte[] Notification(string method, string parameters) => Encoding.UTF8.GetBytes(
        $$"""{"jsonrpc":"2.0","method":"{{method}}"{{(parameters.Length == 0 ? "" : ",\"params\":" + parameters)}}}""");

    private static void WriteId(Utf8JsonWriter writer, ReadOnlySpan<byte> id)
    {
        writer.WritePropertyName("id"u8);
        writer.WriteRawValue(id.IsEmpty ? "null"u8 : id, skipInputValidation: true);
    }
}
