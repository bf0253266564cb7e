using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace Weir.Upstream;

/// <summary>
/// Messages that wait for one reader, bounded in bytes by an account. The connection that they come from carries other calls too, so it is
/// not held up.
/// </summary>
internal sealed class MessageQueue(ByteAccount account)
{
    /// <summary>What a message that waits costs beside its bytes.</summary>
    private const int Overhead = 256;

    private readonly Channel<(ReadOnlyMemory<byte> Message, ByteHold Hold)> _waiting =
        Channel.CreateUnbounded<(ReadOnlyMemory<byte>, ByteHold)>();

    /// <summary>False where there is no room: the message is dropped.</summary>
    public bool TryAdd(ReadOnlyMemory<byte> message)
    {
        if (account.TryTake(message.Length + Overhead) is not { } hold)
        {
            return false;
        }

        if (!_waiting.Writer.TryWrite((message, hold)))
        {
            hold.Dispose();
        }

        return true;
    }

    /// <summary>The oldest messages are dropped until there is room. False where there is none without them either.</summary>
    public bool TryAddInPlaceOfOlder(ReadOnlyMemory<byte> message)
    {
        while (!TryAdd(message))
        {
            if (!_waiting.Reader.TryRead(out var oldest))
            {
                return false;
            }

            oldest.Hold.Dispose();
        }

        return true;
    }

    /// <summary>Nothing more comes. The reader gets what waits, and then <paramref name="failure"/>.</summary>
    public void Complete(UpstreamException? failure = null) => _waiting.Writer.TryComplete(failure);

    /// <summary>
    /// Each message counts until the next one is asked for; the one that the reader stops at counts until the account is closed.
    /// </summary>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAllAsync([EnumeratorCancellation] CancellationToken ct)
    {
        await foreach (var (message, hold) in _waiting.Reader.ReadAllAsync(ct))
        {
            yield return message;
            hold.Dispose();
        }
    }
}
