using Weir.Nodes;

namespace Weir.Server.Http;

/// <summary>
/// How many bytes of a body each endpoint reads, in the order in which docs/security.md lists them ("What is read before the caller is
/// known"). The limits of messages that hold a tenant's own content are settings: <c>mcp.maxBodyBytes</c>,
/// <c>knowledge.maxDocumentBytes</c>.
/// </summary>
internal static class BodyLimits
{
    /// <summary>Most that is read of a caller who is not known: an anonymous call, or one with an organization's key.</summary>
    public const int Unknown = 64 * 1024;

    /// <summary>An address of 320 characters and a password of 256, each escaped, with what clients send besides.</summary>
    public const int SignIn = 8 * 1024;

    /// <summary>A node's URL, key and name.</summary>
    public const int Register = 8 * 1024;

    /// <summary>4,096 servers, with errors that the node cuts until they fit.</summary>
    public const int Heartbeat = HeartbeatRequest.MostBytes;

    /// <summary>A message of 32 KiB, escaped, with its ids.</summary>
    public const int Chat = 256 * 1024;

    /// <summary>A question of 8,192 characters, escaped.</summary>
    public const int Search = 64 * 1024;
}
