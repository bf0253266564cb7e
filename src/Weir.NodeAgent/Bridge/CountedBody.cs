using Weir.Input;

namespace Weir.NodeAgent.Bridge;

/// <summary>A request's body, counted before it is read and until its message has been passed on.</summary>
internal sealed class CountedBody(ByteBudget budget) : IDisposable
{
    private long _held;

    /// <summary>Whether the body is larger than a message may be.</summary>
    public bool IsTooLarge { get; private set; }

    /// <summary>Null when it is too large, or the budget has no room for it. A body without a length counts as the longest one.</summary>
    public async Task<byte[]?> ReadAsync(HttpRequest request, CancellationToken cancellation)
    {
        var expected = Math.Min(request.ContentLength ?? BridgeOptions.MessageLimit, BridgeOptions.MessageLimit);
        if (!budget.TryTake(expected))
        {
            return null;
        }

        _held = expected;
        var body = await RequestBody.ReadAsync(request, BridgeOptions.MessageLimit, cancellation);
        IsTooLarge = body is null;
        return body?.ToArray();
    }

    public void Dispose() => budget.Return(_held);
}
