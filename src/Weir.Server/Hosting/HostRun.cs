using Weir.Errors;

namespace Weir.Server.Hosting;

/// <summary>
/// A background service that fails stops its host, but not the process, which would look well and serve nobody. So a command
/// works on its host only while that runs, and fails with it.
/// </summary>
internal static class HostRun
{
    /// <param name="work">Gets a token that the signal cancels, and the host's own end.</param>
    /// <exception cref="WeirException">Internal: a background service failed before anybody asked for the end.</exception>
    public static async Task WhileItRunsAsync(this IHost host, Func<CancellationToken, Task> work, CancellationToken stop)
    {
        var lifetime = host.Services.GetRequiredService<IHostApplicationLifetime>();
        using var end = CancellationTokenSource.CreateLinkedTokenSource(stop, lifetime.ApplicationStopping);
        var working = work(end.Token);
        await working.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!stop.IsCancellationRequested && FailureOf(host) is { } failure)
        {
            // Whatever the work tripped over, this is why.
            throw failure;
        }

        await working;
    }

    private static WeirException? FailureOf(IHost host) => host.Services.GetServices<IHostedService>().OfType<BackgroundService>()
        .Where(service => service.ExecuteTask is { IsFaulted: true })
        .Select(service => new WeirException(
            ErrorCode.Internal, $"{service.GetType().Name} failed, and Weir ended with it:",
            "The log above has more. Start it again.", service.ExecuteTask!.Exception!.InnerException))
        .FirstOrDefault();
}
