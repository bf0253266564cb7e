using System.Text.Json.Serialization;

namespace Weir.Chat.Gathering;

/// <summary>What a turn goes by besides the agent's tools, as the database says it at that moment.</summary>
/// <param name="Tools">Whether the organization lets its chat turns use tools.</param>
/// <param name="Servers">Those that run and are granted, the better priority first.</param>
internal sealed record TurnSettings(bool Tools, IReadOnlyList<ServerSettings> Servers)
{
    public static TurnSettings None { get; } = new(Tools: false, []);
}

/// <summary>
/// What one server adds to a turn, and how long the turn waits for it. Zero is a number: no time, no second try, no pause.
/// </summary>
/// <param name="Resources">URIs; <c>{message}</c> in one stands for the person's words.</param>
/// <param name="Prompts">Names.</param>
/// <param name="TimeoutMs">For one request. Null: what is left of the turn's share. Milliseconds.</param>
/// <param name="MaxRetries">How often what only reads is asked again.</param>
/// <param name="RetryBackoffMs">Before the first retry; twice as long before each next one. Milliseconds.</param>
internal sealed record ServerSettings(
    Guid Id, string Name, int Priority, IReadOnlyList<string> Resources, IReadOnlyList<string> Prompts, int? TimeoutMs, int MaxRetries,
    int RetryBackoffMs)
{
    [JsonIgnore]
    public TimeSpan? Timeout => TimeoutMs is { } ms ? TimeSpan.FromMilliseconds(ms) : null;
}
