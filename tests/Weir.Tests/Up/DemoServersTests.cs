using System.Text.Json;
using Weir.Server.Up;

namespace Weir.Tests.Up;

/// <summary>What the demo puts into the catalog.</summary>
public sealed class DemoServersTests
{
    [Fact]
    public void The_memory_server_takes_one_call_at_a_time_and_the_others_as_many_as_come() =>
        DemoServers.All("/tmp/demo").Select(s => (s.Name, CallsAtOnce(s))).ShouldBe([("everything", null), ("filesystem", null), ("memory", 1)]);

    [Fact]
    public void The_filesystem_server_of_another_folder_is_another_entry_and_of_the_same_folder_the_same()
    {
        Slug("/tmp/demo").ShouldBe(Slug("/tmp/demo"));
        Slug("/tmp/demo").ShouldNotBe(Slug("/tmp/other"));

        static string Slug(string folder) =>
            JsonElement.Parse(DemoServers.Json(DemoServers.All(folder)[1].Entry)).GetProperty("slug").GetString()!;
    }

    private static int? CallsAtOnce(DemoServer server) =>
        JsonElement.Parse(DemoServers.Json(server.Entry)).TryGetProperty("calls_at_once", out var calls) && calls.ValueKind == JsonValueKind.Number ? calls.GetInt32() : null;
}
