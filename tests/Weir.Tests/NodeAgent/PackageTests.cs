using Weir.Nodes;
using Weir.Tests.Fixtures;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.NodeAgent;

/// <summary>The real servers of the npm registry, through the node's own installation.</summary>
public sealed class PackageFixture : IAsyncLifetime
{
    internal NodeHost Node { get; private set; } = null!;

    internal Guid Everything { get; private set; }

    internal Guid Files { get; private set; }

    internal Guid Memory { get; private set; }

    internal string Folder { get; } = Directory.CreateTempSubdirectory("weir-files-").FullName;

    public async ValueTask InitializeAsync()
    {
        await File.WriteAllTextAsync(Path.Combine(Folder, "hello.txt"), "hello from the folder");
        File.SetUnixFileMode(Folder, (UnixFileMode)0b111_101_101);
        Node = await NodeHost.StartAsync(withFixture: false);
        var specs = new[]
        {
            NodeHost.Npm("everything", "session"),
            NodeHost.Npm("filesystem", "instance", args: [Folder]),
            NodeHost.Npm("memory", "instance", env: new() { ["MEMORY_FILE_PATH"] = "${instanceDir}/memory.jsonl" }),
        };
        var deployed = await Task.WhenAll(specs.Select(Node.DeployAsync));
        (Everything, Files, Memory) = (deployed[0], deployed[1], deployed[2]);
    }

    public async ValueTask DisposeAsync()
    {
        await Node.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }
}

