using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;

namespace Weir.Chat;

/// <summary>
/// What a model asks to be called, before it is. A name that it was not offered becomes a call too: admission denies and records it, and the
/// model hears the same of another agent's tool as of one that does not exist. Of one answer at most so many calls are made.
/// </summary>
internal sealed class AskedCalls(IChatClient inner, CallTool call) : DelegatingChatClient(inner)
{
    /// <summary>Calls of one round.</summary>
    private const int Most = 64;

    /// <summary>Found by the loop beside the tools that were offered.</summary>
    public IList<AITool> Unknown { get; } = [];

    public override async Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
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
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
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
                taken.Add(asked);
                Note(asked.Name, options);
            }
        }

        return taken;
    }

    private void Note(string name, ChatOptions? options)
    {
        if (options?.Tools?.Any(t => t.Name == name) != true && !Unknown.Any(t => t.Name == name))
        {
            Unknown.Add(GovernedTool.Unknown(name, call));
        }
    }
}
