using Microsoft.Extensions.Hosting;

namespace Weir.Replicas;

/// <summary>
/// How long a replica that was asked to stop waits for the calls that run: less than its host does, so that those which do not end can
/// still be answered and recorded.
/// </summary>
internal sealed class LastCalls : IDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(8);

    private readonly CancellationTokenSource _over;

    public LastCalls(IHostApplicationLifetime lifetime, TimeProvider time)
    {
        _over = new CancellationTokenSource(System.Threading.Timeout.InfiniteTimeSpan, time);
        lifetime.ApplicationStopping.Register(() => _over.CancelAfter(Timeout));
    }

    public CancellationToken Over => _over.Token;

    public void Dispose() => _over.Dispose();
}
