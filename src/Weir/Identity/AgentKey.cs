using Weir.Errors;

namespace Weir.Identity;

/// <summary>An agent's key, <c>weir_{id}_{secret}_{check}</c>.</summary>
internal sealed record AgentKey(string Id, byte[] SecretHash)
{
    public const string Prefix = "weir_";

    /// <summary>A new key: its text, shown once, and its parts for <c>create_agent_key</c>.</summary>
    public static (string Text, string Id, string Secret) Create() => KeyText.Create(Prefix);

    /// <summary>One text for all reasons: unknown, revoked, expired, or of an agent that may not act.</summary>
    public static WeirException Refused() => new(ErrorCode.Unauthenticated, KeyText.Refused);

    /// <summary>Null for what was never an agent's key.</summary>
    public static AgentKey? Parse(string text) => KeyText.Parse(Prefix, text) is var (id, hash) ? new AgentKey(id, hash) : null;
}
