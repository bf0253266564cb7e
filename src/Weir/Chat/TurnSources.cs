using Weir.Chat.Aggregation;
using Weir.Chat.Gathering;
using Weir.Chat.Tools;
using Weir.Configuration;
using Weir.Definitions;
using Weir.Gateway.AgentTools;
using Weir.Identity;
using Weir.Knowledge;
using Weir.Knowledge.Store;
using Weir.Limits;
using Weir.Mcp;

namespace Weir.Chat;

/// <summary>What a turn starts from.</summary>
/// <param name="Tools">Those of the agent's servers that run, the better priority first; none where their use is switched off.</param>
/// <param name="Asker">Who says the message.</param>
/// <param name="History">Oldest first, without the message that is answered.</param>
/// <param name="Items">What servers and documents say, which nobody has checked.</param>
internal sealed record TurnStart(
    ChatContext Context, IReadOnlyList<GovernedTool> Tools, Speaker Asker, IReadOnlyList<HistoryEntry> History,
    IReadOnlyList<ContextItem> Items);

/// <summary>
/// Gathers, in parallel and all within one share of the turn's time, what a turn can use. What is late or fails is named as
/// degraded, with its reason; the turn goes on without it.
/// </summary>
internal sealed class TurnSources(
    ChatQueries queries, AgentToolsCache toolsCache, DefinitionCache definitions, ServerContext servers, KnowledgeSearch knowledge,
    ChatConfig config,
    DatabaseConfig database, TimeProvider time)
{
    private const int MaxDocuments = 8;

    private readonly DatabaseBulkhead _bulkhead = new(database.PoolSize, time);

    private sealed record Found(AgentToolSet Catalog, TurnSettings Settings, IReadOnlyList<GovernedTool> Tools);

    public async Task<TurnStart> GatherAsync(Principal principal, OpenTurn turn, CallTool call, TurnJournal journal, CancellationToken ct)
    {
        // Its own share begins when its place has come; who waits for too long goes in all the same, and has less time for its model.
        using var inside = await _bulkhead.EnterAsync(TimeSpan.FromSeconds(config.DeadlineSeconds) / 4, ct);
        using var budget = new GatherBudget(config, time, journal, ct);
        // The catalog first: servers are asked when it is there.
        var finding = budget.RunAsync("catalog", token => CatalogAsync(principal, turn.Priorities, call, journal, token));
        var history = budget.RunAsync("history", token => HistoryAsync(principal, turn, token));
        var documents = budget.RunAsync("documents", token => PassagesAsync(principal, turn.Message, journal, token));
        var found = await finding;
        await history;
        inside?.Dispose();
        var context = found is null ? ChatContext.None : Describe(found.Catalog);
        foreach (var server in context.Servers.Where(s => !IsUsable(s.Status)))
        {
            await journal.DegradeAsync(
                new Degradation("server", server.Name, null, server.Status, $"The server '{server.Name}' is {server.Status}."));
        }

        var items = found is null ? null : await budget.RunAsync("context", token => servers.GatherAsync(
            new ServerContext.Turn(principal, turn.MessageId, turn.Message, () => budget.Left, journal.DegradeAsync),
            found.Catalog, found.Settings, token), endsByItself: true);
        var passages = await documents ?? [];
        var (asker, entries) = await history ?? (Asker(principal, []), []);
        return new TurnStart(
            context with { Documents = [.. passages.Select(p => new ChatDocument(p.DocumentId, p.Title, p.Source, p.Score, p.Datastore))] },
            found?.Tools ?? [], asker, entries, [.. items ?? [], .. passages.Select(ItemOf)]);
    }

    /// <summary>The agent's servers as they are now, without asking any of them.</summary>
    public async Task<ChatContext> ContextAsync(Principal principal, CancellationToken ct) =>
        Describe(await toolsCache.LoadAsync(principal, instanceName: null, ct));

    private async Task<(Speaker Asker, IReadOnlyList<HistoryEntry> Entries)?> HistoryAsync(
        Principal principal, OpenTurn turn, CancellationToken ct)
    {
        if (config.HistoryMessages == 0)
        {
            return (Asker(principal, []), []);
        }

        var messages = await queries.MessagesAsync(turn.UserId, turn.ChannelId, turn.MessageId, config.HistoryMessages, ct);
        return (Asker(principal, messages), [.. messages.Where(m => !m.IsDeleted).Reverse().Select(m => EntryOf(principal, m))]);
    }

    private static Speaker Asker(Principal principal, IReadOnlyList<ChatQueries.Message> messages) =>
        new("person", principal.UserId, messages.FirstOrDefault(m => m.UserId == principal.UserId)?.UserName);

    private static HistoryEntry EntryOf(Principal principal, ChatQueries.Message message) => message.Sender == "agent"
        ? new HistoryEntry(message.AgentId == principal.AgentId, new Speaker("agent", message.AgentId, message.AgentName), message.Content)
        : new HistoryEntry(IsOwn: false, new Speaker("person", message.UserId, message.UserName), message.Content);

    /// <summary>What was found; a way of searching that failed is named, and what the others found is used.</summary>
    private async Task<IReadOnlyList<Passage>> PassagesAsync(Principal principal, string message, TurnJournal journal, CancellationToken ct)
    {
        var answer = await knowledge.FindAsync(principal, message, MaxDocuments, ct);
        foreach (var missing in answer.Missing)
        {
            await journal.DegradeAsync(new Degradation("documents", null, null, "unavailable", missing));
        }

        return answer.Passages;
    }

    /// <summary>What a datastore is called is its organization's choice, as a server's name is; the same part found twice is one.</summary>
    private static ContextItem ItemOf(Passage passage) => new(
        new ContextSource("datastore", passage.Datastore), "document",
        $"{passage.Title} ({passage.Source ?? "no source"}, part {passage.Ordinal + 1})",
        passage.Heading.Length > 0 ? $"{passage.Heading}\n{passage.Text}" : passage.Text, Relevance: passage.Score);

    private async Task<Found?> CatalogAsync(
        Principal principal, PriorityRules priorities, CallTool call, TurnJournal journal, CancellationToken ct)
    {
        var loading = toolsCache.LoadAsync(principal, instanceName: null, ct);
        var asking = queries.SettingsAsync(principal.UserId!.Value, principal.AgentId!.Value, ct);
        await Task.WhenAll(loading, asking);
        var (tools, settings) = (priorities.Apply(await loading), priorities.Apply(await asking));
        if (config.Tools && settings.Tools)
        {
            return new Found(tools, settings, await ToolsAsync(tools, settings, call, journal, ct));
        }

        await journal.DegradeAsync(new Degradation(
            "tools", null, null, "off", $"The use of tools is switched off {(config.Tools ? "for this organization" : "here")}."));
        return new Found(tools, settings, []);
    }

    private async Task<IReadOnlyList<GovernedTool>> ToolsAsync(
        AgentToolSet tools, TurnSettings settings, CallTool call, TurnJournal journal, CancellationToken ct)
    {
        var running = tools.Instances.Where(i => IsUsable(i.Status)).Select(i => i.Id).ToHashSet();
        var timeouts = settings.Servers.ToDictionary(s => s.Id, s => s.Timeout);
        // A name may have several approved definitions; one of them is offered, and admission judges the name.
        var items = tools.Items.Where(i => i.Kind == ItemKinds.Tool && running.Contains(i.InstanceId) && IsThere(i))
            .DistinctBy(i => i.ExposedName, StringComparer.Ordinal).ToArray();
        var bytes = await definitions.GetAsync(items, ct);
        List<GovernedTool> offered = [];
        foreach (var (item, definition) in items.Zip(bytes))
        {
            if (ReadTool(item, definition, call, timeouts.GetValueOrDefault(item.InstanceId)) is { } tool)
            {
                offered.Add(tool);
            }
            else
            {
                await journal.DegradeAsync(TurnJournal.LeftOut(item.InstanceName, item.Name, "its definition cannot be read"));
            }
        }

        return offered;
    }

    /// <summary>Null where the definition cannot be read: no other tool is worse off for it.</summary>
    private static GovernedTool? ReadTool(AgentItem item, Definition? definition, CallTool call, TimeSpan? timeout)
    {
        try
        {
            return definition is null ? null
                : GovernedTool.Of(item.ExposedName, item.InstanceName, item.ChatOffline, definition.WithName(item.Name), call, timeout);
        }
        catch (Exception)
        {
            return null;
        }
    }

    private static ChatContext Describe(AgentToolSet tools) => new(
        [
            .. tools.Instances.Select(
                i =>
                    new ChatServer(
                        i.Id, i.Name, i.Status, tools.Items.Count(t => t.Kind == ItemKinds.Tool && t.InstanceId == i.Id && IsThere(t)))),
        ],
        []);

    /// <summary>A turn offers nothing to servers: nobody waits to answer them.</summary>
    private static bool IsThere(AgentItem item) => item.IsThereFor(ClientCapabilities.None);

    private static bool IsUsable(string status) => status is "running" or "degraded";
}
