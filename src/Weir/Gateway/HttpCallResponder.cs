using System.Buffers;
using System.IO.Pipelines;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Weir.Mcp;
using Weir.Upstream;

namespace Weir.Gateway;

/// <summary>
/// Writes a call's messages for the client's era: one JSON body when the response is all there is, an event stream as soon as a
/// notification comes first. Ids and progress tokens become the client's own again.
/// </summary>
internal sealed class HttpCallResponder(HttpResponse response, ReadOnlyMemory<byte> body, Envelope envelope, bool modern, bool mapUris) : ICallResponder
{
    private readonly PipeWriter _output = response.BodyWriter;
    private bool _streaming;

    /// <summary>Whether anything was sent, so that an error can no longer choose its status.</summary>
    public bool HasStarted => response.HasStarted || _streaming;

    public async ValueTask NotifyAsync(UpstreamMessage message, CancellationToken ct)
    {
        // Of a server's notifications only progress belongs to a call, and only to one that asked for it.
        if (message.Outline.Method != Methods.Progress || !envelope.ProgressToken.Exists || !message.Outline.Params.Exists)
        {
            return;
        }

        BeginStream();
        WriteEvent(output => WriteProgress(output, message));
        await _output.FlushAsync(ct);
    }

    public async ValueTask FinishAsync(UpstreamMessage message, UpstreamSession session, CancellationToken ct)
    {
        if (_streaming)
        {
            WriteEvent(output => WriteResponse(output, message, session));
        }
        else
        {
            var answer = new ArrayBufferWriter<byte>(message.Bytes.Length + 256);
            WriteResponse(answer, message, session);
            response.ContentType = "application/json";
            response.ContentLength = answer.WrittenCount;
            _output.Write(answer.WrittenSpan);
        }

        await _output.FlushAsync(ct);
    }

    /// <summary>An error after the stream began: its last event.</summary>
    public async ValueTask FailAsync(int code, string text, Action<Utf8JsonWriter> data, CancellationToken ct)
    {
        var id = envelope.Id.Of(body.Span).ToArray();
        WriteEvent(output => RpcWriter.WriteError(output, id, code, text, data));
        await _output.FlushAsync(ct);
    }

    private void BeginStream()
    {
        if (_streaming)
        {
            return;
        }

        _streaming = true;
        EventStream.Begin(response);
    }

    /// <summary>A JSON-RPC message holds no line break, unless its sender wrote it over several lines; an event must not.</summary>
    private void WriteEvent(Action<IBufferWriter<byte>> write)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        write(buffer);
        _output.Write("event: message\ndata: "u8);
        foreach (var part in buffer.WrittenSpan.SplitAny((byte)'\r', (byte)'\n'))
        {
            _output.Write(buffer.WrittenSpan[part]);
        }

        _output.Write("\n\n"u8);
    }

    private void WriteProgress(IBufferWriter<byte> output, UpstreamMessage message)
    {
        using var json = new Utf8JsonWriter(output);
        json.WriteStartObject();
        json.WriteString("jsonrpc"u8, "2.0"u8);
        json.WriteString("method"u8, Methods.Progress);
        json.WriteStartObject("params"u8);
        json.WritePropertyName("progressToken"u8);
        json.WriteRawValue(envelope.ProgressToken.Of(body.Span), skipInputValidation: true);
        using var parameters = JsonDocument.Parse(message.Outline.Params.Of(message.Bytes), new JsonDocumentOptions { MaxDepth = 128 });
        foreach (var member in parameters.RootElement.EnumerateObject().Where(m => !m.NameEquals("progressToken"u8)))
        {
            member.WriteTo(json);
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }

    private void WriteResponse(IBufferWriter<byte> output, UpstreamMessage message, UpstreamSession session)
    {
        output.Write("{\"jsonrpc\":\"2.0\",\"id\":"u8);
        output.Write(envelope.Id.Of(body.Span));
        if (message.Outline.Error.Exists)
        {
            output.Write(",\"error\":"u8);
            output.Write(message.Outline.Error.Of(message.Bytes.Span));
        }
        else
        {
            output.Write(",\"result\":"u8);
            WriteResult(output, message, session);
        }

        output.Write("}"u8);
    }

    private void WriteResult(IBufferWriter<byte> output, UpstreamMessage message, UpstreamSession session)
    {
        var result = message.Outline.Result.Of(message.Bytes);
        if (mapUris && ResourceUris.MayHold(result.Span))
        {
            var mapped = new ArrayBufferWriter<byte>(result.Length + 256);
            using (var json = new Utf8JsonWriter(mapped))
            {
                ResourceUris.WriteMapped(json, result, session.Target.InstanceName);
            }

            result = mapped.WrittenMemory;
        }

        if (session.IsModern == modern)
        {
            output.Write(result.Span);
        }
        else if (modern)
        {
            ResultEnvelope.WriteModern(output, result.Span, message.Outline.ResultType is not null);
        }
        else
        {
            ResultEnvelope.WriteLegacy(output, result);
        }
    }
}
