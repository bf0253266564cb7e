using System.Net;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using NpgsqlTypes;
using Weir.Errors;
using Weir.Limits;
using Weir.Postgres;

namespace Weir.Audit;

/// <summary>
/// Counts failures that belong to no organization yet: per reason, key id prefix and network. Summed here and written every few
/// seconds, so that a flood of garbage costs a statement now and then. Beyond the cap, counts go to one row without a network.
/// </summary>
internal sealed class SecurityEvents(Databases databases, TimeProvider time, ILogger<SecurityEvents> logger) : BackgroundService
{
    private const int MaxKept = 100;
    private const int PrefixLength = 6;
    private const string Record = "select weir.record_security_events($1, $2, $3, $4)";
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private Dictionary<Event, int> _counts = [];

    public void Count(string reason, string? keyId, IPAddress? address)
    {
        var seen =
            new Event(reason, keyId?[..Math.Min(keyId.Length, PrefixLength)] ?? "", address is null ? null : NetworkAddress.Of(address));
        lock (_lock)
        {
            if (_counts.Count >= MaxKept && !_counts.ContainsKey(seen))
            {
                seen = new Event(reason, "", Network: null);
            }

            _counts[seen] = _counts.GetValueOrDefault(seen) + 1;
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                await WriteAsync();
            }
        }
        catch (OperationCanceledException)
        {
            await WriteAsync();
        }
    }

    private async Task WriteAsync()
    {
        Dictionary<Event, int> counts;
        lock (_lock)
        {
            (counts, _counts) = (_counts, []);
        }

        if (counts.Count == 0)
        {
            return;
        }

        var events = counts.Keys.ToArray();
        try
        {
            await databases.Engine.ExecuteAsync(
                Record,
                [
                    Sql.Array(NpgsqlDbType.Text, events.Select(e => e.Reason).ToArray()),
                    Sql.Array(NpgsqlDbType.Text, events.Select(e => e.KeyPrefix).ToArray()),
                    Sql.Array(NpgsqlDbType.Inet, events.Select(e => e.Network).ToArray()),
                    Sql.Array(NpgsqlDbType.Integer, counts.Values.ToArray()),
                ],
                CancellationToken.None);
        }
        catch (WeirException e)
        {
            logger.LogWarning(e, "{Count} counts of refused requests could not be written.", counts.Count);
        }
    }

    private sealed record Event(string Reason, string KeyPrefix, IPAddress? Network);
}
