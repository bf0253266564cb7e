using System.Text.Json;
using Weir.Postgres;

namespace Weir.Models;

/// <summary>What models ask of the database, as the engine: who is to answer, and what it has cost.</summary>
internal sealed class ModelQueries(Databases databases)
{
    private const string Settings =
        "select provider, model, fallback_provider, fallback_model, temperature, max_tokens, timeout_ms, retries from "
            + "weir.model_settings_for($1, $2)";

    private const string RecordUsage = "select weir.record_model_usage($1, $2)";

    /// <summary>What is set for a turn of this person with this agent.</summary>
    /// <exception cref="Errors.WeirException">WR004: the agent is not there, or not theirs to use.</exception>
    public async Task<ModelSettings> SettingsAsync(Guid userId, Guid agentId, CancellationToken ct) => (await databases.Engine.QueryAsync(
        Settings,
        [Sql.Uuid(userId), Sql.Uuid(agentId)],
        r => new ModelSettings(
            Choice(r.GetNullableString(0), r.GetNullableString(1)), Choice(r.GetNullableString(2), r.GetNullableString(3)),
            r.GetNullable<double>(4), r.GetNullable<int>(5), r.GetNullable<int>(6), r.GetNullable<int>(7)),
        ct)).Single();

    /// <summary>Adds what a turn has used to its hour.</summary>
    public Task RecordUsageAsync(
        Guid agentId, IReadOnlyList<ModelUsage> usage, string currency, CancellationToken ct) => databases.Engine.ExecuteAsync(
        RecordUsage,
        [
            Sql.Uuid(agentId),
            Sql.Jsonb(JsonSerializer.Serialize(usage.Select(u => new
            {
                provider = u.Choice.Provider,
                model = u.Choice.Model,
                requests = u.Requests,
                failures = u.Failures,
                input_tokens = u.InputTokens,
                output_tokens = u.OutputTokens,
                cost_micros = u.CostMicros,
                currency,
            }))),
        ],
        ct);

    private static ModelChoice? Choice(string? provider, string? model) => provider is null || model is null
        ? null : new ModelChoice(provider, model);
}
