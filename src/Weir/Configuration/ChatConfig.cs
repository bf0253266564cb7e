namespace Weir.Configuration;

/// <summary>Bounds of one chat turn.</summary>
internal sealed record ChatConfig
{
    /// <summary>The whole turn. Seconds.</summary>
    public int DeadlineSeconds { get; init; } = 30;

    /// <summary>
    /// How long the turn waits for history, documents and servers together before it goes on with what it has. Milliseconds.
    /// </summary>
    public int ContextMilliseconds { get; init; } = 1500;

    /// <summary>How often the model may call tools before it must answer. Rounds.</summary>
    public int MaxToolRounds { get; init; } = 8;

    /// <summary>Whether turns may use tools at all; an organization's own switch is in the database (<c>set_chat_tools</c>).</summary>
    public bool Tools { get; init; } = true;

    /// <summary>Most messages of the channel that the model sees besides the one that it answers. Messages.</summary>
    public int HistoryMessages { get; init; } = 20;

    /// <summary>Most that those messages take. Tokens.</summary>
    public int HistoryTokens { get; init; } = 4000;

    /// <summary>Most that servers' resources and prompts, and documents, take. Tokens.</summary>
    public int ContextTokens { get; init; } = 4000;

    /// <summary>
    /// What each server and datastore has of that, where it wants so much, before the rest is shared out by weight. Tokens.
    /// </summary>
    public int SourceFloorTokens { get; init; } = 200;

    /// <summary>The whole prompt without the tools; the instructions and the message are in it whatever they take. Tokens.</summary>
    public int PromptTokens { get; init; } = 16_000;

    /// <summary>Most turns that one person has open at this replica; 0: no limit. Turns.</summary>
    public int MaxConcurrentPerPerson { get; init; } = 8;

    /// <summary>Most turns that one agent has open at this replica; 0: no limit. Turns.</summary>
    public int MaxConcurrentPerAgent { get; init; } = 64;

    /// <summary>Most turns that one organization has open at this replica; 0: no limit. Turns.</summary>
    public int MaxConcurrentPerOrganization { get; init; } = 128;

    /// <summary>Most turns a minute of one person at this replica; 0: no limit. Turns per minute.</summary>
    public int PerMinutePerPerson { get; init; } = 60;

    /// <summary>Most turns a minute of one agent at this replica; 0: no limit. Turns per minute.</summary>
    public int PerMinutePerAgent { get; init; } = 1200;

    /// <summary>Most turns a minute of one organization at this replica; 0: no limit. Turns per minute.</summary>
    public int PerMinutePerOrganization { get; init; } = 2400;

    public static ChatConfig Read(ConfigReader reader)
    {
        var defaults = new ChatConfig();
        return new ChatConfig
        {
            DeadlineSeconds = reader.Integer("chat.deadlineSeconds", defaults.DeadlineSeconds, 1, 600),
            ContextMilliseconds = reader.Integer("chat.contextMilliseconds", defaults.ContextMilliseconds, 0, 60_000),
            MaxToolRounds = reader.Integer("chat.maxToolRounds", defaults.MaxToolRounds, 0, 64),
            Tools = reader.Flag("chat.tools", defaults.Tools),
            HistoryMessages = reader.Integer("chat.historyMessages", defaults.HistoryMessages, 0, 200),
            HistoryTokens = reader.Integer("chat.historyTokens", defaults.HistoryTokens, 0, 1_000_000),
            ContextTokens = reader.Integer("chat.contextTokens", defaults.ContextTokens, 0, 1_000_000),
            SourceFloorTokens = reader.Integer("chat.sourceFloorTokens", defaults.SourceFloorTokens, 0, 100_000),
            PromptTokens = reader.Integer("chat.promptTokens", defaults.PromptTokens, 0, 2_000_000),
            MaxConcurrentPerPerson = reader.Integer("chat.maxConcurrentPerPerson", defaults.MaxConcurrentPerPerson, 0, 100_000),
            MaxConcurrentPerAgent = reader.Integer("chat.maxConcurrentPerAgent", defaults.MaxConcurrentPerAgent, 0, 100_000),
            MaxConcurrentPerOrganization = reader.Integer(
                "chat.maxConcurrentPerOrganization", defaults.MaxConcurrentPerOrganization, 0, 100_000),
            PerMinutePerPerson = reader.Integer("chat.perMinutePerPerson", defaults.PerMinutePerPerson, 0, 1_000_000),
            PerMinutePerAgent = reader.Integer("chat.perMinutePerAgent", defaults.PerMinutePerAgent, 0, 1_000_000),
            PerMinutePerOrganization = reader.Integer("chat.perMinutePerOrganization", defaults.PerMinutePerOrganization, 0, 1_000_000),
        };
    }
}
