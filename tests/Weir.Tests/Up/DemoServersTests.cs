using System.Text.Json;
using Weir.Server.Up;

namespace Weir.Tests.Up;

/// <summary>What the demo puts into the catalog.</summary>
public sealed class DemoServersTests
{
    [Fact]
    public void The_memory_server_takes_one_call_at_a_time_and_the_others_as_many_as_come() =>
        DemoServers.All("/tmp/demo").Select(s => (s.Name, CallsAtOnce(s))).ShouldBe([("everything", null), ("filesystem", null), ("memory", 1)]);

    private static int? CallsAtOnce(DemoServer server) =>
        JsonElement.Parse(DemoServers.Json(server.Entry)).TryGetProperty("calls_at_once", out var calls) && calls.ValueKind == JsonValueKind.Number ? calls.GetInt32() : null;
}
