using Microsoft.AspNetCore.Http;
using Weir.Mcp;

namespace Weir.Gateway.Http;

/// <summary>A refusal of the protocol itself: a JSON-RPC error with its HTTP status.</summary>
/// <param name="SupportedVersions">Set for an unsupported version: what the client may try instead.</param>
internal sealed record Refusal(int Status, int Code, string Message, string? RequestedVersion = null, bool SupportedVersions = false);

/// <summary>
/// Which era a request belongs to, and the checks of the modern one, in the order that clients' fallbacks depend on:
/// version supported, header equal to the body, capabilities present.
/// </summary>
internal static class ModernChecks
{
    /// <summary>Modern is what carries the version in <c>_meta</c>, or names a version in its header that is not a legacy one.</summary>
    public static bool IsModern(ClientMessage message, string? headerVersion) =>
        message.MetaVersion is not null
        || (headerVersion is not null && message.Method != Methods.Initialize
            && !Protocol.LegacyVersions.Contains(headerVersion, StringComparer.Ordinal));

    /// <summary>Null for a request that is in order.</summary>
    public static Refusal? Check(ClientMessage message, IHeaderDictionary headers)
    {
        var headerVersion = Header(headers, Protocol.VersionHeader);
        if (headerVersion is not null && message.MetaVersion is not null && headerVersion != message.MetaVersion)
        {
            return Mismatch(Protocol.VersionHeader);
        }

        var requested = message.MetaVersion ?? headerVersion;
        if (requested != Protocol.Modern)
        {
            return new Refusal(
                400, RpcCodes.UnsupportedProtocolVersion, "Unsupported protocol version", requested, SupportedVersions: true);
        }

        if (message.Kind != MessageKind.Request)
        {
            return null;
        }

        if (message.MetaVersion is null)
        {
            return new Refusal(400, RpcCodes.InvalidParams, $"params._meta holds no {Protocol.MetaVersion}");
        }

        if (headerVersion != message.MetaVersion)
        {
            return Mismatch(Protocol.VersionHeader);
        }

        if (Header(headers, Protocol.MethodHeader) != message.Method)
        {
            return Mismatch(Protocol.MethodHeader);
        }

        if (Protocol.NamedBy.ContainsKey(message.Method)
            && (Header(headers, Protocol.NameHeader) is not { } name || HeaderValues.Decode(name) != message.Name))
        {
            return Mismatch(Protocol.NameHeader);
        }

        return message.ClientCapabilities.Exists
            ? null
            : new Refusal(400, RpcCodes.InvalidParams, $"params._meta holds no {Protocol.MetaClientCapabilities} object");
    }

    private static Refusal Mismatch(string header) =>
        new(400, RpcCodes.HeaderMismatch, $"The header {header} is missing, or differs from the body.");

    private static string? Header(IHeaderDictionary headers, string name) => headers.TryGetValue(name, out var values) && values.Count == 1
        ? values[0] : null;
}
