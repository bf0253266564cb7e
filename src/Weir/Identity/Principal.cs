using Weir.Errors;

namespace Weir.Identity;

/// <summary>
/// Who asks, as far as this process can tell: an agent by its key, or a person (whose token was verified here) through an agent.
/// Whether that one may do anything is the database's affair; every statement gets the principal and decides anew.
/// </summary>
internal sealed record Principal
{
    private Principal()
    {
    }

    /// <summary>The agent's key; null for a person.</summary>
    public AgentKey? Key { get; private init; }

    /// <summary>The person; null for a key.</summary>
    public Guid? UserId { get; private init; }

    /// <summary>The agent that a person acts through; null for a key, which names its agent itself.</summary>
    public Guid? AgentId { get; private init; }

    /// <summary>Stable text that tells principals apart, for sealed ids and pools; holds no secret.</summary>
    public string Name => Key is not null ? "key:" + Key.Id : $"user:{UserId}:agent:{AgentId}";

    /// <summary>Whose bytes its messages are: the key's, or the person's whichever agent the path names.</summary>
    public string Holder => Key is not null ? Key.Id : CallerOf(UserId!.Value);

    /// <summary>What is answered where the database does not know this principal, or knows it no more.</summary>
    public WeirException Refused() => Key is not null
        ? AgentKey.Refused() : new WeirException(ErrorCode.NotFound, "there is no such agent");

    /// <summary>The name under which a person's bytes are counted. Ids of keys are shorter.</summary>
    public static string CallerOf(Guid userId) => userId.ToString();

    public static Principal OfKey(AgentKey key) => new() { Key = key };

    public static Principal OfPerson(Guid userId, Guid agentId) => new() { UserId = userId, AgentId = agentId };
}
