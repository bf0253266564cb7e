using System.Collections.Concurrent;
using System.Collections.Frozen;
using Weir.Definitions;
using Weir.Errors;
using Weir.Gateway.Calls;
using Weir.Identity;
using Weir.Mcp;
using Weir.Upstream;

namespace Weir.Gateway.AgentTools;

/// <summary>One thing of one server that the agent may use.</summary>
/// <param name="Kind">One of <see cref="ItemKinds"/>.</param>
/// <param name="Name">The server's own name for it.</param>
/// <param name="ExposedName">What the agent sees: the same on <c>/mcp/{instance}</c>.</param>
internal sealed record AgentItem(
    Guid InstanceId, string InstanceName, string Kind, string Name, string ExposedName, byte[] Hash, bool ChatOffline)
{
    /// <summary>The eras of the clients whose lists it fits into; see <see cref="ItemShape"/>.</summary>
    public IReadOnlyList<string> Eras { get; init; } = ItemShape.Fits.Eras;

    /// <summary>What a client must offer to servers for its server to have it; see <see cref="ClientAbilities"/>.</summary>
    public IReadOnlyList<string> Needs { get; init; } = [];

    /// <summary>Its server's: the order of lists is priority, server's id, name.</summary>
    public int Priority { get; init; }

    public bool IsFor(string era) => ReferenceEquals(Eras, ItemShape.Fits.Eras) || Eras.Contains(era, StringComparer.Ordinal);

    /// <summary>Whether the server has it for a client that offers this.</summary>
    public bool IsThereFor(ClientCapabilities offered) =>
        Needs.Count == 0 || !Needs.Except(ClientAbilities.Of(offered), StringComparer.Ordinal).Any();
}

/// <summary>One server that the agent is granted, whatever its state.</summary>
/// <param name="Share">Who shares what runs there: <c>instance</c>, <c>credential</c> or <c>session</c>.</param>
/// <param name="TimeoutMs">How long it may take for a call. Null, or 0, which only keeps it out of chat: as long as any.
/// Milliseconds.</param>
internal sealed record AgentServer(Guid Id, string Name, string Status, string Share, int? TimeoutMs = null)
{
    /// <summary>A lower number comes first.</summary>
    public int Priority { get; init; }

    public bool IsSwitchedOff => Status == "switched_off";
}

/// <summary>
/// What an agent may use, as one statement said it. Used as a hint to find the server behind a name and the bytes of a list;
/// whether a call is allowed is decided anew each time.
/// </summary>
/// <param name="MaxConnections">How many calls and streams its organization may have open at one replica.</param>
internal sealed record AgentToolSet(
    Guid OrganizationId, Guid AgentId, string AgentName, int MaxConnections, IReadOnlyList<AgentServer> Instances,
    IReadOnlyList<AgentItem> Items)
{
    /// <summary>The agent, its organization or the platform is switched off. The catalog is empty, and admission records why.</summary>
    public bool IsStopped { get; init; }

    /// <summary>Made when it is first asked for: a list needs none, and it is much of what one costs.</summary>
    private FrozenDictionary<(string, string), AgentItem> Named => field ??= Items
        .Where(i => i.Kind is ItemKinds.Tool or ItemKinds.Prompt)
        .DistinctBy(i => (i.Kind, i.ExposedName))
        .ToFrozenDictionary(i => (i.Kind, i.ExposedName));

    /// <summary>What it takes of memory, about.</summary>
    public long Bytes { get; } = 512 + (Instances.Count * 128L) + Items.Sum(i => 192L + ((i.Name.Length + i.ExposedName.Length) * 2L));

    /// <summary>How long a server may take for one call; null: as long as any.</summary>
    public TimeSpan? TimeoutOf(Guid instance) =>
        Instances.FirstOrDefault(i => i.Id == instance)?.TimeoutMs is > 0 and var ms ? TimeSpan.FromMilliseconds(ms) : null;

    /// <param name="kind"><see cref="ItemKinds.Tool"/> or <see cref="ItemKinds.Prompt"/>: the others have URIs and no exposed
    /// names.</param>
    public AgentItem? Find(string kind, string exposedName) => Named.GetValueOrDefault((kind, exposedName));
}

/// <summary>
/// The last catalog of each agent that this replica serves, swapped whole. Dropped when the database says that something
/// changed; a name that is not found is looked up anew, so a stale one costs a statement and never a wrong permission.
/// </summary>
internal sealed class AgentToolsCache(AgentToolsQueries queries, AgentToolsReadLimiter reads, int maxNameLength)
{
    /// <summary>
    /// Beyond this an organization's own are dropped, and beyond <see cref="MaxBytes"/> all: they are loaded again when they are used.
    /// </summary>
    private const long MaxBytesOfOrganization = 64 * 1024 * 1024;
    private const long MaxBytes = 512 * 1024 * 1024;

