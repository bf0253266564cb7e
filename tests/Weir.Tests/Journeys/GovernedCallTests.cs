using Microsoft.Extensions.DependencyInjection;
using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;
using Weir.Gateway.AgentTools;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys;

/// <summary>An unmodified client of the official SDK calls a real server through Weir.</summary>
public sealed class GovernedCallTests(RunningWeir weir) : IClassFixture<RunningWeir>, IAsyncLifetime
{
    private EchoServer _server = null!;
    private Guid _instance;
    private string _name = "";

    public async ValueTask InitializeAsync()
    {
        _server = await EchoServer.StartAsync();
        _name = "e" + Guid.CreateVersion7(TimeProvider.System.GetUtcNow()).ToString("N")[20..];
        _instance = await weir.World.AddRemoteAsync(_name, _server.Url);
        await weir.World.GrantAsync(
            _instance,
            """{"tools": {"echo": {}, "read_file": {"args": {"path": {"type": "string", "under": "/data"}}, "other": "deny"}, "link": """
                + """{}, "progress": {}, "fail": {}}}""");
    }

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    [Fact]
    public async Task A_granted_tool_is_listed_and_called_and_each_step_is_recorded()
    {
        await using var client = await ConnectAsync();
        var tools = await ToolsAsync(client);
        tools.ShouldContain($"{_name}__echo");
        tools.ShouldNotContain($"{_name}__read_multiple_files");

        var result = await client.CallToolAsync($"{_name}__echo", new Dictionary<string, object?> { ["message"] = "hello" });
        result.Content.OfType<TextContentBlock>().Single().Text.ShouldBe("hello");

        await Until.AsyncTrue(
            async () => (await weir.LogAsync()).Count(r => r.Instance == _name && r.Item == "echo") == 2, "both rows of the call");
        var rows = (await weir.LogAsync()).Where(r => r.Instance == _name && r.Item == "echo").ToArray();
        rows.Select(r => r.Phase).Order().ShouldBe(["completed", "requested"]);
        rows.Select(r => r.Id).Distinct().Count().ShouldBe(1);
        rows.Single(r => r.Phase == "completed").Outcome.ShouldBe("ok");
    }

    [Fact]
    public async Task Uris_in_results_lead_back_to_their_server()
    {
        await using var client = await ConnectAsync();
        await ToolsAsync(client);
        weir.Services.GetRequiredService<AgentToolsCache>().Drop(null);
        var result = await client.CallToolAsync($"{_name}__link");
        result.Content.OfType<ResourceLinkBlock>().Single().Uri.ShouldBe($"weir://{_name}/file:///data/a.txt");
        result.Content.OfType<EmbeddedResourceBlock>().Select(b => b.Resource.Uri)
            .ShouldBe([$"ui://{_name}/widget", $"weir://{_name}/file:///data/b.txt"]);
    }

    [Fact]
    public async Task A_tools_own_failure_is_recorded_as_such()
    {
        await using var client = await ConnectAsync();
        await ToolsAsync(client);
        (await client.CallToolAsync($"{_name}__fail")).IsError.ShouldBe(true);
        await Until.AsyncTrue(
            async () => (await weir.LogAsync()).Any(r => r.Instance == _name && r.Outcome == "tool_error"), "the outcome's row");
    }

    [Fact]
    public async Task A_server_that_keeps_sessions_serves_through_weir_too()
    {
        await using var server = await EchoServer.StartAsync(stateless: false);
        var (name, _) = await weir.AddReadyAsync(server.Url, """{"tools": {"echo": {}}}""");
        await using var client = await ConnectAsync();
        var result = await client.CallToolAsync($"{name}__echo", new Dictionary<string, object?> { ["message"] = "hello" });
        result.Content.OfType<TextContentBlock>().Single().Text.ShouldBe("hello");
    }

    private Task<McpClient> ConnectAsync() => McpClient.CreateAsync(new HttpClientTransport(new HttpClientTransportOptions
    {
        Endpoint = new Uri(weir.Url, "/mcp"),
        AdditionalHeaders = new Dictionary<string, string> { ["Authorization"] = "Bearer " + weir.World.AgentKey },
    }));

    private async Task<string[]> ToolsAsync(McpClient client)
    {
        string[] names = [];
        await Until.AsyncTrue(
            async () =>
            {
                names = [.. (await client.ListToolsAsync()).Select(t => t.Name)];
                return names.Any(n => n.StartsWith(_name, StringComparison.Ordinal));
            },
            "the catalog of the new server");
        return names;
    }
}
