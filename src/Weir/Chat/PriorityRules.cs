using System.Collections.Frozen;
using System.Text.Json;
using Weir.Chat.Gathering;
using Weir.Errors;
using Weir.Gateway.AgentTools;
using Weir.Http;

namespace Weir.Chat;

/// <summary>
/// The priorities that a request gives to servers for its one turn, by their names or ids. Rules for servers that are not granted or do not
/// exist have no effect.
/// </summary>
internal sealed class PriorityRules
{
    /// <summary>Maximum number of rules.</summary>
    public const int Most = 100;

    /// <summary>The lowest priority; 0 is the highest.</summary>
    private const int Worst = 1000;

    private const string Path = "contextSettings.mcpPriorityRules";
    private const int MaxQuoted = 64;

    private readonly FrozenDictionary<string, int> _rules;

    /// <summary>The rules that name a server by its id, in upper or lower case.</summary>
    private readonly FrozenDictionary<Guid, int> _byId;

    private PriorityRules(FrozenDictionary<string, int> rules)
    {
        _rules = rules;
        var byId = new Dictionary<Guid, int>();
        foreach (var (name, priority) in rules)
        {
            if (Guid.TryParseExact(name, "D", out var id))
            {
                byId[id] = priority;
            }
        }

        _byId = byId.ToFrozenDictionary();
    }

    public static PriorityRules None { get; } = new(FrozenDictionary<string, int>.Empty);

    /// <exception cref="WeirException">WR001: which member is wrong, and how.</exception>
    public static PriorityRules Parse(JsonElement root)
    {
        if (Member(root, "contextSettings", "contextSettings") is not { } settings
            || Member(settings, "mcpPriorityRules", Path) is not { } rules)
        {
            return None;
        }

        if (rules.GetPropertyCount() > Most)
        {
            throw RequestJson.Invalid($"{Path} must have at most {Most} members.");
        }

        return new PriorityRules(rules.EnumerateObject().ToFrozenDictionary(r => r.Name, Priority, StringComparer.Ordinal));
    }

    /// <summary>A server's priority in this turn; its id goes before its name.</summary>
    public int Of(Guid id, string name, int priority) =>
        _byId.TryGetValue(id, out var byId) ? byId
        : _rules.TryGetValue(name, out var byName) ? byName
        : priority;

    /// <summary>The catalog in the order of this turn.</summary>
    public AgentToolSet Apply(AgentToolSet tools) => _rules.Count == 0 ? tools : tools with
    {
        Instances = [.. tools.Instances.OrderBy(i => Of(i.Id, i.Name, i.Priority))],
        Items = [.. tools.Items.OrderBy(i => Of(i.InstanceId, i.InstanceName, i.Priority))],
    };

    /// <summary>The servers' settings with the priorities of this turn, the better first.</summary>
    public TurnSettings Apply(TurnSettings settings) => _rules.Count == 0 ? settings : settings with
    {
        Servers = [.. settings.Servers.Select(s => s with { Priority = Of(s.Id, s.Name, s.Priority) }).OrderBy(s => s.Priority)],
    };

    /// <summary>An object; null where it is missing.</summary>
    private static JsonElement? Member(JsonElement parent, string name, string path) =>
        !parent.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null ? null
        : value.ValueKind == JsonValueKind.Object ? value
        : throw RequestJson.Invalid($"{path} must be an object.");

    private static int Priority(JsonProperty rule) =>
        rule.Value.ValueKind == JsonValueKind.Number && rule.Value.TryGetInt32(out var priority) && priority is >= 0 and <= Worst
            ? priority
            : throw RequestJson.Invalid($"{Path}.{Quoted(rule.Name)} must be a whole number from 0 to {Worst}.");

    private static string Quoted(string name) => name.Length <= MaxQuoted ? name : name[..MaxQuoted] + "…";
}
