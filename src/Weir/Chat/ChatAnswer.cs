using System.Text.Json;
using System.Text.Json.Serialization;
using Weir.Chat.Tools;
using Weir.Configuration;

namespace Weir.Chat;

/// <summary>What <c>POST /functions/v1/chat</c> answers.</summary>
/// <param name="Message">The agent's words; null where the message was only saved.</param>
/// <param name="MessageId">The answer's id in the channel; where there is none, the saved message's.</param>
/// <param name="ReplyTo">The person's message that this answers; null where there is no answer.</param>
/// <param name="Degraded">What was late, failed or denied. Empty: nothing is missing.</param>
/// <param name="Usage">Null where no model answered: the message was only saved, or the turn was cut off.</param>
internal sealed record ChatAnswer(
    string? Message,
    ChatAgent? Agent,
    Guid MessageId,
    Guid? ReplyTo,
    IReadOnlyList<ToolCallReport> ToolCalls,
    ChatContext Context,
    IReadOnlyList<Degradation> Degraded,
    ChatUsage? Usage)
{
    public static readonly JsonSerializerOptions Json =
        new(JsonSerializerDefaults.Web) { MaxDepth = JsonDepth.Wrapped, Encoder = PlainJson.Encoder };

    public static ChatAnswer Saved(Guid messageId) => new(null, null, messageId, null, [], ChatContext.None, [], null);
}

internal sealed record ChatAgent(Guid Id, string Name);

/// <param name="Servers">The agent's granted instances, whatever their state, the better priority first.</param>
/// <param name="Documents">The parts of documents that fit the message best, the better ones first.</param>
internal sealed record ChatContext(IReadOnlyList<ChatServer> Servers, IReadOnlyList<ChatDocument> Documents)
{
    public static ChatContext None { get; } = new([], []);
}

/// <param name="Tools">How many of its tools the agent may see.</param>
internal sealed record ChatServer(Guid Id, string Name, string Status, int Tools);

/// <param name="Score">0 to 1.</param>
internal sealed record ChatDocument(Guid Id, string Title, string? Source, double Score, string Datastore);

/// <summary>One tool call of the turn.</summary>
/// <param name="Id">The model's id for the call; unique in the turn.</param>
/// <param name="Name">The exposed name.</param>
/// <param name="Outcome"><c>ok</c>, <c>tool_error</c>, <c>denied</c> or <c>failed</c>.</param>
/// <param name="DurationMs">Milliseconds.</param>
internal sealed record ToolCallReport(
    string Id,
    string Name,
    string Server,
    string Tool,
    JsonElement Arguments,
    string Outcome,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] CallError? Error,
    long DurationMs);

/// <param name="Code">The <c>WR</c> code.</param>
internal sealed record CallError(string Code, string Message);

/// <param name="Model">Which model answered, or was asked last.</param>
/// <param name="DurationMs">The whole turn. Milliseconds.</param>
/// <param name="CostMicros">Of all models that were asked. Millionths of the currency; null where a price is not known.</param>
internal sealed record ChatUsage(
    string Model, long InputTokens, long OutputTokens, long TotalTokens, long DurationMs, long? CostMicros = null, string? Currency = null);

/// <summary>Something that happens in a turn, in the order in which it happens.</summary>
/// <param name="Type"><c>context</c>, <c>tool_call</c>, <c>tool_result</c>, <c>degraded</c>, <c>delta</c>, <c>message</c>,
/// <c>done</c>.</param>
internal sealed record ChatEvent(string Type, object Data);
