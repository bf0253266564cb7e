using Weir.Definitions;
using Weir.Gateway.Calls;
using Weir.Mcp;

namespace Weir.Gateway.AgentTools;

/// <summary>Which server a call means, and what of it.</summary>
/// <param name="Item">The server's own name: of a tool or prompt, or a URI.</param>
/// <param name="Known">The catalog's item; null for a resource, which needs none.</param>
internal sealed record CallTarget(Guid InstanceId, string InstanceName, string Item, AgentItem? Known = null);

/// <summary>
/// Finds the server behind the name that a caller used, as a hint: whether the call is allowed is decided with the answer.
/// What the kept catalog does not know is looked up once.
/// </summary>
internal sealed class CallTargets(AgentToolsCache toolsCache, DefinitionCache definitions)
{
    /// <summary>The agent's tools, and the target; null where nothing of the agent's has that name.</summary>
    /// <exception cref="Errors.WeirException">WR002, WR004: the principal is not good.</exception>
    public async ValueTask<(AgentToolSet Catalog, CallTarget? Target)> ResolveAsync(GovernedCall call, CancellationToken ct)
    {
        var tools = toolsCache.Find(call.Principal, call.InstanceName);
        if (tools is not null && Find(tools, call) is { } known)
        {
            return (tools, known);
        }

        tools = await toolsCache.LoadEvenStoppedAsync(call.Principal, call.InstanceName, ct);
        return (tools, Find(tools, call));
    }

    /// <summary>The arguments that a modern request for this target repeats in headers.</summary>
    public async ValueTask<IReadOnlyList<ParamHeader>> ParamHeadersAsync(CallTarget? target, CancellationToken ct) =>
        target?.Known is { Kind: ItemKinds.Tool } tool && (await definitions.GetAsync([tool], ct))[0] is { } definition
            ? definition.ParamHeaders : ParamHeaders.None;

    /// <summary>What its server has only for clients that offer more is unknown to this one.</summary>
    private static CallTarget? Find(AgentToolSet tools, GovernedCall call)
    {
        if (call.Kind != CallKinds.Resource)
        {
            return tools.Find(call.Kind == CallKinds.Prompt ? ItemKinds.Prompt : ItemKinds.Tool, call.ExposedName) is { } item
                && item.IsThereFor(call.Offered)
                ? new CallTarget(item.InstanceId, item.InstanceName, item.Name, item)
                : null;
        }

        if (call.InstanceName is not null)
        {
            return tools.Instances is [var only] ? new CallTarget(only.Id, only.Name, call.ExposedName) : null;
        }

        return ResourceUris.Split(tools, call.ExposedName);
    }
}
