namespace Weir.Isolation.Attack;

/// <summary>What the attack found: of each kind and object the first, for a hole shows in many attempts.</summary>
internal sealed class Ledger
{
    private static readonly Dictionary<string, (string Promise, string Fix)> Kinds = new(StringComparer.Ordinal)
    {
        ["attack-read"] = ("Nobody reads another organization's rows.",
            "Put the policies and grants of {0} back as migrated; weir isolation check without --attack may name the one."),
        ["attack-write"] = ("anon and authenticated write no table.", "Revoke what they have on {0} beyond select."),
        ["attack-answer"] = ("A published function answers nothing of another organization's.",
            "Put back what binds {0} and the function behind it to the caller's organizations."),
        ["attack-oracle"] = ("An id of another organization's is answered as one that does not exist.",
            "Let {0} and the function behind it look things up by the caller's organizations, and refuse both cases in the same way."),
        ["attack-change"] = ("A published function changes nothing of another organization's.",
            "Put back what binds {0} and the function behind it to the caller's organizations."),
        ["attack-identity"] = ("Only a verified subject, in the one setting that Weir writes, is somebody.",
            "Put weir.actor_id() and the policies back as migrated."),
        ["attack-weir"] = (
            "What is in the schema weir has no name for an API role.", "Revoke usage on the schema weir, and what was granted on {0}."),
        ["attack-value"] = ("No published function looks at a jsonb value before it has bounded its size, its depth and its numbers.",
            "Put back weir.bounds_error, and its call in the function behind {0} before anything else is done with the value."),
        ["attack-cost"] = ("A grant whose rules cost a call more than the maximum is refused when it is made.",
            "Put weir.max_cost, weir.permissions_error and the functions that it asks back as migrated."),
        ["attack-agent"] = ("A person is brought to an agent by an admin, or by who owns each agent of the workspace.",
            "Put back weir.may_add_to_workspace, weir.may_manage_agents_of, and the policy for inserts into workspace_members."),
        ["attack-catalog"] = ("API roles read of a catalog entry what describes it, and no command, argument or variable.",
            "Revoke select on {0} from authenticated and anon, and grant it by column as migrated."),
        ["attack-shadow"] = ("A caller's temporary objects change no answer.",
            "Set search_path = pg_catalog, pg_temp on the function behind {0}, and qualify every name in it."),
    };

    private readonly Dictionary<(string Id, string Object), Finding> _findings = [];
    private readonly List<Finding> _notes = [];

    public static IEnumerable<string> Ids => Kinds.Keys;

    public int Attempts { get; private set; }

    public IReadOnlyList<Finding> Findings => [.. _findings.Values];

    /// <summary>What could not be tried: silence about it would read as isolation that holds.</summary>
    public IReadOnlyList<Finding> Notes => _notes;

    public void Tried() => Attempts++;

    public void NotTried(string id, string @object, string why) =>
        _notes.Add(new Finding(id, @object, why, Kinds[id].Promise, "Give the owner what it takes, and attack again."));

    public void Find(string id, string @object, string found)
    {
        var (promise, fix) = Kinds[id];
        _findings.TryAdd((id, @object), new Finding(id, @object, found, promise, string.Format(null, fix, @object)));
    }
}
