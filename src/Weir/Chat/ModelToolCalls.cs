using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Extensions.AI;
using Weir.Mcp;
using Weir.Models;

namespace Weir.Chat;

/// <summary>
/// What a model asks to be called, before it is. A name that it was not offered becomes a call too: admission denies and records it, and
/// the model hears the same of another agent's tool as of one that does not exist. Of one answer at most so many calls are made. Names and
/// ids are a model's words: what could not be kept is changed.
/// </summary>
internal sealed partial class ModelToolCalls(IChatClient inner, CallTool call) : DelegatingChatClient(inner)
{
    /// <summary>Calls of one round.</summary>
    private const int Most = 64;

    private const int MaxName = 128;

    private readonly HashSet<string> _ids = new(StringComparer.Ordinal);

    /// <summary>Found by the loop beside the tools that were offered.</summary>
    public IList<AITool> Unknown { get; } = [];

    public override async Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        var response = await base.GetResponseAsync(messages, options, cancellationToken);
        var calls = 0;
        foreach (var message in response.Messages)
        {
            message.Contents = Take(message.Contents, options, ref calls);
        }

        return response;
    }

    public override async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var calls = 0;
        await foreach (var update in base.GetStreamingResponseAsync(messages, options, cancellationToken))
        {
            update.Contents = Take(update.Contents, options, ref calls);
            yield return update;
        }
    }

    private IList<AIContent> Take(IList<AIContent> contents, ChatOptions? options, ref int calls)
    {
        if (!contents.Any(c => c is FunctionCallContent))
        {
            return contents;
        }

        List<AIContent> taken = [];
        foreach (var content in contents)
        {
            if (content is not FunctionCallContent asked)
            {
                taken.Add(content);
            }
            else if (++calls <= Most)
            {
                taken.Add(Tidy(asked));
                Note(((FunctionCallContent)taken[^1]).Name, options);
            }
        }

        return taken;
    }

    private FunctionCallContent Tidy(FunctionCallContent asked)
    {
        var name = NotInNames().Replace(asked.Name.Length <= MaxName ? asked.Name : asked.Name[..MaxName], "_");
        var id = Id().IsMatch(asked.CallId) && _ids.Add(asked.CallId) ? asked.CallId : $"call-{_ids.Count + 1}-of-the-turn";
        _ids.Add(id);
        var problem = asked.Exception ?? Problem(asked.Arguments);
        // Arguments that nobody can read are none, in what the model is shown again too; the tool says so instead of being called.
        return problem is not null
            ? new FunctionCallContent(id, name, new Dictionary<string, object?>(StringComparer.Ordinal)) { Exception = problem }
            : name == asked.Name && id == asked.CallId ? asked
            : new FunctionCallContent(id, name, asked.Arguments);
    }

    private static Exception? Problem(IDictionary<string, object?>? arguments)
    {
        try
        {
            var json = JsonSerializer.SerializeToUtf8Bytes(arguments, ChatAnswer.Json);
            return NumberBounds.ContainAllOf(json) ? null
                : new ModelArgumentsException($"The arguments of the call cannot be sent; nothing was called. {NumberBounds.Description}");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or ArgumentException or NotSupportedException)
        {
            return new ModelArgumentsException("The arguments of the call cannot be written as JSON; nothing was called.", e);
        }
    }

    private void Note(string name, ChatOptions? options)
    {
        if (options?.Tools?.Any(t => t.Name == name) != true && !Unknown.Any(t => t.Name == name))
        {
            Unknown.Add(GovernedTool.Unknown(name, call));
        }
    }

    [GeneratedRegex("[^a-zA-Z0-9_.-]", RegexOptions.None, 1000)]
    private static partial Regex NotInNames();

    /// <summary>
    /// As every provider takes it back: a fallback may continue the turn, and OpenAI takes 40 characters, Anthropic these.
    /// </summary>
    [GeneratedRegex("^[A-Za-z0-9_-]{1,40}\\z", RegexOptions.None, 1000)]
    private static partial Regex Id();
}