public sealed class PackageTests(PackageFixture fixture) : IClassFixture<PackageFixture>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_filesystem_server_reads_the_folder_and_nothing_beyond()
    {
        await using var client = await fixture.Node.ConnectAsync(fixture.Files);
        client.ServerInfo!.Name.ShouldBe("secure-filesystem-server");
        (await client.ListToolsAsync(cancellationToken: Token)).ShouldContain(t => t.Name == "list_directory");
        (await CallAsync(client, "read_text_file", new() { ["path"] = Path.Combine(fixture.Folder, "hello.txt") })).ShouldBe(
            "hello from the folder");
        (await CallAsync(client, "read_text_file", new() { ["path"] = "/etc/passwd" })).ShouldContain("denied");
    }

    [Fact]
    public async Task The_memory_server_keeps_its_graph_across_a_restart()
    {
        await using (var client = await fixture.Node.ConnectAsync(fixture.Memory))
        {
            await CallAsync(client, "create_entities", new()
            {
                ["entities"] = new[] { new { name = "weir", entityType = "wall", observations = new[] { "low" } } },
            });
        }

        (await fixture.Node.Http.PostAsync($"v1/servers/{fixture.Memory}/restart", null, Token)).EnsureSuccessStatusCode();
        await fixture.Node.StateAsync(fixture.Memory, "degraded", "running");
        await fixture.Node.StateAsync(fixture.Memory, "running");
        await using var again = await fixture.Node.ConnectAsync(fixture.Memory);
        (await CallAsync(again, "read_graph", [])).ShouldContain("weir");
    }

    [Fact]
    public async Task The_memory_server_keeps_each_of_many_updates_where_it_takes_one_call_at_a_time()
    {
        var memory = await fixture.Node.DeployAsync(NodeHost.Npm(
            "memory", "instance", env: new() { ["MEMORY_FILE_PATH"] = "${instanceDir}/memory.jsonl" }) with { CallsAtOnce = 1 });
        await using var client = await fixture.Node.ConnectAsync(memory);
        await Task.WhenAll(Enumerable.Range(0, 40).Select(i => CallAsync(client, "create_entities", new()
        {
            ["entities"] = new[] { new { name = $"entity-{i}-", entityType = "update", observations = Array.Empty<string>() } },
        })));
        var graph = await CallAsync(client, "read_graph", []);
        Enumerable.Range(0, 40).Where(i => !graph.Contains($"entity-{i}-", StringComparison.Ordinal)).ShouldBeEmpty();
    }

    [Fact]
    public async Task The_everything_server_reports_progress_and_asks_its_client()
    {
        var sampled = new TaskCompletionSource();
#pragma warning disable MCP9005 // Sampling is deprecated since 2026-07-28; the servers of before go on asking for it.
        await using var client = await fixture.Node.ConnectAsync(fixture.Everything, new ModelContextProtocol.Client.McpClientOptions
        {
            Handlers = new()
            {
                SamplingHandler = (_, _, _) =>
                {
                    sampled.TrySetResult();
                    return ValueTask.FromResult(new ModelContextProtocol.Protocol.CreateMessageResult
                    {
                        Model = "test", Role = ModelContextProtocol.Protocol.Role.Assistant,
                        Content = [new ModelContextProtocol.Protocol.TextContentBlock { Text = "sampled" }],
                    });
                },
            },
        });
#pragma warning restore MCP9005
        (await CallAsync(client, "echo", new() { ["message"] = "hi" })).ShouldContain("hi");
        var seen = new System.Collections.Concurrent.ConcurrentQueue<float>();
        var result = await client.CallToolAsync(
            "trigger-long-running-operation", new Dictionary<string, object?> { ["duration"] = 1, ["steps"] = 4 },
            new SynchronousProgress(seen.Enqueue), cancellationToken: Token);
        result.IsError.ShouldNotBe(true);
        await Until.True(() => seen.Count >= 3, "progress came");
        (await CallAsync(client, "trigger-sampling-request", new() { ["prompt"] = "say", ["maxTokens"] = 10 })).ShouldContain("sampled");
        await sampled.Task;
    }

    [Fact]
    public async Task One_package_is_installed_once_by_the_node_and_is_nobodys_to_change()
    {
        var packages = Path.Combine(fixture.Node.Data, "packages");
        Directory.GetDirectories(packages).Select(Path.GetFileName).Order().ShouldBe(
        [
            $"@modelcontextprotocol+server-everything@{NodeHost.Version}",
            $"@modelcontextprotocol+server-filesystem@{NodeHost.Version}",
            $"@modelcontextprotocol+server-memory@{NodeHost.Version}",
        ]);
        var before = Directory.GetLastWriteTimeUtc(Directory.GetDirectories(packages)[0]);
        await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => fixture.Node.DeployAsync(NodeHost.Npm("memory", "instance"))));
        Directory.GetLastWriteTimeUtc(Directory.GetDirectories(packages)[0]).ShouldBe(before);
        var writable = Directory.EnumerateFileSystemEntries(packages, "*", SearchOption.AllDirectories)
            .Where(f => (File.GetUnixFileMode(f) & UnixFileMode.OtherWrite) != UnixFileMode.None);
        writable.Where(f => new FileInfo(f).LinkTarget is null).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_package_that_cannot_be_installed_fails_with_the_reason_and_leaves_nothing()
    {
        await using var node =
            await NodeHost.StartAsync(withFixture: false, environment: new() { ["npm_config_registry"] = "http://127.0.0.1:9/" });
        var id = Guid.NewGuidForTests();
        (await node.PutAsync(id, NodeHost.Fixture() with { Package = "left-behind", Version = "1.0.0" })).EnsureSuccessStatusCode();
        var status = await node.StateAsync(id, "failed");
        status.ErrorCode.ShouldBe(NodeErrors.RegistryUnreachable);
        // What npm printed is in the log only.
        status.Error!.ShouldNotContain("ECONNREFUSED");
        (await node.Http.GetStringAsync($"v1/servers/{id}/logs", Token)).ShouldContain("ECONNREFUSED");
        Directory.EnumerateFileSystemEntries(Path.Combine(node.Data, "packages")).ShouldBeEmpty();
        (await node.NodeStatusAsync()).Problem.ShouldBeNull();
    }

    [Fact]
    public async Task An_executable_that_the_package_does_not_have_is_said_so()
    {
        var id = Guid.NewGuidForTests();
        (await fixture.Node.PutAsync(id, NodeHost.Npm("memory", "instance") with { Bin = "other" })).EnsureSuccessStatusCode();
        var status = await fixture.Node.StateAsync(id, "failed");
        status.ErrorCode.ShouldBe(NodeErrors.ExecutableMissing);
        status.Error!.ShouldContain("mcp-server-memory");
    }

    private static async Task<string> CallAsync(
        ModelContextProtocol.Client.McpClient client, string tool, Dictionary<string, object?> arguments)
    {
        var result = await client.CallToolAsync(tool, arguments, cancellationToken: Token);
        return string.Concat(result.Content.OfType<ModelContextProtocol.Protocol.TextContentBlock>().Select(t => t.Text));
    }

    private sealed class SynchronousProgress(Action<float> report) : IProgress<ModelContextProtocol.ProgressNotificationValue>
    {
        public void Report(ModelContextProtocol.ProgressNotificationValue value) => report(value.Progress);
    }
}
