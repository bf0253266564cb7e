using System.Buffers;
using System.Text.Json;
using Weir.Configuration;

namespace Weir.Mcp;

/// <summary>Writes the messages that are Weir's own: results that it makes and errors.</summary>
internal static class RpcWriter
{
    /// <summary>The id where the request's could not be read.</summary>
    private static ReadOnlySpan<byte> NullId => "null"u8;

    /// <summary><c>{"jsonrpc":"2.0","id":…,"error":{"code","message","data"?}}</c></summary>
    public static void WriteError(
        IBufferWriter<byte> output, ReadOnlySpan<byte> id, int code, string message, Action<Utf8JsonWriter>? data = null)
    {
        using var json = new Utf8JsonWriter(output, PlainJson.Writing);
        json.WriteStartObject();
        WriteHead(json, id);
        json.WriteStartObject("error"u8);
        json.WriteNumber("code"u8, code);
        json.WriteString("message"u8, message);
        if (data is not null)
        {
            json.WritePropertyName("data"u8);
            data(json);
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }

    /// <summary><c>{"jsonrpc":"2.0","id":…,"result":…}</c>; <paramref name="result"/> writes one value.</summary>
    public static void WriteResult(IBufferWriter<byte> output, ReadOnlySpan<byte> id, Action<Utf8JsonWriter> result)
    {
        using var json = new Utf8JsonWriter(output, PlainJson.Writing);
        json.WriteStartObject();
        WriteHead(json, id);
        json.WritePropertyName("result"u8);
        result(json);
        json.WriteEndObject();
    }

    private static void WriteHead(Utf8JsonWriter json, ReadOnlySpan<byte> id)
    {
        json.WriteString("jsonrpc"u8, "2.0"u8);
        json.WritePropertyName("id"u8);
        json.WriteRawValue(id.IsEmpty ? NullId : id, skipInputValidation: true);
    }
}
