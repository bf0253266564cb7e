using Weir.Configuration;

namespace Weir.Models;

/// <summary>One model of one provider.</summary>
internal sealed record ModelChoice(string Provider, string Model)
{
    public static ModelChoice Offline { get; } = new(ModelsConfig.Offline, ModelsConfig.Offline);

    public bool IsOffline => Provider == ModelsConfig.Offline;

    /// <summary><c>offline</c>, or <c>provider/model</c>.</summary>
    public static ModelChoice Parse(string name) => name.Split('/', 2) is [var provider, var model]
        ? new ModelChoice(provider, model) : Offline;

    public override string ToString() => IsOffline ? Provider : $"{Provider}/{Model}";
}

/// <summary>What an agent and its organization have set, the agent first. Null is not set; zero is zero.</summary>
internal sealed record ModelSettings(
    ModelChoice? Choice, ModelChoice? Fallback, double? Temperature, int? MaxTokens, int? TimeoutMilliseconds, int? Retries)
{
    public static ModelSettings None { get; } = new(null, null, null, null, null, null);
}

/// <summary>What one turn goes by.</summary>
/// <param name="Choices">The first one answers; each other one where those before it failed.</param>
/// <param name="Timeout">How long one may be silent.</param>
/// <param name="Retries">Attempts of one request after the first.</param>
internal sealed record ModelPlan(IReadOnlyList<ModelChoice> Choices, double? Temperature, int MaxTokens, TimeSpan Timeout, int Retries)
{
    public static ModelPlan Of(ModelSettings settings, ModelsConfig config) => new(
        [.. new[] { settings.Choice ?? ModelChoice.Parse(config.Default), settings.Fallback }.OfType<ModelChoice>().Distinct()],
        settings.Temperature,
        settings.MaxTokens ?? config.MaxTokens,
        TimeSpan.FromMilliseconds(settings.TimeoutMilliseconds ?? config.TimeoutMilliseconds),
        settings.Retries ?? config.Retries);
}
