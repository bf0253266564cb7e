using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Weir.Errors;
using Weir.Keys;
using Weir.Postgres;

namespace Weir.Replicas;

/// <summary>
/// This process among its kind: says every few seconds that it lives, and refuses to start with another keyring than the others'.
/// </summary>
/// <param name="internalUrl">Where the others reach this one: known for sure only once it listens.</param>
internal sealed class Replica(
    Guid id, Func<string> internalUrl, Databases databases, Keyring keyring, IHostApplicationLifetime lifetime,
    TimeProvider time, ILogger<Replica> logger) : BackgroundService
{
    private const string Heartbeat = "select weir.replica_heartbeat($1, $2, $3, $4)";
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);
    /// <summary>Of this program, <c>1.2.3</c>.</summary>
    public static readonly string Version = typeof(Replica).Assembly.GetName().Version?.ToString(3) ?? "0";

    public Guid Id => id;

    /// <exception cref="WeirException">WR005: the database was sealed with another keyring. WR009: it does not answer.</exception>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        await BeatAsync(cancellationToken);
        await base.StartAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        await using var listening = lifetime.ApplicationStarted.Register(() => _ = TryBeatAsync(stoppingToken));
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                await TryBeatAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException)
        {
            // Stopping.
        }
    }

    private async Task TryBeatAsync(CancellationToken ct)
    {
        try
        {
            await BeatAsync(ct);
        }
        catch (WeirException e)
        {
            logger.LogWarning("The replica's heartbeat was not taken: {Message}", e.Message);
        }
    }

    private Task BeatAsync(CancellationToken ct) => databases.Engine.ExecuteAsync(
        Heartbeat, [Sql.Uuid(id), Sql.Text(internalUrl()), Sql.Bytea(keyring.Fingerprint), Sql.Text(Version)], ct);
}
