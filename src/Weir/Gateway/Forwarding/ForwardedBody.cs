using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Weir.Configuration;
using Weir.Gateway.Calls;
using Weir.Mcp;
using Weir.Upstream;

namespace Weir.Gateway.Forwarding;

/// <summary>
/// The request as the server gets it: the caller's bytes, with <c>id</c>, the name and <c>_meta</c> made anew. Arguments are
/// copied as they are, the same bytes that admission judged.
/// </summary>
internal static class ForwardedBody
{
    public static ReadOnlyMemory<byte> Build(GovernedCall call, string item, bool modern, long id, InputForServer input = default)
    {
        var output = new ArrayBufferWriter<byte>(call.Body.Length + 256);
        output.Write("{\"jsonrpc\":\"2.0\",\"id\":"u8);
        WriteNumber(output, id);
        output.Write(",\"method\":\""u8);
        output.Write(Encoding.UTF8.GetBytes(call.Message.Method));
        output.Write("\",\"params\":{"u8);
        WriteSubject(output, call, item);
        if (call.Message.Params.Exists)
        {
            WriteMembers(output, call.Message.Params.Of(call.Body.Span), withInput: modern && call.IsModern);
        }

        if (modern)
        {
            WriteInput(output, input);
        }

        WriteMeta(output, call, modern, id);
        output.Write("}}"u8);
        return output.WrittenMemory;
    }

    /// <summary>What <c>Mcp-Name</c> says of the request toward a modern server; null where the method has no such header.</summary>
    public static string? NameOf(GovernedCall call, string item) => Protocol.NamedBy.ContainsKey(call.Message.Method) ? item : null;

    /// <summary>The server's own name where the caller's stood.</summary>
    private static void WriteSubject(ArrayBufferWriter<byte> output, GovernedCall call, string item)
    {
        var name = JsonSerializer.SerializeToUtf8Bytes(item, CallJson.Default.String);
        switch (call.Message.Method)
        {
            case Methods.Complete:
                output.Write(
                    call.Kind == CallKinds.Prompt
                        ? "\"ref\":{\"type\":\"ref/prompt\",\"name\":"u8 : "\"ref\":{\"type\":\"ref/resource\",\"uri\":"u8);
                output.Write(name);
                output.Write("}"u8);
                break;
            default:
                output.Write(call.Kind == CallKinds.Resource ? "\"uri\":"u8 : "\"name\":"u8);
                output.Write(name);
                break;
        }
    }

    /// <summary>
    /// Only members that the protocol knows, spelled as it spells them. Admission judged <c>arguments</c>; an <c>Arguments</c> beside it
    /// would be the arguments of a server whose parser ignores case. And no <c>task</c>: Weir declares none, so nobody may start one.
    /// </summary>
    /// <param name="withInput">What a modern client answers to a modern server's questions is passed on as it is.</param>
    private static void WriteMembers(ArrayBufferWriter<byte> output, ReadOnlySpan<byte> parameters, bool withInput)
    {
        var reader = new Utf8JsonReader(parameters, new JsonReaderOptions { MaxDepth = JsonDepth.Message });
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var start = (int)reader.TokenStartIndex;
            // `argument` and `context` are a completion's.
            var known = reader.ValueTextEquals("arguments"u8) || reader.ValueTextEquals("argument"u8) || reader.ValueTextEquals("context"u8)
                || (withInput && (reader.ValueTextEquals("inputResponses"u8) || reader.ValueTextEquals("requestState"u8)));
            reader.Read();
            reader.Skip();
            if (known)
            {
                output.Write(","u8);
                output.Write(parameters[start..(int)reader.BytesConsumed]);
            }
        }
    }

    private static void WriteInput(ArrayBufferWriter<byte> output, InputForServer input)
    {
        if (!input.Responses.IsEmpty)
        {
            output.Write(",\"inputResponses\":"u8);
            output.Write(input.Responses.Span);
        }

        if (input.State is { } state)
        {
            output.Write(",\"requestState\":"u8);
            output.Write(JsonSerializer.SerializeToUtf8Bytes(state, CallJson.Default.String));
        }
    }

    /// <summary>
    /// The caller's members stay, but those that speak for the caller's own connection are dropped, baggage does not cross the
    /// trust boundary, and the progress token becomes the id, which no other call of this server has.
    /// </summary>
    private static void WriteMeta(ArrayBufferWriter<byte> output, GovernedCall call, bool modern, long id)
    {
        var message = call.Message;
        if (!modern && !message.Meta.Exists)
        {
            return;
        }

        output.Write(",\"_meta\":"u8);
        using var json = new Utf8JsonWriter(output);
        json.WriteStartObject();
        if (message.Meta.Exists)
        {
            CopyMeta(json, message.Meta.Of(call.Body.Span));
        }

        if (message.ProgressToken.Exists)
        {
            json.WriteNumber("progressToken"u8, id);
        }

        if (modern)
        {
            RpcBody.WriteModernMetaMembers(json, call.Offered.Utf8);
            if (call.LogLevel is { } level)
            {
                json.WriteString(Protocol.MetaLogLevel, level);
            }
        }

        json.WriteEndObject();
    }

    private static void CopyMeta(Utf8JsonWriter json, ReadOnlySpan<byte> meta)
    {
        var reader = new Utf8JsonReader(meta, new JsonReaderOptions { MaxDepth = JsonDepth.Message });
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
