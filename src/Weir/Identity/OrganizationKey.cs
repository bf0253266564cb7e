using Weir.Errors;

namespace Weir.Identity;

/// <summary>
/// A key of an organization's own automation, <c>weir_org_{id}_{secret}_{check}</c>. It reads what its scopes say, through
/// <c>/rest/v1/rpc</c>; it never acts, and is no person and no agent.
/// </summary>
internal sealed record OrganizationKey(string Id, byte[] SecretHash)
{
    public const string Prefix = "weir_org_";

    /// <summary>A new key: its text, shown once, and its parts for <c>create_organization_api_key</c>.</summary>
    public static (string Text, string Id, string Secret) Create() => KeyText.Create(Prefix);

    /// <summary>Null for what was never an organization's key.</summary>
    public static OrganizationKey? Parse(string text) => KeyText.Parse(Prefix, text) is var (id, hash)
        ? new OrganizationKey(id, hash) : null;

    /// <summary>Where it opens nothing. Said of its form alone, so that it tells nobody whether a key is good.</summary>
    public static WeirException Misplaced() => new(
        ErrorCode.Forbidden,
        "This is an organization's key: it reads the audit log, the servers and the usage, and does nothing else.",
        "POST /rest/v1/rpc/read_audit, read_servers or read_usage.")
    {
        Page = "rest#keys-of-an-organization",
    };
}
