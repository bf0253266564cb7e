using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Extensions.AI;

namespace Weir.Models;

/// <summary>A tool that the model is not offered.</summary>
/// <param name="why">Why not; the end of a sentence.</param>
internal delegate ValueTask LeaveOut(AIFunctionDeclaration tool, string why);

/// <summary>
/// One turn's tools in the words of one provider, there and back: names that it takes, schemas that it takes, results as text. Knows
/// nothing of what a tool does. A tool that cannot be put into them is left out alone. Not to be disposed: the client within is every
/// turn's.
/// </summary>
/// <param name="leaveOut">Hears of a tool that was left out, once.</param>
internal sealed partial class ToolDialect(IChatClient inner, ToolRules rules, LeaveOut? leaveOut = null) : DelegatingChatClient(inner)
{
    private const int MaxName = 64;

    private readonly Dictionary<AITool, AITool?> _declared = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<string, string> _ours = new(StringComparer.Ordinal);

    public override async Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        var response = await base.GetResponseAsync(messages.Select(Outward), await OutwardAsync(options), cancellationToken);
        foreach (var message in response.Messages)
        {
            message.Contents = Inward(message.Contents);
        }

        return response;
    }

    public override async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await foreach (var update in base.GetStreamingResponseAsync(
            messages.Select(Outward), await OutwardAsync(options), cancellationToken))
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

    private async ValueTask<ChatOptions?> OutwardAsync(ChatOptions? options)
    {
        if (options is null)
        {
            return null;
        }

        var changed = options.Clone();
        List<AITool> tools = [];
        foreach (var tool in options.Tools ?? [])
        {
            if (tools.Count < rules.MaxTools && await DeclareAsync(tool) is { } declared)
            {
                tools.Add(declared);
            }
        }

        changed.Tools = tools.Count > 0 ? tools : null;
        changed.ToolMode = changed.Tools is null ? null : options.ToolMode;
        return changed;
    }

    private async ValueTask<AITool?> DeclareAsync(AITool tool)
    {
        if (tool is not AIFunctionDeclaration function)
        {
            return tool;
        }

        if (!_declared.TryGetValue(tool, out var declared))
        {
            declared = Declare(function);
            _declared.Add(tool, declared);
            if (declared is null && leaveOut is not null)
            {
                await leaveOut(function, "its schema cannot be put into a form that the model's provider takes");
            }
        }

        return declared;
    }

    /// <summary>Null where that fails: whatever is odd about one tool is no reason to do without the others.</summary>
    private AIFunctionDeclaration? Declare(AIFunctionDeclaration function)
    {
        try
        {
            var name = WireName(function.Name);
            var declared = AIFunctionFactory.CreateDeclaration(
                name, SchemaValues.ToolText(function.Description, rules.MaxDescription), ToolSchema.For(function.JsonSchema, rules));
            _ours[name] = function.Name;
            return declared;
        }
        catch (Exception)
        {
            return null;
        }
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
        FunctionCallContent call when WireName(call.Name) is var name && name != call.Name =>
            new FunctionCallContent(call.CallId, name, call.Arguments),
        // As JSON, whatever text is in it cannot end it.
        FunctionResultContent { Result: not (null or string) } result =>
            new FunctionResultContent(result.CallId, JsonSerializer.Serialize(result.Result, ModelJson.Writing)),
        _ => content,
    };

    private IList<AIContent> Inward(IList<AIContent> contents) =>
        contents.Any(c => c is FunctionCallContent call && Ours(call.Name) != call.Name)
        ? [.. contents.Select(c => c is FunctionCallContent call
            ? new FunctionCallContent(call.CallId, Ours(call.Name), call.Arguments) { Exception = call.Exception }
            : c)]
        : contents;

    private string Ours(string name) => _ours.GetValueOrDefault(name, name);

    [GeneratedRegex(@"^[a-zA-Z0-9_-]{1,64}\z", RegexOptions.None, 1000)]
    private static partial Regex ToolName();

    [GeneratedRegex("[^a-zA-Z0-9_-]", RegexOptions.None, 1000)]
    private static partial Regex NotInNames();
}
