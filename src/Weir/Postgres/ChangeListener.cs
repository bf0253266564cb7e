using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Weir.Postgres;

/// <summary>
/// Hears that something changed in an organization. A hint, never a permission: notifications can be lost, so a version is polled
/// beside them, and after every reconnect everything counts as changed.
/// </summary>
internal sealed class ChangeListener(Databases databases, TimeProvider time, ILogger<ChangeListener> logger) : BackgroundService
{
    private const string Channel = "weir_changes";
    private const string Version = "select weir.change_version()";
    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    /// <summary>The organization that changed; null: anything may have.</summary>
    public event Action<Guid?>? Changed;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await ListenAsync(stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                logger.LogWarning("Lost the connection that hears of changes; trying again: {Message}", DatabaseErrors.Map(e).Message);
                await Task.Delay(RetryAfter, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task ListenAsync(CancellationToken ct)
    {
        await using var connection = await databases.Engine.OpenConnectionAsync(ct);
        var heard = false;
        connection.Notification += (_, e) =>
        {
            heard = true;
            Changed?.Invoke(Guid.TryParse(e.Payload, out var organization) && organization != Guid.Empty ? organization : null);
        };
        await using (var listen = new NpgsqlCommand("listen " + Channel, connection))
        {
            await listen.ExecuteNonQueryAsync(ct);
        }

        var version = await ReadVersionAsync(connection, ct);
        Changed?.Invoke(null);
        while (true)
        {
            heard = false;
            await connection.WaitAsync(PollInterval, ct);
            var now = await ReadVersionAsync(connection, ct);
            if (now != version && !heard)
            {
                Changed?.Invoke(null);
            }

            version = now;
        }
    }

    private static async Task<long> ReadVersionAsync(NpgsqlConnection connection, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(Version, connection);
        return (long)(await command.ExecuteScalarAsync(ct) ?? 0L);
    }
}
