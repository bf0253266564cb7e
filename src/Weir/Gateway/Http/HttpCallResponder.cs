using System.Buffers;
using System.IO.Pipelines;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Weir.Configuration;
using Weir.Gateway.Calls;
using Weir.Gateway.Forwarding;
using Weir.Gateway.ServerRequests;
using Weir.Http;
using Weir.Mcp;
using Weir.Upstream;

namespace Weir.Gateway.Http;

/// <summary>
/// Writes a call's messages for the client's era: one JSON body when the response is all there is, an event stream as soon as
/// something comes before it, or nothing does for 15 seconds: from then on a comment every 15 seconds keeps proxies from ending it. Ids
/// and progress tokens become the client's own again. A legacy client is asked on that stream. Nothing waits here: whoever writes waits
/// for the client, so a server that is read only for this call is held up by its client.
/// </summary>
/// <param name="inputTimeout">How long a person or model behind the client may take to answer a server.</param>
/// <param name="freshState">See <see cref="ResponseWriter"/>.</param>
internal sealed class HttpCallResponder(
    McpRequest request, GovernedCall call, ClientResponses answers, TimeSpan inputTimeout, Func<string> freshState)
    : ICallResponder, IAsyncDisposable
{
    private readonly HttpResponse _response = request.Http.Response;
    private readonly PipeWriter _output = request.Http.Response.BodyWriter;
    private readonly ResponseWriter _writer =
        new(request.Id, request.Message.Method, request.Modern, mapUris: request.Scope.InstanceName is null,
        call.Offered.Offers(Methods.Elicit) ? freshState : null);

    /// <summary>A server's question is put beside the reading of its answer, so two may want to write at one time.</summary>
    private readonly SemaphoreSlim _writing = new(1);
    private ITimer? _beat;
    private bool _streaming;
    private bool _ended;

    /// <summary>Whether anything was sent, so that an error can no longer choose its status.</summary>
    public bool HasStarted => _response.HasStarted || _streaming;

    /// <summary>From now on the client hears every 15 seconds that its call goes on, if it accepts a stream.</summary>
    public void KeepAlive(TimeProvider time)
    {
        if (request.AcceptsEvents)
        {
            _beat =
                time.CreateTimer(
                    static state => _ = ((HttpCallResponder)state!).BeatAsync(), this, EventStream.KeepAlive, EventStream.KeepAlive);
        }
    }

    /// <summary>Nothing begins a stream any more, so that <see cref="HasStarted"/> stays as it is.</summary>
    public async ValueTask StopWaitingAsync()
    {
        if (_beat is { } beat)
        {
            await beat.DisposeAsync();
        }

        await _writing.WaitAsync(CancellationToken.None);
        _ended = true;
        _writing.Release();
    }

    public ValueTask NotifyAsync(UpstreamMessage message, CancellationToken ct) => message.Fields.Method switch
    {
        _ when !request.AcceptsEvents => ValueTask.CompletedTask,
        // Of a server's notifications only these belong to a call, and only to one that asked for them.
        Methods.Progress when request.Message.ProgressToken.Exists && message.Fields.Params.Exists =>
            WriteEventAsync(output => WriteProgress(output, message), ct),
        // A legacy client that named no level gets what the server says by itself.
        Methods.Log when LogLevels.Reaches(LevelOf(message), call.LogLevel ?? (request.Modern ? null : "debug")) =>
            WriteEventAsync(output => output.Write(message.Bytes.Span), ct),
        Methods.ElicitationComplete when !request.Modern && call.Offered.Offers(Methods.Elicit) =>
            WriteEventAsync(output => output.Write(message.Bytes.Span), ct),
        _ => ValueTask.CompletedTask,
    };

    public Task<ClientResponse> AskAsync(string method, ReadOnlyMemory<byte> parameters, CancellationToken ct)
    {
        var session = request.Session ?? throw new InvalidOperationException("A modern client is not asked while it waits.");
        return answers.AskAsync(
            session.Id,
            inputTimeout,
            id => WriteEventAsync(output => WriteRequest(output, id, method, LegacyElicitation.Write(method, parameters)), ct).AsTask(),
            ct);
    }

    public async ValueTask FinishAsync(UpstreamMessage message, UpstreamSession session, CancellationToken ct)
    {
        await StopWaitingAsync();
        if (_streaming)
        {
            await WriteEventAsync(output => _writer.Write(output, message, session), ct);
            return;
        }

        var answer = new ArrayBufferWriter<byte>(message.Bytes.Length + 256);
        _writer.Write(answer, message, session);
        await WriteBodyAsync(answer, _writer.StatusOf(message, session), ct);
    }

    /// <summary>A result that Weir makes itself.</summary>
    /// <param name="result">Writes one value.</param>
    public async ValueTask FinishAsync(Action<Utf8JsonWriter> result, CancellationToken ct)
    {
        await StopWaitingAsync();
        if (_streaming)
        {
            await WriteEventAsync(output => RpcWriter.WriteResult(output, request.Id, result), ct);
            return;
        }

        var answer = new ArrayBufferWriter<byte>(256);
        RpcWriter.WriteResult(answer, request.Id, result);
        await WriteBodyAsync(answer, StatusCodes.Status200OK, ct);
    }

    /// <summary>An error after the stream began: its last event.</summary>
    public ValueTask FailAsync(int code, string text, Action<Utf8JsonWriter>? data, CancellationToken ct) =>
        WriteEventAsync(output => RpcWriter.WriteError(output, request.Id, code, text, data), ct);

    public ValueTask DisposeAsync() => StopWaitingAsync();

    /// <summary>One sign of life. Whoever writes at the moment is one too.</summary>
    private async Task BeatAsync()
    {
        if (!await _writing.WaitAsync(0))
        {
            return;
        }

        try
        {
            if (!_ended)
            {
                Begin();
                _output.Write(EventStream.Comment);
                await _output.FlushAsync(request.Aborted);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or InvalidOperationException)
        {
            // The client went away; the call learns it by itself, or goes on without it.
        }
        finally
        {
            _writing.Release();
        }
    }

    private void Begin()
    {
        if (!_streaming)
        {
            _streaming = true;
            EventStream.Begin(_response);
        }
    }

    private async ValueTask WriteBodyAsync(ArrayBufferWriter<byte> answer, int status, CancellationToken ct)
    {
        _response.StatusCode = status;
        _response.ContentType = "application/json";
        _response.ContentLength = answer.WrittenCount;
        _output.Write(answer.WrittenSpan);
        await _output.FlushAsync(ct);
    }

    private async ValueTask WriteEventAsync(Action<IBufferWriter<byte>> write, CancellationToken ct)
    {
        await _writing.WaitAsync(ct);
        try
        {
            Begin();
            EventStream.WriteMessage(_output, write);
            await _output.FlushAsync(ct);
        }
        finally
        {
            _writing.Release();
        }
    }

    private void WriteProgress(IBufferWriter<byte> output, UpstreamMessage message)
    {
        using var json = new Utf8JsonWriter(output, PlainJson.Writing);
        json.WriteStartObject();
        json.WriteString("jsonrpc"u8, "2.0"u8);
        json.WriteString("method"u8, Methods.Progress);
        json.WriteStartObject("params"u8);
        json.WritePropertyName("progressToken"u8);
        json.WriteRawValue(request.Message.ProgressToken.Of(request.Body.Span), skipInputValidation: true);
        using var parameters =
            JsonDocument.Parse(message.Fields.Params.Of(message.Bytes), new JsonDocumentOptions { MaxDepth = JsonDepth.Message });
        foreach (var member in parameters.RootElement.EnumerateObject().Where(m => !m.NameEquals("progressToken"u8)))
        {
            member.WriteTo(json);
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteRequest(IBufferWriter<byte> output, string id, string method, ReadOnlyMemory<byte> parameters)
    {
        using var json = new Utf8JsonWriter(output, PlainJson.Writing);
        json.WriteStartObject();
        json.WriteString("jsonrpc"u8, "2.0"u8);
        json.WritePropertyName("id"u8);
        json.WriteRawValue(id);
        json.WriteString("method"u8, method);
        json.WritePropertyName("params"u8);
        json.WriteRawValue(parameters.Span, skipInputValidation: true);
        json.WriteEndObject();
    }

    private static string? LevelOf(UpstreamMessage message)
    {
        if (!message.Fields.Params.Exists)
        {
            return null;
        }

        using var parameters =
            JsonDocument.Parse(message.Fields.Params.Of(message.Bytes), new JsonDocumentOptions { MaxDepth = JsonDepth.Message });
        return parameters.RootElement.TryGetProperty("level", out var level) && level.ValueKind == JsonValueKind.String
            ? level.GetString() : null;
    }
}
