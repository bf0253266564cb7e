using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;
using Weir.Chat.Tools;
using Weir.Configuration;

namespace Weir.Chat.Offline;

/// <summary>
/// The default model, without any key or network: it matches words against tools and quotes what they answer. It never calls a
/// tool that does not announce <c>readOnlyHint: true</c> or that no admin marked, and it is deterministic.
/// </summary>
internal sealed class OfflineModel : IChatClient
{
    public const string Name = ModelsConfig.Offline;

    public Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return Task.FromResult(Respond([.. messages], options?.Tools ?? []));
    }

    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var response = await GetResponseAsync(messages, options, cancellationToken);
        foreach (var update in response.ToChatResponseUpdates())
        {
            yield return update;
        }
    }

    public object? GetService(Type serviceType, object? serviceKey = null) => serviceKey is null && serviceType.IsInstanceOfType(this)
        ? this : null;

    public void Dispose()
    {
        // Holds nothing.
    }

    /// <summary>The turn so far is in the messages: the last one of a person, and the calls and results behind it.</summary>
    private static ChatResponse Respond(IReadOnlyList<ChatMessage> messages, IList<AITool> offered)
    {
        var asked = messages.Select((m, i) => (m, i)).LastOrDefault(x => x.m.Role == ChatRole.User);
        var message = asked.m?.Text ?? "";
        var turn = messages.Skip(asked.i).ToArray();
        var rounds = turn.Count(m => m.Contents.OfType<FunctionCallContent>().Any());
        var calls = turn.SelectMany(m => m.Contents).OfType<FunctionCallContent>()
            .ToDictionary(c => c.CallId, c => c.Name, StringComparer.Ordinal);
        var past = turn.SelectMany(m => m.Contents).OfType<FunctionResultContent>()
            .Where(r => r.Result is ToolOutput && calls.ContainsKey(r.CallId))
            .Select(r => new PastCall(calls[r.CallId], (ToolOutput)r.Result!))
            .ToArray();

        var tools = offered.Select(OfflineTool.Of).OfType<OfflineTool>().ToArray();
        var plan = Plan.Make(message, tools, past, rounds);
        return plan.Calls.Count > 0 && rounds < Plan.MaxRounds
            ? Response(ChatFinishReason.ToolCalls, [.. plan.Calls.Select((c, i) => (AIContent)new FunctionCallContent(
                $"call-{calls.Count + i + 1}", c.Tool.Name, new Dictionary<string, object?>(c.Arguments, StringComparer.Ordinal)))])
            : Response(ChatFinishReason.Stop, [new TextContent(Answer.Write(plan, past, tools, offered.Count - tools.Length))]);
    }

    private static ChatResponse Response(
        ChatFinishReason reason, IList<AIContent> contents) => new(new ChatMessage(ChatRole.Assistant, contents))
    {
        ModelId = Name,
        FinishReason = reason,
        // It has no tokens; zero is what it costs.
        Usage = new UsageDetails { InputTokenCount = 0, OutputTokenCount = 0, TotalTokenCount = 0 },
    };
}
