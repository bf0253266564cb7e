using System.Text.Json;
using Microsoft.Extensions.AI;
using Weir.Chat.Tools;
using Weir.Configuration;

namespace Weir.Chat;

/// <summary>Runs one call of a turn.</summary>
/// <param name="callId">The model's id for the call.</param>
internal delegate Task<ToolOutput> CallTool(GovernedTool tool, string callId, AskedArguments arguments, CancellationToken ct);

/// <param name="Json">An object.</param>
/// <param name="Problem">Why the model's arguments cannot be sent: the call is refused and reported. Null: they can.</param>
internal readonly record struct AskedArguments(JsonElement Json, string? Problem = null)
{
    public static JsonElement None { get; } = JsonElement.Parse("{}");
}

/// <summary>A server's tool as a model sees it. Each call of it goes through admission, as the agent and the person together.</summary>
internal sealed class GovernedTool(string name, ToolFacts facts, string description, JsonElement schema, CallTool call) : AIFunction
{
    public override string Name => name;

    public override string Description => description;

    public override JsonElement JsonSchema => schema;

    public ToolFacts Facts => facts;

    /// <summary>What its server has for one call; null: half of what is left of the turn.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <param name="definition">The pinned definition: name, description, inputSchema, annotations.</param>
    /// <exception cref="Exception">It cannot be read as a tool's.</exception>
    public static GovernedTool Of(
        string exposedName, string server, bool marked, ReadOnlySpan<byte> definition, CallTool call, TimeSpan? timeout = null)
    {
        var json = JsonElement.Parse(definition, new JsonDocumentOptions { MaxDepth = JsonDepth.Message });
        var announces = json.TryGetProperty("annotations", out var annotations)
            && annotations.ValueKind == JsonValueKind.Object
            && annotations.TryGetProperty("readOnlyHint", out var hint)
            && hint.ValueKind == JsonValueKind.True;
        return new GovernedTool(
            exposedName,
            new ToolFacts(server, json.GetProperty("name").GetString()!, announces, marked),
            json.TryGetProperty("description", out var text) && text.ValueKind == JsonValueKind.String ? text.GetString()! : "",
            json.TryGetProperty("inputSchema", out var schema) ? schema : AskedArguments.None,
            call) { Timeout = timeout };
    }

    /// <summary>A name that the agent was not offered. What admission says of it is what the model hears.</summary>
    public static GovernedTool Unknown(string name, CallTool call) =>
        new(name, new ToolFacts(Server: "", Tool: name, Announces: false, Marked: false), "", AskedArguments.None, call);

    public override object? GetService(Type serviceType, object? serviceKey = null) =>
        serviceKey is null && serviceType == typeof(ToolFacts) ? facts : base.GetService(serviceType, serviceKey);

    protected override async ValueTask<object?> InvokeCoreAsync(AIFunctionArguments arguments, CancellationToken cancellationToken)
    {
        var asked = FunctionInvokingChatClient.CurrentContext?.CallContent;
        var callId = asked?.CallId ?? name;
        var given = asked?.Exception is { } refused
            ? new AskedArguments(AskedArguments.None, refused.Message)
            : new AskedArguments(JsonSerializer.SerializeToElement((IDictionary<string, object?>)arguments, ChatAnswer.Json));
        return await call(this, callId, given, cancellationToken);
    }
}
