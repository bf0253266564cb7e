namespace Weir.Server.Hosting;

/// <summary>
/// Signals are the command's (<see cref="CommandRun"/>). A host that took them too would stop before its command has heard of it,
/// and keep the second signal from having its usual effect.
/// </summary>
internal sealed class NoSignals : IHostLifetime
{
    public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
