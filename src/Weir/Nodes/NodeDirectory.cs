using System.Collections.Concurrent;
using System.Collections.Frozen;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Weir.Errors;
using Weir.Keys;
using Weir.Postgres;

namespace Weir.Nodes;

/// <summary>Where a node's API is, and the key that it asks for.</summary>
internal sealed record NodeConnection(Guid Id, string Name, Uri ApiUrl, string ApiKey, bool IsOnline);

/// <summary>
/// The registered nodes as one immutable snapshot, looked up by every call to a server that a node runs, and renewed every two seconds.
/// The same round finds the nodes that have fallen silent.
/// </summary>
internal sealed class NodeDirectory(NodesQueries queries, Keyring keyring, TimeProvider time, ILogger<NodeDirectory> logger)
    : BackgroundService
{
    /// <summary>Time between two rounds.</summary>
    public static readonly TimeSpan Every = TimeSpan.FromSeconds(2);

    /// <summary>
    /// Three heartbeats of a node, and some. With the time between two rounds it is 20 s, in which a lost node is found (docs/nodes.md).
    /// </summary>
    public static readonly TimeSpan Stale = TimeSpan.FromSeconds(18);

    /// <summary>By node, of the connections that are known: a node that registers again has another one.</summary>
    private readonly ConcurrentDictionary<Guid, byte[]> _sealedKeys = new();

    private readonly PollPause _pause = new(Every, time);
    private FrozenDictionary<Guid, NodeConnection> _nodes = FrozenDictionary<Guid, NodeConnection>.Empty;

    public FrozenDictionary<Guid, NodeConnection> Nodes => Volatile.Read(ref _nodes);

    /// <summary>The bearer for a node's API; null for a node that is not known here yet.</summary>
    public string? KeyOf(Guid nodeId) => Nodes.GetValueOrDefault(nodeId)?.ApiKey;

    /// <summary>A node has joined: look now.</summary>
    public void Wake() => _pause.End();

    /// <summary>One look.</summary>
    /// <exception cref="WeirException">The database does not answer.</exception>
    public async Task RefreshAsync(CancellationToken ct)
    {
        var nodes = new Dictionary<Guid, NodeConnection>();
        foreach (var stored in await queries.ConnectionsAsync(ct))
        {
            if (Open(stored) is { } node)
            {
                nodes.Add(node.Id, node);
            }
        }

        Volatile.Write(ref _nodes, nodes.ToFrozenDictionary());
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (true)
            {
                try
                {
                    await RefreshAsync(stoppingToken);
                    var lost = await queries.SweepAsync(Stale, stoppingToken);
                    if (lost > 0)
                    {
                        logger.LogWarning("{Count} nodes have been silent for {Seconds} s.", lost, Stale.TotalSeconds);
                    }
                }
                catch (WeirException e)
                {
                    // The snapshot of before serves on; admission decides whether anything is called at all.
                    logger.LogDebug(e, "The nodes could not be read.");
                }

                await _pause.WaitAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Stopping.
        }
    }

    private NodeConnection? Open(StoredNode stored)
    {
        if (Nodes.TryGetValue(stored.Id, out var known) && known.Name == stored.Name && known.IsOnline == stored.IsOnline
            && known.ApiUrl.GetLeftPart(UriPartial.Authority) == stored.ApiUrl
            && _sealedKeys.GetValueOrDefault(stored.Id)?.AsSpan().SequenceEqual(stored.SealedApiKey) == true)
        {
            return known;
        }

        if (stored.ApiUrl is null)
        {
            return null;
        }

        if (Uri.TryCreate(stored.ApiUrl, UriKind.Absolute, out var url)
            && NodeKeys.Open(keyring, stored.Id, stored.SealedApiKey) is { } key)
        {
            _sealedKeys[stored.Id] = stored.SealedApiKey;
            return new NodeConnection(stored.Id, stored.Name, url, key, stored.IsOnline);
        }

        logger.LogError("The key of node {Node} cannot be opened with this keyring; register it again.", stored.Name);
        return null;
    }
}
