using System.Security.Cryptography;
using System.Text;
using Weir.Keys;

namespace Weir.Nodes;

/// <summary>
/// Tokens and keys between Weir and its nodes. A registration token is <c>{node id}.{secret}</c>: so the node's API key can be sealed to
/// the node's id before the database has used the token up, and a sealed key that is put on another node's row does not open.
/// </summary>
internal static class NodeKeys
{
    private const string Purpose = "node-api-key";

    public static string NewSecret() => RandomNumberGenerator.GetHexString(64, lowercase: true);

    public static string Token(Guid nodeId, string secret) => $"{nodeId:N}.{secret}";

    /// <summary>False for what no token looks like.</summary>
    public static bool TryReadToken(string? token, out Guid nodeId, out byte[] hash)
    {
        var dot = token?.IndexOf('.', StringComparison.Ordinal) ?? -1;
        var good = Guid.TryParseExact(dot > 0 ? token.AsSpan(0, dot) : default, "N", out nodeId);
        hash = good ? Hash(token![(dot + 1)..]) : [];
        return good;
    }

    public static byte[] Hash(string secret) => SHA256.HashData(Encoding.UTF8.GetBytes(secret));

    public static byte[] Seal(Keyring keyring, Guid nodeId, string apiKey) =>
        keyring.Seal(Purpose, Encoding.UTF8.GetBytes(apiKey), nodeId.ToByteArray(bigEndian: true));

    /// <summary>Null where the keyring cannot open it.</summary>
    public static string? Open(Keyring keyring, Guid nodeId, byte[] sealedApiKey) =>
        keyring.TryOpen(Purpose, sealedApiKey, nodeId.ToByteArray(bigEndian: true), out var apiKey)
            ? Encoding.UTF8.GetString(apiKey) : null;
}
