namespace Weir.Upstream;

/// <summary>Where one instance is reached, as admission said it a moment ago.</summary>
/// <param name="InstanceId">The instance, which keys every pool.</param>
/// <param name="InstanceName">For messages.</param>
/// <param name="Endpoint">The Streamable HTTP endpoint: a remote server's URL, or the node's data path.</param>
/// <param name="NodeKey">The bearer of the node's API; null for a remote server, which gets the guarded sockets.</param>
internal sealed record UpstreamTarget(Guid InstanceId, string InstanceName, Uri Endpoint, string? NodeKey)
{
    public bool IsNode => NodeKey is not null;

    /// <summary>How often an admin has restarted or updated the instance: what was kept of it before is of no use any more.</summary>
    public long Resets { get; init; }

    /// <summary>Whose budget of bytes it counts for: the organization, or the instance itself where nobody calls.</summary>
    public Guid ChargedTo { get; init; } = InstanceId;
}
