using System.Buffers;
using System.Runtime.InteropServices;
using System.Text.Json;
using Weir.Configuration;
using Weir.Gateway.AgentTools;
using Weir.Gateway.ServerRequests;
using Weir.Mcp;
using Weir.Upstream;

namespace Weir.Gateway.Forwarding;

/// <summary>A server's response as one client must see it: its own id, its era's members, <c>/mcp</c>'s URIs.</summary>
/// <param name="mapUris">Whether URIs carry their server's prefix: on the endpoints that show several servers.</param>
/// <param name="freshState">Makes the state of a modern client's retry that is simply the call once more; null where it may not be asked
/// for input.</param>
internal sealed class ResponseWriter(ReadOnlyMemory<byte> id, string method, bool modern, bool mapUris, Func<string>? freshState = null)
{
    public void Write(IBufferWriter<byte> output, UpstreamMessage message, UpstreamSession session)
    {
        output.Write("{\"jsonrpc\":\"2.0\",\"id\":"u8);
        output.Write(id.Span);
        if (modern && freshState is not null && message.Fields.ErrorCode == RpcCodes.UrlElicitationRequired
            && UrlElicitation.Read(message) is { Count: > 0 } requests)
        {
            output.Write(",\"result\":"u8);
            UrlElicitation.WriteInputRequired(output, requests, freshState());
        }
        else if (message.Fields.Error.Exists)
        {
            output.Write(",\"error\":"u8);
            WriteError(output, message, session);
        }
        else
        {
            output.Write(",\"result\":"u8);
            WriteResult(output, message, session);
        }

        output.Write("}"u8);
    }

    /// <summary>The HTTP status that a modern client expects with an error of its server.</summary>
    public int StatusOf(UpstreamMessage message, UpstreamSession session) =>
        modern && message.Fields.Error.Exists && Code(message, session) is RpcCodes.MissingClientCapability ? 400 : 200;

    private int Code(UpstreamMessage message, UpstreamSession session) =>
        EraErrors.Translate(message.Fields.ErrorCode, method, fromModern: session.IsModern, toModern: modern);

    /// <summary>The three members of an error, each once, whatever else the server wrote into it.</summary>
    private void WriteError(IBufferWriter<byte> output, UpstreamMessage message, UpstreamSession session)
    {
        using var document =
            JsonDocument.Parse(message.Fields.Error.Of(message.Bytes), new JsonDocumentOptions { MaxDepth = JsonDepth.Message });
        using var json = new Utf8JsonWriter(output, PlainJson.Writing);
        json.WriteStartObject();
        json.WriteNumber("code"u8, Code(message, session));
        foreach (var name in (ReadOnlySpan<string>)["message", "data"])
        {
            if (document.RootElement.TryGetProperty(name, out var member))
            {
                json.WritePropertyName(name);
                json.WriteRawValue(JsonMarshal.GetRawUtf8Value(member), skipInputValidation: true);
            }
        }

        json.WriteEndObject();
    }

    private void WriteResult(IBufferWriter<byte> output, UpstreamMessage message, UpstreamSession session)
    {
        var result = message.Fields.Result.Of(message.Bytes);
        if (mapUris && ResourceUris.MayHold(result.Span, method))
        {
            var mapped = new ArrayBufferWriter<byte>(result.Length + 256);
            using (var json = new Utf8JsonWriter(mapped, PlainJson.Writing))
            {
                ResourceUris.WriteMapped(json, result, session.Target.InstanceName, method);
            }

            result = mapped.WrittenMemory;
        }

        if (!modern)
        {
            if (session.IsModern)
            {
                ResultEnvelope.WriteLegacy(output, result);
            }
            else
            {
                output.Write(result.Span);
            }
        }
        else if (method == Methods.ResourcesRead && message.Fields.ResultType is null or "complete")
        {
            ResultEnvelope.WriteCacheable(output, result);
        }
        else if (session.IsModern)
        {
            output.Write(result.Span);
        }
        else
        {
            ResultEnvelope.WriteModern(output, result.Span, message.Fields.ResultType is not null);
        }
    }
}
