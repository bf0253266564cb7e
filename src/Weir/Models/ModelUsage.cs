using Microsoft.Extensions.AI;
using Weir.Configuration;

namespace Weir.Models;

/// <summary>What one model has done for one turn.</summary>
/// <param name="Requests">Those that it answered, if only in part.</param>
/// <param name="Failures">Attempts that it did not.</param>
/// <param name="CostMicros">Millionths of the currency; null: its price is not known.</param>
internal sealed record ModelUsage(ModelChoice Choice, int Requests, int Failures, long InputTokens, long OutputTokens, long? CostMicros);

/// <summary>Counts what a turn uses, by model. A turn whose time is over reads it while its last request is still being given up.</summary>
internal sealed class ModelTally(ModelsConfig config)
{
    private readonly Lock _lock = new();
    private readonly List<ModelUsage> _usage = [];

    public IReadOnlyList<ModelUsage> Usage
    {
        get
        {
            lock (_lock)
            {
                return [.. _usage];
            }
        }
    }

    public void AddAnswer(ModelChoice choice, UsageDetails? used) => Change(choice, used, u => u with { Requests = u.Requests + 1 });

    public void AddFailure(ModelChoice choice, UsageDetails? used = null) =>
        Change(choice, used, u => u with { Failures = u.Failures + 1 });

    private void Change(ModelChoice choice, UsageDetails? used, Func<ModelUsage, ModelUsage> change)
    {
        lock (_lock)
        {
            var at = _usage.FindIndex(u => u.Choice == choice);
            if (at < 0)
            {
                at = _usage.Count;
                _usage.Add(new ModelUsage(choice, 0, 0, 0, 0, null));
            }

            var usage = change(_usage[at]);
            usage = usage with
            {
                InputTokens = usage.InputTokens + Math.Max(0, used?.InputTokenCount ?? 0),
                OutputTokens = usage.OutputTokens + Math.Max(0, used?.OutputTokenCount ?? 0),
            };
            _usage[at] = usage with { CostMicros = Cost(usage) };
        }
    }

    /// <summary>A price of a million tokens, in units, is the price of one token in millionths. Rounded up, once for the turn.</summary>
    private long? Cost(ModelUsage usage) =>
        usage.Choice.IsOffline ? 0
        : config.Providers.GetValueOrDefault(usage.Choice.Provider)?.Models.GetValueOrDefault(usage.Choice.Model) is { } price
            ? (long)Math.Ceiling(Math.Min((usage.InputTokens * price.Input) + (usage.OutputTokens * price.Output), long.MaxValue / 2))
        : null;
}
