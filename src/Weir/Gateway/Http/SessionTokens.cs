using System.Buffers.Text;
using System.Text.Json;
using Weir.Identity;
using Weir.Keys;
using Weir.Mcp;

namespace Weir.Gateway.Http;

/// <summary>What a legacy session is: sealed into its id, so that any replica serves a plain call of it.</summary>
/// <param name="Id">Random; what upstream sessions of <c>share: session</c> are keyed by.</param>
/// <param name="Principal">Who opened it; nobody else may use it.</param>
/// <param name="Path">The endpoint it was opened on: <c>/mcp</c>, or one agent's or instance's.</param>
/// <param name="Version">The negotiated protocol version.</param>
/// <param name="Capabilities">What the client offers to servers (<see cref="ClientCapabilities"/>), JSON.</param>
/// <param name="Replica">The replica that holds what dies with an open stream.</param>
/// <param name="ExpiresAt">After this the client must initialize anew.</param>
internal sealed record Session(
    string Id, string Principal, string Path, string Version, string Capabilities, Guid Replica, DateTimeOffset ExpiresAt);

internal enum SessionCheck
{
    Good,

    /// <summary>Not sealed by this keyring, or expired, or opened elsewhere: 404, and the client initializes anew.</summary>
    Unknown,

    /// <summary>Sealed for another principal: 403.</summary>
    Foreign,
}

/// <summary>Seals sessions into <c>Mcp-Session-Id</c> and opens them again.</summary>
internal sealed class SessionTokens(Keyring keyring, TimeProvider time)
{
    public static readonly TimeSpan Lifetime = TimeSpan.FromHours(24);
    private const string Purpose = "mcp-session";

    public string Seal(Session session) =>
        Base64Url.EncodeToString(keyring.Seal(Purpose, JsonSerializer.SerializeToUtf8Bytes(session, SessionJson.Default.Session)));

    public Session Create(Principal principal, string path, string version, ClientCapabilities offered, Guid replica) => new(
        Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(16)),
        principal.Name,
        path,
        version,
        offered.Json,
        replica,
        time.GetUtcNow() + Lifetime);

    public SessionCheck TryOpen(string token, Principal principal, string path, out Session? session)
    {
        session = null;
        if (token.Length > 8192 || !Base64Url.IsValid(token)
            || !keyring.TryOpen(Purpose, Base64Url.DecodeFromChars(token), default, out var plain))
        {
            return SessionCheck.Unknown;
        }

        session = JsonSerializer.Deserialize(plain, SessionJson.Default.Session);
        if (session is null || session.ExpiresAt <= time.GetUtcNow() || !string.Equals(session.Path, path, StringComparison.Ordinal))
        {
            return SessionCheck.Unknown;
        }

        return string.Equals(session.Principal, principal.Name, StringComparison.Ordinal) ? SessionCheck.Good : SessionCheck.Foreign;
    }
}