    private readonly ConcurrentDictionary<string, (AgentToolSet Catalog, ByteAccount Account)> _kept = new(StringComparer.Ordinal);
    private readonly Lock _keeping = new();

    /// <summary>What is kept, by organization.</summary>
    public ByteBudget Budget { get; } = new(MaxBytesOfOrganization, MaxBytesOfOrganization);

    /// <summary>The kept catalog; null where there is none.</summary>
    public AgentToolSet? Find(Principal principal, string? instanceName) => _kept.GetValueOrDefault(Key(principal, instanceName)).Catalog;

    /// <summary>The live catalog, which also proves the principal.</summary>
    /// <exception cref="WeirException">WR002, WR004: the principal is not valid. WR003: it is switched off. WR008: its organization already
    /// waits for too many.</exception>
    public async Task<AgentToolSet> LoadAsync(Principal principal, string? instanceName, CancellationToken ct)
    {
        var tools = await LoadEvenStoppedAsync(principal, instanceName, ct);
        return tools.IsStopped ? throw Denials.SwitchedOff() : tools;
    }

    /// <summary>The same for a call, which admission denies and records where the agent is switched off.</summary>
    public async Task<AgentToolSet> LoadEvenStoppedAsync(Principal principal, string? instanceName, CancellationToken ct)
    {
        using var permit = await reads.EnterAsync(principal, ct);
        var rows = await queries.AgentToolsAsync(principal, instanceName, ct);
        if (rows.Count == 0)
        {
            reads.Forget(principal);
            throw principal.Refused();
        }

        var tools = Build(rows, exposeAll: instanceName is null);
        if (!tools.IsStopped)
        {
            Keep(Key(principal, instanceName), tools);
        }

        return tools;
    }

    /// <summary>Keeps a catalog in the place of the one before. One that alone is larger than an organization's part is not kept.</summary>
    internal void Keep(string key, AgentToolSet tools)
    {
        lock (_keeping)
        {
            Remove(key);
            if (Budget.Total + tools.Bytes > MaxBytes)
            {
                Drop(organizationId: null);
            }

            var account = Budget.Open(tools.OrganizationId);
            if (account.TryTake(tools.Bytes) is null)
            {
                Drop(tools.OrganizationId);
                if (account.TryTake(tools.Bytes) is null)
                {
                    return;
                }
            }

            _kept[key] = (tools, account);
        }
    }

    /// <summary>Drops what belongs to an organization, or everything.</summary>
    public void Drop(Guid? organizationId)
    {
        foreach (var (key, kept) in _kept)
        {
            if (organizationId is null || kept.Catalog.OrganizationId == organizationId)
            {
                Remove(key);
            }
        }
    }

    private void Remove(string key)
    {
        if (_kept.TryRemove(key, out var kept))
        {
            kept.Account.Dispose();
        }
    }

    private AgentToolSet Build(IReadOnlyList<AgentToolsQueries.AgentToolsRow> rows, bool exposeAll)
    {
        var agent = rows[0];
        var instances = rows.Where(r => r.Kind == "instance")
            .Select(r => new AgentServer(r.InstanceId!.Value, r.InstanceName!, r.Status!, r.Share!, r.TimeoutMs)
            {
                Priority = r.Priority!.Value,
            });
        var items = rows.Where(r => r.Item is not null).Select(r => new AgentItem(
            r.InstanceId!.Value,
            r.InstanceName!,
            r.Kind,
            r.Item!,
            exposeAll ? Expose(r) : r.Item!,
            r.Hash!,
            r.ChatOffline)
        {
            Eras = r.Eras ?? ItemShape.Fits.Eras,
            Needs = r.Needs ?? [],
            Priority = r.Priority!.Value,
        });
        return new AgentToolSet(
            agent.OrganizationId, agent.AgentId, agent.AgentName, agent.MaxConnections!.Value, [.. instances], [.. items])
        {
            IsStopped = agent.Kind == "stopped",
        };
    }

    private string Expose(AgentToolsQueries.AgentToolsRow row) => row.Kind is ItemKinds.Tool or ItemKinds.Prompt
        ? ExposedNames.Make(row.InstanceName!, row.InstanceId!.Value, row.Item!, maxNameLength)
        : ResourceUris.Map(row.InstanceName!, row.Item!);

    private static string Key(Principal principal, string? instanceName) => $"{principal.Name}/{instanceName}";
}
