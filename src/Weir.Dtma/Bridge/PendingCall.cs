using System.Threading.Channels;

namespace Weir.Dtma.Bridge;

internal readonly record struct CallEvent(byte[] Message, bool IsFinal);

/// <summary>
/// One request on its way through a child. Its events are what the child says because of it, ids and tokens already the caller's,
/// and last its response.
/// </summary>
internal sealed class PendingCall
{
    /// <summary>A caller that does not read gets no more than this kept for it.</summary>
    private const long QueueLimit = 32 * 1024 * 1024;

    private readonly Channel<CallEvent> _events = Channel.CreateUnbounded<CallEvent>(new UnboundedChannelOptions { SingleReader = true });
    private long _queued;
    private int _final;
    private volatile bool _abandoned;

    public PendingCall(byte[] clientId, byte[]? clientToken, long startedAt)
    {
        ClientId = clientId;
        ClientToken = clientToken;
        StartedAt = startedAt;
    }

    /// <summary>The id, and the progress token, by which the child knows it.</summary>
    public long ChildId { get; set; }

    public byte[] ClientId { get; }

    public byte[]? ClientToken { get; }

    public long StartedAt { get; }

    public bool IsFinished => Volatile.Read(ref _final) != 0;

    /// <summary>Called once, when the response is there.</summary>
    public Action<PendingCall>? Completed { get; set; }

    /// <summary>False when nobody will see it.</summary>
    public bool Offer(byte[] message)
    {
        if (_abandoned || Volatile.Read(ref _final) != 0 || Interlocked.Add(ref _queued, message.Length) > QueueLimit)
        {
            return false;
        }

        return _events.Writer.TryWrite(new(message, IsFinal: false));
    }

    public void Finish(byte[] message)
    {
        if (Interlocked.Exchange(ref _final, 1) != 0)
        {
            return;
        }

        _events.Writer.TryWrite(new(message, IsFinal: true));
        _events.Writer.TryComplete();
        Completed?.Invoke(this);
    }

    /// <summary>The caller went away. In these protocol versions that cancels nothing.</summary>
    public void Abandon() => _abandoned = true;

    public async ValueTask<CallEvent> NextAsync(CancellationToken cancellation)
    {
        var next = await _events.Reader.ReadAsync(cancellation);
        Interlocked.Add(ref _queued, -next.Message.Length);
        return next;
    }

    /// <summary>The response, for a caller that wants nothing else.</summary>
    public async Task<byte[]> FinalAsync(CancellationToken cancellation)
    {
        while (true)
        {
            var next = await NextAsync(cancellation);
            if (next.IsFinal)
            {
                return next.Message;
            }
        }
    }
}
