using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Weir.Configuration;
using Weir.Errors;
using Weir.Postgres;

namespace Weir.Replicas;

/// <summary>
/// What a database needs now and then, in small statements that any replica may run and several may at once: counted denials move to the
/// record, usage is rolled up, the log's next months are made, and what is old is deleted.
/// </summary>
internal sealed class Maintenance(Databases databases, WeirConfig config, TimeProvider time, ILogger<Maintenance> logger)
    : BackgroundService
{
    private const string CloseDenialCounts = "select weir.close_denial_counts($1)";
    private const string RollUpUsage = "select weir.roll_up_usage($1)";
    private const string EnsureLogPartitions = "select weir.ensure_log_partitions()";
    private const string Purge = "select weir.purge($1, $2, $3, $4)";
    private const string PurgeDeleted = "select weir.purge_deleted($1)";

    /// <summary>Rows of one statement.</summary>
    private const int Batch = 1000;

    /// <summary>Statements of one kind in one round; what is left then comes in the next.</summary>
    private const int MostRepeats = 100;

    /// <summary>What a replica's clock may be off, by admission's own rule.</summary>
    private static readonly TimeSpan ClockSkew = TimeSpan.FromMinutes(5);

    internal static readonly TimeSpan Interval = TimeSpan.FromSeconds(30);

    /// <summary>One round.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        // In this order: usage counts the denials.
        await RepeatAsync(async () => await databases.Engine.ScalarAsync<int>(CloseDenialCounts, [Sql.Integer(Batch)], ct) == Batch);
        await RepeatAsync(() => databases.Engine.ScalarAsync<bool>(
            RollUpUsage, [Sql.Interval(TimeSpan.FromSeconds(config.Mcp.MaxCallSeconds) + ClockSkew)], ct));
        await databases.Engine.ExecuteAsync(EnsureLogPartitions, [], ct);
        var kept = config.Maintenance;
        await RepeatAsync(async () => await databases.Engine.ScalarAsync<int>(
            Purge, [Days(kept.IdempotencyKeyDays), Days(kept.ChatTurnDays), Days(kept.SecurityEventDays), Sql.Integer(Batch)], ct)
            >= Batch);
        await RepeatAsync(async () => await databases.Engine.ScalarAsync<int>(PurgeDeleted, [Sql.Integer(Batch)], ct) >= Batch);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                await TryRunAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException)
        {
            // Stopping.
        }
    }

    private async Task TryRunAsync(CancellationToken ct)
    {
        try
        {
            await RunAsync(ct);
        }
        catch (WeirException e)
        {
            logger.LogWarning(e, "A round of maintenance did not finish; the next one goes on.");
        }
    }

    private static async Task RepeatAsync(Func<Task<bool>> more)
    {
        for (var i = 0; i < MostRepeats && await more(); i++)
        {
        }
    }

    private static Npgsql.NpgsqlParameter Days(int days) => Sql.Interval(TimeSpan.FromDays(days));
}
