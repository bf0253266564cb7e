extern alias NodeAgent;

using System.Text.Json;
using NodeAgent::Weir.NodeAgent.State;
using NodeAgent::Weir.NodeAgent.Uplink;
using NodeAgent::Weir.Nodes;

namespace Weir.Tests.NodeAgent;

/// <summary>A node's heartbeat is no larger than Weir reads, whatever its servers say.</summary>
public sealed class HeartbeatFitTests
{
    private static readonly NodeStatus Status = new(NodeContract.CapabilityVersion, "1", "user", ["process"], 1, 1, 1, null);

    [Theory]
    [InlineData("<", 720)]
    [InlineData("<", 4096)]
    [InlineData("\u20ac", 4096)]
    [InlineData("\"", 4096)]
    [InlineData("x", 5000)]
    public void F11_a_heartbeat_fits_whatever_failing_servers_say(string character, int servers)
    {
        var error = new InstanceFailure(NodeErrors.HandshakeTimedOut, string.Concat(Enumerable.Repeat(character, 500)));
        var sent = new HeartbeatRequest("http://127.0.0.1:1", Status, [.. Enumerable.Range(0, servers).Select(i => new ServerStatus(
            new Guid(i, 0, 0, new byte[8]), long.MaxValue, i < servers - 4096 ? ServerStates.Stopped : ServerStates.Failed, error.Code,
            error.Message))]);

        var fitted = HeartbeatFit.Fit(sent);

        JsonSerializer.SerializeToUtf8Bytes(fitted, NodeJson.Default.HeartbeatRequest).Length.ShouldBeLessThanOrEqualTo(
            HeartbeatRequest.MostBytes);
        fitted.Servers.Length.ShouldBe(Math.Min(servers, HeartbeatRequest.MostServers));
        fitted.Servers.ShouldAllBe(s => s.State == ServerStates.Failed && s.ErrorCode == error.Code);
        fitted.Servers.ShouldAllBe(s => s.Error!.Length > 20 && error.Message.StartsWith(s.Error.TrimEnd('…'), StringComparison.Ordinal));
    }

    [Fact]
    public void A_heartbeat_that_fits_is_sent_as_it_is()
    {
        var sent = new HeartbeatRequest("http://127.0.0.1:1", Status,
            [new ServerStatus(Guid.Empty, 1, ServerStates.Failed, NodeErrors.ChildExited, new string('<', 500)),
            new ServerStatus(Guid.Empty, 1, ServerStates.Running, null, null)]);
        HeartbeatFit.Fit(sent).Servers.ShouldBe(sent.Servers);
    }
}
