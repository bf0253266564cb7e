using Microsoft.Extensions.Logging;
using Weir.Configuration;
using Weir.Errors;

namespace Weir.Models;

/// <summary>Which model answers whom, and what that costs.</summary>
internal sealed class ModelRouter(
    ModelQueries queries, ModelClients clients, ModelsConfig config, TimeProvider time, ILogger<ModelRouter> logger)
{
    /// <summary>The currency of <see cref="ModelUsage.CostMicros"/>.</summary>
    public string Currency => config.Currency;

    /// <summary>The model for one turn of a person with an agent.</summary>
    /// <param name="left">What is left of the turn's time.</param>
    /// <param name="giveUp">Hears of each model that did not answer.</param>
    /// <param name="leaveOut">Hears of each tool that a model could not be offered.</param>
    /// <exception cref="WeirException">WR004: the agent is not there, or not theirs to use.</exception>
    public async Task<TurnModel> OpenAsync(
        Guid userId, Guid agentId, Func<TimeSpan> left, Func<GivenUp, ValueTask> giveUp, LeaveOut leaveOut, CancellationToken ct) => new(
        clients, ModelPlan.Of(await queries.SettingsAsync(userId, agentId, ct), config), new ModelTally(config), left, giveUp, time, logger,
        leaveOut);

    /// <summary>Adds the turn to its hour. A turn is not lost because its cost could not be counted.</summary>
    public async Task RecordAsync(Guid agentId, TurnModel model)
    {
        try
        {
            await queries.RecordUsageAsync(agentId, model.Usage, config.Currency, CancellationToken.None);
        }
        catch (WeirException e)
        {
            logger.LogError(e, "The usage of a turn could not be recorded: {Usage}", string.Join("; ", model.Usage));
        }
    }
}
