using System.Threading.Channels;

namespace Weir.NodeAgent.Bridge;

internal enum Offered
{
    Accepted,

    /// <summary>The queue is complete: its reader expects no more.</summary>
    Complete,

    /// <summary>It does not fit in the queue's budget.</summary>
    Full,
}

/// <summary>Messages that wait for one reader, bounded in bytes. A message counts until its reader asks for the next one.</summary>
internal sealed class MessageQueue(ByteBudget budget)
{
    /// <summary>What a message costs beside its bytes.</summary>
    private const int Overhead = 128;

    private readonly Channel<byte[]> _messages = Channel.CreateUnbounded<byte[]>();
    private readonly Lock _lock = new();
    private long _reading;
    private bool _complete;

    public static long Cost(byte[] message) => message.Length + Overhead;

    public Offered Offer(byte[] message)
    {
        lock (_lock)
        {
            if (_complete)
            {
                return Offered.Complete;
            }

            if (!budget.TryTake(Cost(message)))
            {
                return Offered.Full;
            }

            _messages.Writer.TryWrite(message);
            return Offered.Accepted;
        }
    }

    /// <summary>No more comes; what waits can be read.</summary>
    public void Complete()
    {
        lock (_lock)
        {
            _complete = true;
            _messages.Writer.TryComplete();
        }
    }

    /// <summary>No more comes, and what waits is dropped. The last thing that a reader does.</summary>
    public void Clear()
    {
        Complete();
        budget.Return(Interlocked.Exchange(ref _reading, 0));
        while (_messages.Reader.TryRead(out var message))
        {
            budget.Return(Cost(message));
        }
    }

    /// <summary>Null when the queue is complete and everything has been read.</summary>
    public async ValueTask<byte[]?> NextAsync(CancellationToken cancellation)
    {
        budget.Return(Interlocked.Exchange(ref _reading, 0));
        while (await _messages.Reader.WaitToReadAsync(cancellation))
        {
            if (_messages.Reader.TryRead(out var message))
            {
                _reading = Cost(message);
                return message;
            }
        }

        return null;
    }
}
