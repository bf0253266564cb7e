using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Weir.Mcp;
using Weir.Upstream;

namespace Weir.Gateway;

/// <summary>
/// The request as the server gets it: the caller's bytes, with <c>id</c>, <c>name</c> and <c>_meta</c> made anew. Arguments are
/// copied as they are, the same bytes that admission judged.
/// </summary>
internal static class ForwardedBody
{
    public static ReadOnlyMemory<byte> Build(ReadOnlyMemory<byte> body, Envelope envelope, long id, string name, bool modern)
    {
        var output = new ArrayBufferWriter<byte>(body.Length + 256);
        output.Write("{\"jsonrpc\":\"2.0\",\"id\":"u8);
        WriteNumber(output, id);
        output.Write(",\"method\":\""u8);
        output.Write(System.Text.Encoding.UTF8.GetBytes(envelope.Method));
        output.Write("\",\"params\":{\"name\":"u8);
        output.Write(JsonSerializer.SerializeToUtf8Bytes(name, GatewayJson.Default.String));
        WriteMembers(output, envelope.Params.Of(body.Span));
        WriteMeta(output, body.Span, envelope, id, modern);
        output.Write("}}"u8);
        return output.WrittenMemory;
    }

    /// <summary>
    /// Only members that the protocol knows, spelled as it spells them. Admission judged <c>arguments</c>; an <c>Arguments</c> beside it
    /// would be the arguments of a server whose parser ignores case. And no <c>task</c>: Weir declares none, so nobody may start one.
    /// </summary>
    private static void WriteMembers(ArrayBufferWriter<byte> output, ReadOnlySpan<byte> parameters)
    {
        if (parameters.IsEmpty)
        {
            return;
        }

        var reader = new Utf8JsonReader(parameters, new JsonReaderOptions { MaxDepth = 256 });
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var start = (int)reader.TokenStartIndex;
            var known = reader.ValueTextEquals("arguments"u8) || reader.ValueTextEquals("inputResponses"u8) || reader.ValueTextEquals("requestState"u8);
            reader.Read();
            reader.Skip();
            if (known)
            {
                output.Write(","u8);
                output.Write(parameters[start..(int)reader.BytesConsumed]);
            }
        }
    }

    /// <summary>
    /// The caller's members stay, but those that speak for the caller's own connection are dropped, baggage does not cross the
    /// trust boundary, and the progress token becomes the id, which no other call of this server has.
    /// </summary>
    private static void WriteMeta(ArrayBufferWriter<byte> output, ReadOnlySpan<byte> body, Envelope envelope, long id, bool modern)
    {
        if (!modern && !envelope.Meta.Exists)
        {
            return;
        }

        output.Write(",\"_meta\":"u8);
        using var json = new Utf8JsonWriter(output);
        json.WriteStartObject();
        if (envelope.Meta.Exists)
        {
            CopyMeta(json, envelope.Meta.Of(body));
        }

        if (envelope.ProgressToken.Exists)
        {
            json.WriteNumber("progressToken"u8, id);
        }

        if (modern)
        {
            var capabilities = envelope.MetaVersion is not null && envelope.ClientCapabilities.Exists ? envelope.ClientCapabilities.Of(body) : default;
            UpstreamClient.WriteModernMetaMembers(json, capabilities);
        }

        json.WriteEndObject();
    }

    private static void CopyMeta(Utf8JsonWriter json, ReadOnlySpan<byte> meta)
    {
        var reader = new Utf8JsonReader(meta, new JsonReaderOptions { MaxDepth = 256 });
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString() ?? "";
            reader.Read();
            var start = (int)reader.TokenStartIndex;
            reader.Skip();
            var own = name is "progressToken" or "baggage" || name.StartsWith("io.modelcontextprotocol/", StringComparison.Ordinal);
            if (!own)
            {
                json.WritePropertyName(name);
                json.WriteRawValue(meta[start..(int)reader.BytesConsumed], skipInputValidation: true);
            }
        }
    }

    private static void WriteNumber(ArrayBufferWriter<byte> output, long number)
    {
        var span = output.GetSpan(20);
        number.TryFormat(span, out var written, default, CultureInfo.InvariantCulture);
        output.Advance(written);
    }
}
