using Weir.Errors;
using Weir.Keys;

namespace Weir.Nodes;

/// <summary>How a node joins, and what it may say afterwards. The database knows tokens and keys by their hashes only.</summary>
internal sealed class NodeRegistry(NodesQueries queries, Keyring keyring, NodeDirectory directory, TimeProvider time)
{
    private const int ShortestKey = 32;

    /// <summary>A one-time token for a new node.</summary>
    /// <exception cref="WeirException">WR005: a node of this name is known. WR001: the name or region is not valid.</exception>
    public Task<string> IssueTokenAsync(string name, string? region, TimeSpan validFor, CancellationToken ct) =>
        new NodeTokens(queries, time).IssueAsync(name, region, validFor, ct);

    /// <exception cref="WeirException">WR002: the token is not valid. WR001: the node says nonsense of itself. WR010: it is too old.</exception>
    public async Task<RegisterResponse> RegisterAsync(RegisterRequest request, CancellationToken ct)
    {
        RequireCapability(request.CapabilityVersion);
        if (request.ApiKey is not { Length: >= ShortestKey and <= 512 } || request.Runtimes is null || !IsApiUrl(request.ApiUrl))
        {
            throw new WeirException(ErrorCode.InvalidArgument,
                "A node says its API's URL (scheme, host and port only), a key of at least 32 characters, and its runtimes.");
        }

        if (!NodeKeys.TryReadToken(request.Token, out var nodeId, out var tokenHash))
        {
            throw new WeirException(ErrorCode.Unauthenticated, "the token is not valid");
        }

        var nodeKey = NodeKeys.NewSecret();
        var registered = await queries.RegisterAsync(tokenHash, NodeKeys.Hash(nodeKey), request, NodeKeys.Seal(keyring, nodeId, request.ApiKey), ct);
        directory.Wake();
        // A token whose first half was changed has sealed its key to nobody: that node can be issued another token, and this one not be reached.
        return registered == nodeId ? new RegisterResponse(nodeId, nodeKey) : throw new WeirException(ErrorCode.Unauthenticated, "the token is not valid");
    }

    /// <param name="nodeKey">The bearer.</param>
    /// <exception cref="WeirException">WR002: no node has this key.</exception>
    public async Task<HeartbeatResponse> HeartbeatAsync(string? nodeKey, HeartbeatRequest request, CancellationToken ct)
    {
        if (string.IsNullOrEmpty(nodeKey))
        {
            throw new WeirException(ErrorCode.Unauthenticated, "the node's key is not valid");
        }

        if (request.Status is null || request.Servers is null || !IsApiUrl(request.ApiUrl))
        {
            throw new WeirException(ErrorCode.InvalidArgument, "A heartbeat has apiUrl, status and servers.");
        }

        RequireCapability(request.Status.CapabilityVersion);
        return new HeartbeatResponse(await queries.HeartbeatAsync(NodeKeys.Hash(nodeKey), request, ct));
    }

    private static void RequireCapability(int version)
    {
        if (version < NodeContract.OldestCapability)
        {
            throw new WeirException(ErrorCode.NotSupported,
                $"This Weir serves nodes of capability version {NodeContract.OldestCapability} and later.", "Upgrade the node.");
        }
    }

    private static bool IsApiUrl(string? url) =>
        Uri.TryCreate(url, UriKind.Absolute, out var parsed) && parsed.Scheme is "http" or "https" && parsed.GetLeftPart(UriPartial.Authority) == url
        && parsed.UserInfo.Length == 0;
}
