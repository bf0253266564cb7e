using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using Weir.Mcp;

namespace Weir.Upstream;

/// <summary>
/// The transport of 2024-11-05: one GET stream for all that the server says, which names in its first event where to post. Answers find
/// their calls by id; what belongs to no call known by id goes to the newest one, or to whoever listens.
/// </summary>
internal sealed class SseConnection : IDisposable
{
    private readonly HttpResponseMessage _response;
    private readonly CancellationTokenSource _closed = new();
    private readonly ConcurrentDictionary<long, MessageQueue> _calls = new();
    private readonly ConcurrentDictionary<MessageQueue, bool> _listeners = new();

    private SseConnection(HttpResponseMessage response, Uri endpoint)
    {
        _response = response;
        Endpoint = endpoint;
    }

    /// <summary>
    /// Where messages are posted to: of the same origin as the stream, so that no server sends its callers' credentials elsewhere.
    /// </summary>
    public Uri Endpoint { get; }

    public bool IsClosed => _closed.IsCancellationRequested;

    /// <summary>Takes over a stream that was just opened; null where it is not this transport's.</summary>
    /// <param name="maxBytes">Largest event.</param>
    /// <exception cref="UpstreamException">Its endpoint is of another origin, or no address.</exception>
    public static async Task<SseConnection?> OpenAsync(HttpResponseMessage response, Uri url, int maxBytes, CancellationToken ct)
    {
        if (!UpstreamRequest.IsEventStream(response))
        {
            return null;
        }

        var events = new SseReader(await response.Content.ReadAsStreamAsync(ct), maxBytes);
        await using var stop = ct.Register(static r => ((HttpResponseMessage)r!).Dispose(), response);
        if (await ReadEndpointAsync(events) is not { } address)
        {
            return null;
        }

        if (!Uri.TryCreate(url, address, out var endpoint)
            || endpoint.GetLeftPart(UriPartial.Authority) != url.GetLeftPart(UriPartial.Authority))
        {
            throw new UpstreamException(UpstreamFailure.Nonsense, "The server names an address of another origin to post to.");
        }

        events.IsEndless = true;
        var connection = new SseConnection(response, endpoint);
        _ = connection.ReadAsync(events);
        return connection;
    }

    /// <summary>Where to post; null where the stream ends, or begins with a message, and so is not this transport's.</summary>
    private static async Task<string?> ReadEndpointAsync(SseReader events)
    {
        while (await events.ReadAsync(CancellationToken.None) is { } current)
        {
            if (current.Type is "endpoint" or SseReader.Message)
            {
                return current.Type == "endpoint" ? Encoding.UTF8.GetString(current.Data) : null;
            }
        }

        return null;
    }

    /// <summary>What the server says to the request of this id; to be asked for before it is posted.</summary>
    /// <param name="account">Bounds what waits.</param>
    public MessageQueue Expect(long id, ByteAccount account)
    {
        var queue = new MessageQueue(account);
        _calls[id] = queue;
        if (IsClosed)
        {
            queue.Complete();
        }

        return queue;
    }

    public void Forget(long id) => _calls.TryRemove(id, out _);

    /// <summary>What belongs to no call.</summary>
    public MessageQueue Listen(ByteAccount account)
    {
        var queue = new MessageQueue(account);
        _listeners[queue] = true;
        if (IsClosed)
        {
            queue.Complete();
        }

        return queue;
    }

    public void Forget(MessageQueue listener) => _listeners.TryRemove(listener, out _);

    public void Dispose()
    {
        _closed.Cancel();
        _response.Dispose();
    }

    private async Task ReadAsync(SseReader events)
    {
        try
        {
            while (await events.ReadAsync(CancellationToken.None) is { } current)
            {
                if (current is { Type: SseReader.Message, Data.Length: > 0 } && !RpcBatch.IsHeartbeat(current.Data))
                {
                    foreach (var message in RpcBatch.Split(current.Data))
                    {
                        // A part of a batch must not keep the whole of it.
                        Deliver(message.Length == current.Data.Length ? message : message.ToArray());
                    }
                }
            }
        }
        catch (Exception e) when (e is HttpRequestException or IOException or ObjectDisposedException
            or UpstreamException or JsonException or InvalidOperationException or OperationCanceledException)
        {
            // The stream broke, or sent what is no message: nothing of it can be trusted any more.
        }
        finally
        {
            Dispose();
            foreach (var queue in _calls.Values.Concat(_listeners.Keys))
            {
                queue.Complete();
            }
        }
    }

    /// <summary>
    /// The stream carries all calls, so no call may hold it up. Where one has no more room, its progress and logs are dropped, a response
    /// takes the place of those that wait, and the call ends where a response or a question has no room all the same.
    /// </summary>
    private void Deliver(ReadOnlyMemory<byte> data)
    {
        var fields = ServerMessage.Read(data.Span);
        switch (fields.Kind)
        {
            case MessageKind.Response:
                if (RpcIds.TryReadToken(fields.Id.Of(data.Span), out var id) && _calls.TryGetValue(id, out var asked)
                    && !asked.TryAddInPlaceOfOlder(data))
                {
                    asked.Complete(ByteAccount.Full());
                }

                break;
            case MessageKind.Notification when fields.Method == Methods.Progress:
                if (RpcIds.TryReadToken(fields.ProgressToken.Of(data.Span), out var token) && _calls.TryGetValue(token, out var called))
                {
                    called.TryAdd(data);
                }

                break;
            case MessageKind.Notification when _calls.IsEmpty || fields.Method is Methods.ResourceUpdated or Methods.ToolsListChanged
                or Methods.PromptsListChanged or Methods.ResourcesListChanged:
                NotifyListeners(data);
                break;
            case MessageKind.Request when _calls.IsEmpty:
                NotifyListeners(data);
                break;
            default:
                if (_calls.OrderByDescending(c => c.Key).FirstOrDefault().Value is { } newest && !newest.TryAdd(data)
                    && fields.Kind == MessageKind.Request)
                {
                    newest.Complete(ByteAccount.Full());
                }

                break;
        }
    }

    private void NotifyListeners(ReadOnlyMemory<byte> data)
    {
        foreach (var listener in _listeners.Keys)
        {
            listener.TryAddInPlaceOfOlder(data);
        }
    }
}
