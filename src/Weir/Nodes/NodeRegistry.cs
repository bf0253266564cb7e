using System.Net;
using Weir.Errors;
using Weir.Identity;
using Weir.Keys;

namespace Weir.Nodes;

/// <summary>How a node joins, and what it may say afterwards. The database knows tokens and keys by their hashes only.</summary>
internal sealed class NodeRegistry(
    NodesQueries queries, Keyring keyring, NodeDirectory directory, SeenKeys seenKeys, UnverifiedCallers callers, TimeProvider time)
{
    private const int ShortestKey = 32;

    /// <summary>What nodes' keys, which have no id, are kept under in <see cref="SeenKeys"/>.</summary>
    private const string SeenAs = "node";
    private const int MostRuntimes = 16;

    /// <summary>A one-time token for a new node.</summary>
    /// <exception cref="WeirException">WR005: a node of this name is known. WR001: the name or region is not valid.</exception>
    public Task<string> IssueTokenAsync(string name, string? region, TimeSpan validFor, CancellationToken ct) =>
        new NodeTokens(queries, time).IssueAsync(name, region, validFor, ct);

    /// <exception cref="WeirException">WR002: the token is not valid. WR001: the node says nonsense of itself. WR010: it is too
    /// old.</exception>
    public async Task<RegisterResponse> RegisterAsync(RegisterRequest request, IPAddress address, CancellationToken ct)
    {
        RequireCapability(request.CapabilityVersion);
        if (request.ApiKey is not { Length: >= ShortestKey and <= 512 } || !IsApiUrl(request.ApiUrl)
            || request.Isolation is not ("user" or "none")
            || request.Runtimes is not { Length: <= MostRuntimes }
            || !Array.TrueForAll(request.Runtimes, r => r is { Length: > 0 and <= 50 }))
        {
            throw new WeirException(ErrorCode.InvalidArgument,
                "A node says its API's URL (scheme, host and port only), a key of at least 32 characters, its isolation, and its "
                    + "runtimes.");
        }

        var (nodeId, tokenHash) = RequireTokenForm(request.Token);

        var nodeKey = NodeKeys.NewSecret();
        using var turn = await callers.EnterKeyAsync(address, ct);
        var registered =
            await queries.RegisterAsync(tokenHash, NodeKeys.Hash(nodeKey), request, NodeKeys.Seal(keyring, nodeId, request.ApiKey));
        directory.Wake();
        // A token whose first half was changed has sealed its key to nobody: that node can be issued another token, and this one not be
        // reached.
        return registered == nodeId
            ? new RegisterResponse(nodeId, nodeKey) : throw new WeirException(ErrorCode.Unauthenticated, "the token is not valid");
    }

    /// <exception cref="WeirException">WR002: it is no token, by its form.</exception>
    public static (Guid NodeId, byte[] TokenHash) RequireTokenForm(string? token) =>
        NodeKeys.TryReadToken(token, out var nodeId, out var tokenHash)
        ? (nodeId, tokenHash)
        : throw new WeirException(ErrorCode.Unauthenticated, "the token is not valid");

    /// <summary>The node that has this key, before anything that it sends is read.</summary>
    /// <exception cref="WeirException">WR002: no node has this key.</exception>
    public async Task<Guid> AuthenticateAsync(string? nodeKey, IPAddress address, CancellationToken ct)
    {
        if (string.IsNullOrEmpty(nodeKey))
        {
            throw new WeirException(ErrorCode.Unauthenticated, "the node's key is not valid");
        }

        var hash = NodeKeys.Hash(nodeKey);
        var isKnown = seenKeys.Contains(SeenAs, hash);
        using var turn = isKnown ? null : await callers.EnterKeyAsync(address, ct);
        if (await queries.FindAsync(hash, isKnown) is not { } node)
        {
            seenKeys.Remove(SeenAs, hash);
            throw new WeirException(ErrorCode.Unauthenticated, "the node's key is not valid");
        }

        seenKeys.Add(SeenAs, hash);
        return node;
    }

    /// <param name="nodeKey">The bearer.</param>
    /// <exception cref="WeirException">WR002: no node has this key.</exception>
    public async Task<HeartbeatResponse> HeartbeatAsync(string? nodeKey, HeartbeatRequest request, CancellationToken ct)
    {
        if (string.IsNullOrEmpty(nodeKey))
        {
            throw new WeirException(ErrorCode.Unauthenticated, "the node's key is not valid");
        }

        if (request.Status is not { Isolation: not null, Runtimes: not null, Version: not null } || !IsApiUrl(request.ApiUrl)
            || request.Servers is not { Length: <= HeartbeatRequest.MostServers }
            || !Array.TrueForAll(request.Servers, s => s is { State: not null }))
        {
            throw new WeirException(ErrorCode.InvalidArgument,
                $"A heartbeat has apiUrl, status, and at most {HeartbeatRequest.MostServers} servers, each with its state.");
        }

        RequireCapability(request.Status.CapabilityVersion);
        return await queries.HeartbeatAsync(NodeKeys.Hash(nodeKey), request, ct)
            ?? throw new WeirException(ErrorCode.Unauthenticated, "the node's key is not valid");
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
        Uri.TryCreate(url, UriKind.Absolute, out var parsed) && parsed.Scheme is "http" or "https"
            && parsed.GetLeftPart(UriPartial.Authority) == url
        && parsed.UserInfo.Length == 0;
}
