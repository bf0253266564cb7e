using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Weir.Configuration;
using Weir.Gateway.Calls;
using Weir.Gateway.Http;
using Weir.Upstream;

namespace Weir.Gateway.Parking;

/// <summary>
/// One call at a legacy server, carried over several requests of a modern client. The server asks while it works; a modern client is
/// not asked, it is told that input is required and comes again. In between the call is parked: nobody's response is open, and
/// what the server says then waits. Of its notifications only the newest do, for the client may never come again.
/// </summary>
internal sealed class ResumableCall : ICallResponder
{
    /// <summary>Most notifications that wait, and their bytes.</summary>
    private const int MaxUnheard = 64;
    private const int MaxUnheardBytes = 64 * 1024;

    private readonly Lock _lock = new();
    private readonly Queue<UpstreamMessage> _unheard = new();
    private readonly Dictionary<string, ServerRequest> _open = new(StringComparer.Ordinal);

    /// <summary>Held by whoever writes to the client's response, so that it is not taken away in the middle.</summary>
    private readonly SemaphoreSlim _using = new(1);
    private HttpCallResponder? _client;
    private TaskCompletionSource _arrival = NewSignal();
    private TaskCompletionSource _asked = NewSignal();
    private int _lastKey;

    /// <summary>Bytes of the notifications that wait for the client to come again.</summary>
    public int UnheardBytes => _unheard.Sum(m => m.Bytes.Length);

    /// <summary>Completes when there is something that the client must be asked.</summary>
    public Task Asked
    {
        get
        {
            lock (_lock)
            {
                return _asked.Task;
            }
        }
    }

    /// <summary>
    /// A request of the client that carries the call from now on, with what it answers to the questions of the one before.
    /// </summary>
    /// <param name="responses">A JSON object by the questions' keys; what is not answered is asked again.</param>
    public async Task AttachAsync(HttpCallResponder client, ReadOnlyMemory<byte> responses, CancellationToken ct)
    {
        await _using.WaitAsync(ct);
        try
        {
            while (_unheard.TryDequeue(out var message))
            {
                await client.NotifyAsync(message, ct);
            }

            lock (_lock)
            {
                _client = client;
                _arrival.TrySetResult();
                _asked = NewSignal();
            }
        }
        finally
        {
            _using.Release();
        }

        Answer(responses);
        lock (_lock)
        {
            if (_open.Count > 0)
            {
                _asked.TrySetResult();
            }
        }
    }

    /// <summary>
    /// Parks the call: the open questions as the result of the client's request. False when the call has ended meanwhile.
    /// </summary>
    /// <param name="state">The value of <c>requestState</c>.</param>
    public async Task<bool> TryParkAsync(Task run, string state, CancellationToken ct)
    {
        await _using.WaitAsync(ct);
        try
        {
            HttpCallResponder client;
            ServerRequest[] requests;
            lock (_lock)
            {
                if (run.IsCompleted || _client is not { } current || _open.Count == 0)
                {
                    _asked = NewSignal();
                    return false;
                }

                (client, requests) = (current, [.. _open.Values]);
                _client = null;
                _arrival = NewSignal();
            }

            await client.FinishAsync(json => WriteInputRequired(json, requests, state), ct);
            return true;
        }
        finally
        {
            _using.Release();
        }
    }

    public async ValueTask NotifyAsync(UpstreamMessage message, CancellationToken ct)
    {
        await _using.WaitAsync(ct);
        try
        {
            if (_client is { } client)
            {
                await client.NotifyAsync(message, ct);
            }
            else
            {
                Keep(message);
            }
        }
        finally
        {
            _using.Release();
        }
    }

    public async Task<ClientResponse> AskAsync(string method, ReadOnlyMemory<byte> parameters, CancellationToken ct)
    {
        var request = new ServerRequest(method, parameters);
        string key;
        lock (_lock)
        {
            key = "q" + (++_lastKey).ToString(CultureInfo.InvariantCulture);
            request.Key = key;
            _open[key] = request;
            _asked.TrySetResult();
        }

        try
        {
            return await request.Answer.Task.WaitAsync(ct);
        }
        finally
        {
            lock (_lock)
            {
                _open.Remove(key);
            }
        }
    }

    public async ValueTask FinishAsync(UpstreamMessage message, UpstreamSession session, CancellationToken ct)
    {
        while (true)
        {
            await Arrival.WaitAsync(ct);
            await _using.WaitAsync(ct);
            try
            {
                if (_client is { } client)
                {
                    await client.FinishAsync(message, session, ct);
                    _client = null;
                    return;
                }
            }
            finally
            {
                _using.Release();
            }
        }
    }

    private void Keep(UpstreamMessage message)
    {
        _unheard.Enqueue(message);
        while (_unheard.Count > MaxUnheard || UnheardBytes > MaxUnheardBytes)
        {
            _unheard.Dequeue();
        }
    }

    private Task Arrival
    {
        get
        {
            lock (_lock)
            {
                return _arrival.Task;
            }
        }
    }

    private void Answer(ReadOnlyMemory<byte> responses)
    {
        if (responses.IsEmpty)
        {
            return;
        }

        using var document = JsonDocument.Parse(responses, new JsonDocumentOptions { MaxDepth = JsonDepth.Message });
        lock (_lock)
        {
            foreach (var (key, request) in _open.ToArray())
            {
                if (document.RootElement.TryGetProperty(key, out var answer) && answer.ValueKind == JsonValueKind.Object)
                {
                    _open.Remove(key);
                    request.Answer.TrySetResult(
                        new ClientResponse(JsonSerializer.SerializeToUtf8Bytes(answer, CallJson.Default.JsonElement), default));
                }
            }
        }
    }

    private static void WriteInputRequired(Utf8JsonWriter json, ServerRequest[] requests, string state)
    {
        json.WriteStartObject();
        json.WriteString("resultType"u8, "input_required"u8);
        json.WriteStartObject("inputRequests"u8);
        foreach (var request in requests)
        {
            json.WriteStartObject(request.Key);
            json.WriteString("method"u8, request.Method);
            json.WritePropertyName("params"u8);
            json.WriteRawValue(request.Parameters.Span, skipInputValidation: true);
            json.WriteEndObject();
        }

        json.WriteEndObject();
        json.WriteString("requestState"u8, state);
        json.WriteEndObject();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private sealed class ServerRequest(string method, ReadOnlyMemory<byte> parameters)
    {
        public string Key { get; set; } = "";

        public string Method { get; } = method;

        public ReadOnlyMemory<byte> Parameters { get; } = parameters;

        public TaskCompletionSource<ClientResponse> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
