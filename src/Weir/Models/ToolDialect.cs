using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Extensions.AI;

namespace Weir.Models;

/// <summary>
/// One turn's tools in the words of one provider, there and back: names that it takes, schemas that it takes, results as text. Knows
/// nothing of what a tool does. Not to be disposed: the client within is every turn's.
/// </summary>
internal sealed partial class ToolDialect(IChatClient inner, ToolRules rules) : DelegatingChatClient(inner)
{
    private const int MaxName = 64;

    private readonly Dictionary<AITool, AITool> _declared = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<string, string> _ours = new(StringComparer.Ordinal);

    public override async Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        var response = await base.GetResponseAsync(messages.Select(Outward), Outward(options), cancellationToken);
        foreach (var message in response.Messages)
        {
            message.Contents = Inward(message.Contents);
        }

        return response;
    }

    public override async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await foreach (var update in base.GetStreamingResponseAsync(messages.Select(Outward), Outward(options), cancellationToken))
        {
            update.Contents = Inward(update.Contents);
            yield return update;
        }
    }

    /// <summary>What of a name a provider takes; a name that had to be changed ends in a hash, so that two stay two.</summary>
    public static string WireName(string name) => ToolName().IsMatch(name)
        ? name
        : $"{NotInNames().Replace(name, "_")[..Math.Min(name.Length, MaxName - 9)]}_"
            + $"{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(name)))[..8]}";

    private ChatOptions? Outward(ChatOptions? options)
    {
        if (options is null)
        {
            return null;
        }

        var changed = options.Clone();
        changed.Tools = options.Tools is { Count: > 0 } tools ? [.. tools.Take(rules.MaxTools).Select(Declare)] : null;
        changed.ToolMode = changed.Tools is null ? null : options.ToolMode;
        return changed;
    }

    private AITool Declare(AITool tool)
    {
        if (tool is not AIFunctionDeclaration function)
        {
            return tool;
        }

        if (!_declared.TryGetValue(tool, out var declared))
        {
            var name = WireName(function.Name);
            _ours[name] = function.Name;
            var description = function.Description.Length <= rules.MaxDescription
                ? function.Description
                : function.Description[..(rules.MaxDescription - 1)] + "…";
            declared = rules.Declare(name, description, ToolSchema.For(function.JsonSchema, rules));
            _declared.Add(tool, declared);
        }

        return declared;
    }

    private static ChatMessage Outward(ChatMessage message)
    {
        if (!message.Contents.Any(c => c is FunctionCallContent or FunctionResultContent))
        {
            return message;
        }

        var changed = message.Clone();
        changed.Contents = [.. message.Contents.Select(Outward)];
        return changed;
    }

    private static AIContent Outward(AIContent content) => content switch
    {
        FunctionCallContent call when WireName(call.Name) is var name && name != call.Name => new FunctionCallContent(call.CallId, name, call.Arguments),
        // As JSON, whatever text is in it cannot end it.
        FunctionResultContent { Result: not (null or string) } result =>
            new FunctionResultContent(result.CallId, JsonSerializer.Serialize(result.Result, AIJsonUtilities.DefaultOptions)),
        _ => content,
    };

    private IList<AIContent> Inward(IList<AIContent> contents) => contents.Any(c => c is FunctionCallContent call && Ours(call.Name) != call.Name)
        ? [.. contents.Select(c => c is FunctionCallContent call
            ? new FunctionCallContent(call.CallId, Ours(call.Name), call.Arguments) { Exception = call.Exception }
            : c)]
        : contents;

    private string Ours(string name) => _ours.GetValueOrDefault(name, name);

    [GeneratedRegex("^[a-zA-Z0-9_-]{1,64}$", RegexOptions.None, 1000)]
    private static partial Regex ToolName();

    [GeneratedRegex("[^a-zA-Z0-9_-]", RegexOptions.None, 1000)]
    private static partial Regex NotInNames();
}
