extern alias NodeAgent;

using System.Text;
using System.Text.Json.Nodes;
using NodeAgent::Weir.NodeAgent.Bridge;
using Weir.Nodes;
using Weir.Tests.Fixtures;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.NodeAgent;

/// <summary>Servers of older protocol versions, and what they write on a line.</summary>
public sealed class ProtocolVersionTests(OneNode shared) : IClassFixture<OneNode>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("strict-2024", "instance")]
    [InlineData("strict-2024", "session")]
    [InlineData("refuses-versions", "instance")]
    [InlineData("refuses-silently", "instance")]
    public async Task R04_a_server_that_speaks_only_2024_11_05_runs(string vice, string share)
    {
        var node = shared.Node;
        var id = await node.DeployAsync(NodeHost.Fixture(share, args: [vice]));
        var raw = new RawMcp(node, id);
        (await raw.InitializeAsync())["result"]!["protocolVersion"]!.GetValue<string>().ShouldBe("2024-11-05");
        (await raw.CallAsync("echo", """{"message":"old"}""")).ShouldBe("old");
        await using var client = await node.ConnectAsync(id);
        client.NegotiatedProtocolVersion.ShouldBe("2024-11-05");
        (await client.ListToolsAsync(cancellationToken: Token)).ShouldContain(t => t.Name == "echo");
    }

    [Theory]
    [InlineData("old", "2024-10-07")]
    [InlineData("future", "2099-01-01")]
    public async Task R04_a_server_that_answers_an_unknown_version_is_refused_with_its_name(string vice, string version)
    {
        await using var node = await NodeHost.StartAsync();
        var id = Guid.NewGuidForTests();
        (await node.PutAsync(id, NodeHost.Fixture(args: [vice]))).EnsureSuccessStatusCode();
        var status = await node.StateAsync(id, "running", "failed");
        status.ErrorCode.ShouldBe(NodeErrors.VersionNotSupported);
        status.Error!.ShouldContain(version);
        status.Error!.ShouldContain("2024-11-05");
    }

    [Fact]
    public async Task R04_the_github_server_of_the_registry_runs()
    {
        var spec = NodeHost.Npm("github", "instance", env: new() { ["GITHUB_PERSONAL_ACCESS_TOKEN"] = "none" })
            with { Version = "2025.4.8" };
        var id = await shared.Node.DeployAsync(spec);
        await using var client = await shared.Node.ConnectAsync(id);
        client.NegotiatedProtocolVersion.ShouldBe("2024-11-05");
        (await client.ListToolsAsync(cancellationToken: Token)).ShouldContain(t => t.Name == "search_repositories");
    }

    [Theory]
    [InlineData("joined")]
    [InlineData("batch")]
    [InlineData("batch-with-odd-items")]
    [InlineData("trailing")]
    public async Task R17_several_messages_on_one_line_are_each_taken(string tool)
    {
        var raw = new RawMcp(shared.Node, await shared.Node.DeployAsync(NodeHost.Fixture()));
        await raw.InitializeAsync();
        using var response = await raw.PostAsync(RawMcp.CallBody(tool, meta: """{"progressToken":"p"}"""));
        var messages = await RawMcp.MessagesAsync(response);
        messages.Select(m => m["method"]?.GetValue<string>() ?? "answer").ShouldBe(["notifications/progress", "answer"]);
        messages[1]["result"]!["content"]![0]!["text"]!.GetValue<string>().ShouldBe(tool);
    }

    [Theory]
    [InlineData("""{"jsonrpc":"2.0","method":"a"}{"jsonrpc":"2.0","method":"b"}""", "a,b", null)]
    [InlineData("""{"jsonrpc":"2.0","method":"a"} {"jsonrpc":"2.0","method":"b"} ok""", "a,b", " ok")]
    [InlineData("""[{"jsonrpc":"2.0","method":"a"},{"jsonrpc":"2.0","method":"b"}]""", "a,b", null)]
    [InlineData("""[{"jsonrpc":"2.0","method":"a"},[{"jsonrpc":"2.0","method":"b"}]]""", "a", """[{"jsonrpc":"2.0","method":"b"}]""")]
    [InlineData("""[1,{"jsonrpc":"2.0","method":"a"},{}]""", "a", "1")]
    [InlineData("""[{"jsonrpc":"2.0","method":"a"}""", "a", "")]
    [InlineData("[]", "", null)]
    [InlineData("text", "", "text")]
    [InlineData("""{"jsonrpc":"2.0","method":"a""", "", """{"jsonrpc":"2.0","method":"a""")]
    public void R17_a_line_is_read_value_by_value(string line, string methods, string? rest)
    {
        var bytes = Encoding.UTF8.GetBytes(line);
        var seen = new List<string>();
        var other = OddLine.Read(bytes, (in message, _) => seen.Add(message.Method!));
        string.Join(',', seen).ShouldBe(methods);
        (other is { } range ? Encoding.UTF8.GetString(bytes.AsSpan()[range]) : null).ShouldBe(rest);
    }

    [Fact]
    public void R17_a_line_of_deep_arrays_is_no_message_and_costs_nothing()
    {
        var bytes = Encoding.UTF8.GetBytes(new string('[', 1_000_000));
        OddLine.Read(bytes, (in _, _) => { }).ShouldNotBeNull();
    }
}
