namespace Weir.NodeAgent.Bridge;

internal readonly record struct CallEvent(byte[] Message, bool IsFinal);

/// <summary>
/// One request on its way through a child. Its events are what the child says because of it, ids and tokens already the caller's,
/// and last its response. What waits for the caller is bounded in bytes; a child that says more ends the call.
/// </summary>
internal sealed class BridgedCall
{
    private readonly ByteBudget _budget;
    private readonly MessageQueue _messages;
    private byte[] _response = [];
    private int _final;
    private volatile bool _abandoned;

    public BridgedCall(byte[] clientId, byte[]? clientToken, long startedAt, ByteBudget budget)
    {
        ClientId = clientId;
        ClientToken = clientToken;
        StartedAt = startedAt;
        _budget = budget;
        _messages = new MessageQueue(budget);
    }

    /// <summary>The id, and the progress token, by which the child knows it.</summary>
    public long ChildId { get; set; }

    public byte[] ClientId { get; }

    public byte[]? ClientToken { get; }

    public long StartedAt { get; }

    public bool IsFinished => Volatile.Read(ref _final) != 0;

    /// <summary>Called once, when the response is there.</summary>
    public Action<BridgedCall>? Completed { get; init; }

    /// <summary>Called once, when nobody reads any more: the response was there, or the caller went away.</summary>
    public Action<BridgedCall>? Abandoned { get; init; }

    /// <summary>Called when the child says more than may wait.</summary>
    public Action<BridgedCall>? Overflowed { get; init; }

    /// <summary>False when nobody will see it.</summary>
    public bool Offer(byte[] message)
    {
        if (_abandoned || IsFinished)
        {
            return false;
        }

        var offered = _messages.Offer(message);
        if (offered == Offered.Full)
        {
            Overflowed?.Invoke(this);
        }

        return offered == Offered.Accepted;
    }

    /// <summary>Ends the call. A response that does not fit is replaced by an error that says so.</summary>
    public void Finish(byte[] response)
    {
        if (Interlocked.Exchange(ref _final, 1) != 0)
        {
            return;
        }

        var fits = _abandoned || response.Length <= JsonRpc.SmallMessage || _budget.TryTake(response.Length);
        _response = fits ? response : JsonRpc.Error(ClientId, JsonRpc.InternalError, JsonRpc.TooMuchWaits, "overflow");
        _messages.Complete();
        Completed?.Invoke(this);
    }

    /// <summary>The caller went away, or has its response. In these protocol versions that cancels nothing.</summary>
    public void Abandon()
    {
        if (_abandoned)
        {
            return;
        }

        _abandoned = true;
        _messages.Complete();
        _budget.Close();
        Abandoned?.Invoke(this);
    }

    public async ValueTask<CallEvent> NextAsync(CancellationToken cancellation) => await _messages.NextAsync(cancellation) is { } message
        ? new(message, IsFinal: false)
        : new(_response, IsFinal: true);

    /// <summary>The response, for a caller that wants nothing else.</summary>
    public async Task<byte[]> FinalAsync(CancellationToken cancellation)
    {
        try
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
        finally
        {
            Abandon();
        }
    }
}
