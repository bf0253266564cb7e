using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using System.Threading.Channels;
using Weir.Mcp;

namespace Weir.Upstream;

/// <summary>
/// The transport of 2024-11-05: one GET stream for all that the server says, which names in its first event where to post. Answers find their
/// calls by id; what belongs to no call known by id goes to the newest one, or to whoever listens.
/// </summary>
internal sealed class SseConnection : IDisposable
{
    private const int Backlog = 1000;

    private readonly HttpResponseMessage _response;
    private readonly CancellationTokenSource _closed = new();
    private readonly ConcurrentDictionary<long, Channel<byte[]>> _calls = new();
    private readonly ConcurrentDictionary<Channel<byte[]>, bool> _listeners = new();

    private SseConnection(HttpResponseMessage response, Uri endpoint)
    {
        _response = response;
        Endpoint = endpoint;
    }

    /// <summary>Where messages are posted to: of the same origin as the stream, so that no server sends its callers' credentials elsewhere.</summary>
    public Uri Endpoint { get; }

    public bool IsClosed => _closed.IsCancellationRequested;

    /// <summary>Takes over a stream that was just opened; null where it is not this transport's.</summary>
    /// <param name="maxBytes">Largest event.</param>
    /// <exception cref="UpstreamException">Its endpoint is of another origin, or no address.</exception>
    public static async Task<SseConnection?> OpenAsync(HttpResponseMessage response, Uri url, int maxBytes, CancellationToken ct)
    {
        if (!UpstreamExchange.IsEventStream(response))
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
    public ChannelReader<byte[]> Expect(long id)
    {
        var channel = Channel.CreateBounded<byte[]>(Backlog);
        _calls[id] = channel;
        if (IsClosed)
        {
            channel.Writer.TryComplete();
        }

        return channel.Reader;
    }

    public void Forget(long id) => _calls.TryRemove(id, out _);

    /// <summary>What belongs to no call.</summary>
    public Channel<byte[]> Listen()
    {
        var channel = Channel.CreateBounded<byte[]>(new BoundedChannelOptions(Backlog) { FullMode = BoundedChannelFullMode.DropOldest });
        _listeners[channel] = true;
        if (IsClosed)
        {
            channel.Writer.TryComplete();
        }

        return channel;
    }

    public void Forget(Channel<byte[]> listener) => _listeners.TryRemove(listener, out _);

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
                if (current is { Type: SseReader.Message, Data.Length: > 0 })
                {
                    Deliver(current.Data);
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
            foreach (var channel in _calls.Values.Concat(_listeners.Keys))
            {
                channel.Writer.TryComplete();
            }
        }
    }

    private void Deliver(byte[] data)
    {
        var outline = Outline.Read(data);
        var about = outline.Kind == MessageKind.Response ? outline.Id : outline.Method == Methods.Progress ? outline.ProgressToken : default;
        if (about.Exists && System.Buffers.Text.Utf8Parser.TryParse(about.Of(data.AsSpan()), out long id, out _) && _calls.TryGetValue(id, out var call))
        {
            call.Writer.TryWrite(data);
            return;
        }

        var newest = outline.Kind == MessageKind.Response || _calls.IsEmpty ? default : _calls.MaxBy(c => c.Key);
        if (newest.Value is { } channel && outline.Method is not (Methods.ResourceUpdated or Methods.ToolsListChanged
            or Methods.PromptsListChanged or Methods.ResourcesListChanged))
        {
            channel.Writer.TryWrite(data);
            return;
        }

        foreach (var listener in _listeners.Keys)
        {
            listener.Writer.TryWrite(data);
        }
    }
}
