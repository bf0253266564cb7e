using System.Collections.Concurrent;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Weir.Errors;

namespace Weir.Nodes;

/// <summary>
/// A call did not reach a node: this replica looks whether the node's port is closed, and says so. The database decides whether to believe
/// it (<c>weir.report_closed_node</c>). A node that does not answer in time is not closed; its silence is found by its heartbeats.
/// </summary>
internal sealed class ClosedNodes(
    NodesQueries queries, NodeClient client, NodeDirectory directory, TimeProvider time, ILogger<ClosedNodes> logger)
{
    /// <summary>A node is looked at once within this, however many calls do not reach it.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>A heartbeat's interval, and what one may take.</summary>
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(7);

    private const int Looks = 3;

    private readonly ConcurrentDictionary<Guid, long> _looks = new();

    /// <summary>Returns at once; the look goes on by itself.</summary>
    public void Suspect(Guid nodeId)
    {
        var now = time.GetTimestamp();
        if (directory.Nodes.TryGetValue(nodeId, out var node)
            && (_looks.TryGetValue(nodeId, out var last)
                ? time.GetElapsedTime(last, now) >= Pause && _looks.TryUpdate(nodeId, now, last)
                : _looks.TryAdd(nodeId, now)))
        {
            _ = LookAsync(node);
        }
    }

    private async Task LookAsync(NodeConnection node)
    {
        try
        {
            for (var look = 0; look < Looks; look++)
            {
                var begun = time.GetTimestamp();
                switch (await FindAsync(node))
                {
                    case Found.Closed:
                        await ReportAsync(node, time.GetElapsedTime(begun));
                        return;
                    case Found.Open:
                        return;
                    default:
                        // It ends at this moment: its connections go, and its port in the next one.
                        await Task.Delay(Pause, time);
                        break;
                }
            }
        }
        catch (WeirException e)
        {
            // The database is away too; the next call looks again.
            logger.LogDebug(e, "A closed node could not be reported.");
        }
        catch (Exception e)
        {
            logger.LogError(e, "A look at node {Node} failed in a way that Weir did not foresee.", node.Name);
        }
    }

    private async Task ReportAsync(NodeConnection node, TimeSpan ago)
    {
        if (await queries.ReportClosedAsync(node, ago, Quiet))
        {
            logger.LogWarning("Nobody listens at {Url}, where node {Node} was. Its instances are lost until it is heard of again.",
                node.ApiUrl, node.Name);
            directory.Wake();
        }
    }

    private async Task<Found> FindAsync(NodeConnection node)
    {
        try
        {
            await client.StatusAsync(node, CancellationToken.None);
            return Found.Open;
        }
        catch (NodeCallException e)
        {
            return e.InnerException switch
            {
                HttpRequestException { InnerException: SocketException { SocketErrorCode: SocketError.ConnectionRefused } } => Found.Closed,
                HttpRequestException or IOException => Found.Broken,
                _ => Found.Open,
            };
        }
    }

    private enum Found
    {
        /// <summary>It answers, or is at least there to take its time.</summary>
        Open,

        /// <summary>Nobody listens.</summary>
        Closed,

        /// <summary>Anything between.</summary>
        Broken,
    }
}
