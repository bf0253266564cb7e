using System.Security.Cryptography;
using System.Text;

namespace Weir.Identity;

/// <summary>What a link's token is for.</summary>
internal enum LinkTokenKind
{
    /// <summary>To join an organization, with a new account.</summary>
    Invitation,

    /// <summary>To sign in once without the password.</summary>
    Recovery,
}

/// <summary>
/// The token of a link, <c>#invitation=…</c> or <c>#recovery=…</c>: 43 random letters and digits. The database knows its hash only.
/// </summary>
internal sealed record LinkToken(LinkTokenKind Kind, byte[] Hash)
{
    private const int Length = 43;

    /// <summary>Null if the text is not 43 letters and digits.</summary>
    public static LinkToken? Parse(LinkTokenKind kind, string text) => text.Length == Length && text.All(char.IsAsciiLetterOrDigit)
        ? new LinkToken(kind, SHA256.HashData(Encoding.ASCII.GetBytes(text)))
        : null;
}
