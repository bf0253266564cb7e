using System.Buffers;
using System.Text.Json;
using Weir.Mcp;

namespace Weir.Upstream;

/// <summary>The bodies of requests that Weir makes by itself, and what it says of itself in those that it passes on.</summary>
internal static class RpcBody
{
    /// <summary>A request of Weir's own: <paramref name="writeParams"/> writes the members of <c>params</c>.</summary>
    public static ReadOnlyMemory<byte> Build(long id, string method, Action<Utf8JsonWriter> writeParams)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("jsonrpc"u8, "2.0"u8);
            json.WriteNumber("id"u8, id);
            json.WriteString("method"u8, method);
            json.WriteStartObject("params"u8);
            writeParams(json);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        return buffer.WrittenMemory;
    }

    /// <summary>
    /// What a modern request carries in <c>_meta</c>; the client's capabilities where it relays a modern client's request.
    /// </summary>
    public static void WriteModernMeta(Utf8JsonWriter json, ReadOnlySpan<byte> clientCapabilities = default)
    {
        json.WriteStartObject("_meta"u8);
        WriteModernMetaMembers(json, clientCapabilities);
        json.WriteEndObject();
    }

    public static void WriteModernMetaMembers(Utf8JsonWriter json, ReadOnlySpan<byte> clientCapabilities = default)
    {
        json.WriteString(Protocol.MetaVersion, Protocol.Modern);
        json.WritePropertyName(Protocol.MetaClientInfo);
        WriteClientInfo(json);
        json.WritePropertyName(Protocol.MetaClientCapabilities);
        json.WriteRawValue(clientCapabilities.IsEmpty ? "{}"u8 : clientCapabilities, skipInputValidation: true);
    }

    public static void WriteClientInfo(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("name"u8, "weir"u8);
        json.WriteString("version"u8, typeof(RpcBody).Assembly.GetName().Version?.ToString(3));
        json.WriteEndObject();
    }
}
