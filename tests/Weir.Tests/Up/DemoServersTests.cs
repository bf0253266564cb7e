using System.Text.Json;
using Weir.Server.Up;

namespace Weir.Tests.Up;

/// <summary>What the demo puts into the catalog.</summary>
public sealed class DemoServersTests
{
    [Fact]
    public void The_memory_server_takes_one_call_at_a_time_and_the_others_as_many_as_come() =>
        DemoServers.All("/tmp/demo").Select(s => (s.Name, CallsAtOnce(s)))
            .ShouldBe([("everything", null), ("filesystem", null), ("memory", 1)]);

    [Fact]
    public void The_filesystem_server_of_another_folder_is_another_entry_and_of_the_same_folder_the_same()
    {
        Slug("/tmp/demo").ShouldBe(Slug("/tmp/demo"));
        Slug("/tmp/demo").ShouldNotBe(Slug("/tmp/other"));

        static string Slug(string folder) =>
            JsonElement.Parse(DemoServers.Json(DemoServers.All(folder)[1].Entry)).GetProperty("slug").GetString()!;
    }

    [Fact]
    public void The_demo_agent_may_use_all_of_everything_and_of_the_files_only_what_reads()
    {
        var grants = DemoServers.All("/tmp/demo")
            .ToDictionary(s => s.Name, s => s.Permissions is null ? default : JsonElement.Parse(DemoServers.Json(s.Permissions)));

        foreach (var part in new[] { "resources", "prompts" })
        {
            grants["everything"].GetProperty(part).EnumerateArray().Select(p => p.GetString()).ShouldBe(["*"]);
            grants["filesystem"].TryGetProperty(part, out _).ShouldBeFalse();
        }

        grants["everything"].GetProperty("tools").GetProperty("*").ValueKind.ShouldBe(JsonValueKind.Object);
        grants["memory"].ValueKind.ShouldBe(JsonValueKind.Undefined);
    }

    private static int? CallsAtOnce(DemoServer server) =>
        JsonElement.Parse(DemoServers.Json(server.Entry)).TryGetProperty("calls_at_once", out var calls)
            && calls.ValueKind == JsonValueKind.Number ? calls.GetInt32() : null;
}
