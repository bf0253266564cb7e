using Weir.Errors;

namespace Weir.Nodes;

/// <summary>One-time tokens, with which nodes join.</summary>
internal sealed class NodeTokens(NodesQueries queries, TimeProvider time)
{
    /// <exception cref="WeirException">WR005: a node of this name is known. WR001: the name or region is not valid.</exception>
    public async Task<string> IssueAsync(string name, string? region, TimeSpan validFor, CancellationToken ct)
    {
        var secret = NodeKeys.NewSecret();
        var nodeId = await queries.IssueTokenAsync(name, region, NodeKeys.Hash(secret), time.GetUtcNow() + validFor, ct);
        return NodeKeys.Token(nodeId, secret);
    }
}
