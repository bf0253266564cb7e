using Microsoft.Extensions.AI;
using Weir.Catalog;
using Weir.Configuration;
using Weir.Errors;
using Weir.Gateway;
using Weir.Identity;

namespace Weir.Chat;

/// <summary>What a turn starts from.</summary>
/// <param name="Tools">Those of the agent's servers that run, the better priority first.</param>
/// <param name="History">Oldest first, without the message that is answered.</param>
internal sealed record TurnStart(ChatContext Context, IReadOnlyList<GovernedTool> Tools, IReadOnlyList<ChatMessage> History);

/// <summary>
/// Gathers, in parallel and each within the budget, what a turn can use. What is late or fails is named as degraded, with its
/// reason; the turn goes on without it.
/// </summary>
internal sealed class TurnSources(ChatQueries queries, AgentCatalogs catalogs, Definitions definitions, ChatConfig config, TimeProvider time)
{
    private const int HistoryMessages = 20;

    public async Task<TurnStart> GatherAsync(
        Principal principal, Guid channelId, Guid messageId, CallTool call, TurnJournal journal, CancellationToken ct)
    {
        var history = WithinBudgetAsync("history", token => HistoryAsync(principal, channelId, messageId, token), journal, ct);
        var servers = WithinBudgetAsync("catalog", token => ServersAsync(principal, call, token), journal, ct);
        var (context, tools) = await servers is { Context: not null } found ? found : (ChatContext.None, []);
        foreach (var server in context.Servers.Where(s => !IsUsable(s.Status)))
        {
            await journal.DegradeAsync(new Degradation("server", server.Name, null, server.Status, $"The server '{server.Name}' is {server.Status}."));
        }

        return new TurnStart(context, tools, await history ?? []);
    }

    /// <summary>The agent's servers as they are now, without asking any of them.</summary>
    public async Task<ChatContext> ContextAsync(Principal principal, CancellationToken ct) => Describe(await catalogs.LoadAsync(principal, instanceName: null, ct));

    private async Task<IReadOnlyList<ChatMessage>> HistoryAsync(Principal principal, Guid channelId, Guid messageId, CancellationToken ct)
    {
        var messages = await queries.MessagesAsync(principal.UserId!.Value, channelId, messageId, HistoryMessages, ct);
        return
        [
            .. messages.Reverse().Select(m => new ChatMessage(m.Sender == "agent" && m.AgentId == principal.AgentId ? ChatRole.Assistant : ChatRole.User, m.Content)
            {
                AuthorName = m.AgentName ?? m.UserId?.ToString(),
            }),
        ];
    }

    private async Task<(ChatContext Context, IReadOnlyList<GovernedTool> Tools)> ServersAsync(
        Principal principal, CallTool call, CancellationToken ct)
    {
        var catalog = await catalogs.LoadAsync(principal, instanceName: null, ct);
        var running = catalog.Instances.Where(i => IsUsable(i.Status)).Select(i => i.Id).ToHashSet();
        // A name may have several approved definitions; one of them is offered, and admission judges the name.
        var items = catalog.Items.Where(i => i.Kind == ItemKinds.Tool && running.Contains(i.InstanceId)).DistinctBy(i => i.ExposedName, StringComparer.Ordinal).ToArray();
        var bytes = await definitions.GetAsync(items, ct);
        var tools = items.Zip(bytes).Where(p => p.Second is not null)
            .Select(p => GovernedTool.Of(p.First.ExposedName, p.First.InstanceName, p.First.ChatOffline, p.Second!.WithName(p.First.Name), call));
        return (Describe(catalog), [.. tools]);
    }

    private static ChatContext Describe(AgentCatalog catalog) => new(
        [.. catalog.Instances.Select(i => new ChatServer(i.Id, i.Name, i.Status, catalog.Items.Count(t => t.Kind == ItemKinds.Tool && t.InstanceId == i.Id)))],
        []);

    private static bool IsUsable(string status) => status is "running" or "degraded";

    private async Task<T?> WithinBudgetAsync<T>(string source, Func<CancellationToken, Task<T>> work, TurnJournal journal, CancellationToken ct)
    {
        using var budget = new CancellationTokenSource(TimeSpan.FromMilliseconds(config.ContextMilliseconds), time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(ct, budget.Token);
        try
        {
            return await work(linked.Token).WaitAsync(linked.Token);
        }
        catch (OperationCanceledException)
        {
            await journal.DegradeAsync(new Degradation(source, null, null, "late", $"The {source} was not there within {config.ContextMilliseconds} ms."));
        }
        catch (WeirException e)
        {
            await journal.DegradeAsync(new Degradation(source, null, null, e.Code == ErrorCode.Unavailable ? "unavailable" : "failed", e.Message));
        }

        return default;
    }
}
