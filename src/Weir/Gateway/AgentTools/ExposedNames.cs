using System.Security.Cryptography;
using System.Text;

namespace Weir.Gateway.AgentTools;

/// <summary>
/// The name under which an agent sees a server's tool on <c>/mcp</c>: <c>{instance}__{tool}</c>, at most
/// <c>mcp.maxNameLength</c> characters of <c>[A-Za-z0-9_-]</c>. Where a character was replaced or the name cut, it ends in
/// <c>_</c> and 8 hex digits of SHA-256(instance id, NUL, tool). It depends on nothing else, so no other tool or grant ever
/// renames it; and it is looked up, never parsed.
/// </summary>
internal static class ExposedNames
{
    private const int HashLength = 8;

    public static string Make(string instanceName, Guid instanceId, string tool, int maxLength)
    {
        var plain = $"{instanceName}__{tool}";
        if (plain.Length <= maxLength && plain.All(IsAllowed) && !LooksMade(plain))
        {
            return plain;
        }

        var cleaned = string.Concat(plain.Select(c => IsAllowed(c) ? c : '_'));
        var head = cleaned[..Math.Min(cleaned.Length, maxLength - HashLength - 1)];
        return $"{head}_{Hash(instanceId, tool)}";
    }

    private static bool IsAllowed(char c) => char.IsAsciiLetterOrDigit(c) || c is '_' or '-';

    /// <summary>A real name that has the form of a made one is hashed too, so that it can never stand in for one.</summary>
    private static bool LooksMade(string name) =>
        name.Length > HashLength && name[^(HashLength + 1)] == '_' && name[^HashLength..].All(char.IsAsciiHexDigitLower);

    private static string Hash(Guid instanceId, string tool)
    {
        var id = instanceId.ToByteArray(bigEndian: true);
        byte[] input = [.. id, 0, .. Encoding.UTF8.GetBytes(tool)];
        return Convert.ToHexStringLower(SHA256.HashData(input))[..HashLength];
    }
}
