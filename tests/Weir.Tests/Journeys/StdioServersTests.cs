using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Weir.Configuration;
using Weir.Gateway;
using Weir.Nodes;
using Weir.Postgres;
using Weir.Tests.Fixtures;
using Weir.Tests.Infrastructure;
using Weir.Upstream;

namespace Weir.Tests.Journeys;

/// <summary>A replica, and a node that has registered with it, in a process of its own.</summary>
public sealed class WeirWithNode(TestCluster cluster) : RunningWeir(cluster)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    internal NodeHost Node { get; private set; } = null!;

    internal ShiftedTime Clock { get; } = new();

    /// <summary>What the filesystem server may read.</summary>
    internal string Folder { get; } = Directory.CreateTempSubdirectory("weir-stdio-").FullName;

    private protected override TimeProvider Time => Clock;

    // Who is asked for input and has gone is not waited for any longer than a test would.
    private protected override WeirConfig Configure(WeirConfig config) => config with { Mcp = config.Mcp with { CallTimeoutSeconds = 60, InputTimeoutSeconds = 1 } };

    public override async ValueTask InitializeAsync()
    {
        File.SetUnixFileMode(Folder, (UnixFileMode)0b111_101_101);
        await base.InitializeAsync();
        var token = await Services.GetRequiredService<NodeRegistry>().IssueTokenAsync("stdio", region: null, Patience, CancellationToken.None);
        Node = await NodeHost.StartAsync(["--weir-url", Url.ToString(), "--token", token, "--session-children", "64"]);
    }

    public override async ValueTask DisposeAsync()
    {
        await Node.DisposeAsync();
        await base.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }

    /// <summary>A package as an instance that runs, is granted, and whose tools are listed.</summary>
    internal async Task AddAsync(string name, string package, string version, string bin, string[] args, string share = "instance")
    {
        var entry = new { slug = name, name, transport = "stdio", runtime = "process", package, version, bin, args, default_share = share };
        await Database.Owner.ScalarAsync<Guid>("select weir.publish_catalog_server($1)", [Sql.Jsonb(JsonSerializer.Serialize(entry))], CancellationToken.None);
        var config = JsonSerializer.Serialize(new { name, catalog = name, share });
        var made = await World.CallAsync("select public.manage_mcp_servers('create', $1, $2)", Sql.Uuid(World.OrganizationId), Sql.Jsonb(config));
        var id = made.GetProperty("id").GetGuid();
        await World.GrantAsync(id, """{"tools": {"*": {}}}""");
        await World.CallAsync("select public.manage_mcp_servers('deploy', $1, null, $2)", Sql.Uuid(World.OrganizationId), Sql.Uuid(id));
        var raw = new RawClient(Client(World.AgentKey));
        await Until.AsyncTrue(
            async () => (await raw.ModernAsync("tools/list")).Body.Contains($"\"{name}__", StringComparison.Ordinal), $"the catalog of {name}; {Node.Errors}", Patience);
    }
}

/// <summary>Servers over stdio, unmodified, through a node; and clients that do not say goodbye.</summary>
public sealed class StdioServersTests(WeirWithNode weir) : IClassFixture<WeirWithNode>
{
    private const int Waves = 20;
    private const int ClientsInAWave = 25;

    private const string Question = """{"method":"elicitation/create","params":{"message":"Who?","requestedSchema":{"type":"object","properties":{"name":{"type":"string"}}}}}""";

    private const string ModernMeta =
        ",\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\"io.modelcontextprotocol/clientCapabilities\":{\"elicitation\":{\"form\":{}}}}";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("everything", "@modelcontextprotocol/server-everything", "mcp-server-everything", "stdio", "echo", """{"message":"hello"}""", "Echo: hello")]
    [InlineData("filesystem", "@modelcontextprotocol/server-filesystem", "mcp-server-filesystem", "${folder}", "list_allowed_directories", "{}", "weir-stdio-")]
    [InlineData("memory", "@modelcontextprotocol/server-memory", "mcp-server-memory", null, "read_graph", "{}", "entities")]
    [InlineData("thinking", "@modelcontextprotocol/server-sequential-thinking", "mcp-server-sequential-thinking", null, "sequentialthinking", """{"thought":"low","nextThoughtNeeded":false,"thoughtNumber":1,"totalThoughts":1}""", "thoughtHistoryLength")]
    public async Task An_unmodified_server_of_npm_lists_and_answers(string name, string package, string bin, string? argument, string tool, string arguments, string expected)
    {
        await weir.AddAsync(name, package, NodeHost.Version, bin, argument is null ? [] : [argument == "${folder}" ? weir.Folder : argument]);
        var answer = await new RawClient(weir.Client(weir.World.AgentKey)).CallAsync($"{name}__{tool}", arguments);
        answer.Body.ShouldContain(expected);
        answer.Json.TryGetProperty("error", out _).ShouldBeFalse(answer.Body);
    }

    [Fact]
    public async Task The_browsers_server_lists_its_tools_without_a_browser()
    {
        await weir.AddAsync("browser", "@playwright/mcp", "0.0.83", "playwright-mcp", ["--headless"]);
        var listed = await new RawClient(weir.Client(weir.World.AgentKey)).ModernAsync("tools/list");
        listed.Body.ShouldContain("\"browser__browser_navigate\"");
        listed.Body.ShouldContain("\"browser__browser_snapshot\"");
    }

    /// <summary>
    /// Some hold a stream open as they go, some have been asked something in the middle of a call, some leave a parked call behind. What
    /// they had ends by the times that are set for it.
    /// </summary>
    [Fact]
    public async Task Five_hundred_clients_that_vanish_leave_no_child_session_stream_or_parked_call_behind()
    {
        await weir.AddAsync("own", "weir-fixture", "1.0.0", "weir-fixture", [], "session");
        await weir.AddAsync("shared", "weir-fixture", "1.0.0", "weir-fixture", []);
        weir.Clock.Advance(TimeSpan.FromMinutes(11));
        await weir.Services.GetRequiredService<UpstreamSessions>().SweepAsync(Token);
        var before = await CountAsync();
        var most = 0;
        for (var wave = 0; wave < Waves; wave++)
        {
            await Task.WhenAll(Enumerable.Range(0, ClientsInAWave).Select(VisitAsync));
            most = Math.Max(most, (await weir.Node.NodeStatusAsync()).Children);
            weir.Clock.Advance(TimeSpan.FromMinutes(11));
            await weir.Services.GetRequiredService<UpstreamSessions>().SweepAsync(Token);
        }

        most.ShouldBeGreaterThan(ClientsInAWave / 2);
        await Until.AsyncTrue(async () => await CountAsync() == before, $"everything returns to {before}");
        (await new RawClient(weir.Client(weir.World.AgentKey)).CallAsync("own__echo", """{"message":"still here"}""")).Body.ShouldContain("still here");
    }

    private async Task<Counts> CountAsync() => new(
        (await weir.Node.NodeStatusAsync()).Children,
        weir.Services.GetRequiredService<UpstreamSessions>().Count,
        weir.Services.GetRequiredService<ChangeStreams>().Count,
        weir.Services.GetRequiredService<InstanceWatches>().Count,
        weir.Services.GetRequiredService<ParkedCalls>().Count);

    private async Task VisitAsync(int client)
    {
        using var http = weir.Client(weir.World.AgentKey);
        var raw = new RawClient(http);
        var session = await OpenAsync(raw);
        foreach (var server in (string[])["own", "shared"])
        {
            var answer = await raw.PostAsync(Call(server + "__echo", """{"message":"hello"}"""), [session]);
            answer.Body.ShouldContain("hello", customMessage: answer.Body);
        }

        switch (client % 5)
        {
            case 0:
                await LeaveStreamAsync(http, HttpMethod.Get, content: null, session, until: ":");
                break;
            case 1:
                await LeaveStreamAsync(http, HttpMethod.Post, Call("own__ask", Question), session, until: "data: ");
                break;
            case 2:
                var parked = await raw.PostAsync(Call("own__ask", Question, ModernMeta), RawClient.ModernHeaders("tools/call", "own__ask"));
                parked.Body.ShouldContain("input_required");
                break;
            default:
                break;
        }
    }

    private static string Call(string tool, string arguments, string meta = "") =>
        $$"""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"{{tool}}","arguments":{{arguments}}{{meta}} } }""";

    private static async Task<(string Name, string Value)> OpenAsync(RawClient raw)
    {
        var answer = await raw.PostAsync("""{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{}},"clientInfo":{"name":"raw","version":"1"} } }""");
        answer.Status.ShouldBe(System.Net.HttpStatusCode.OK, answer.Body);
        return ("Mcp-Session-Id", answer.Headers.GetValues("Mcp-Session-Id").Single());
    }

    /// <summary>Hangs up as soon as the stream has said something.</summary>
    private static async Task LeaveStreamAsync(HttpClient http, HttpMethod method, string? content, (string Name, string Value) session, string until)
    {
        using var request = new HttpRequestMessage(method, "/mcp") { Content = content is null ? null : new StringContent(content, System.Text.Encoding.UTF8, "application/json") };
        request.Headers.TryAddWithoutValidation("Accept", method == HttpMethod.Get ? "text/event-stream" : "application/json, text/event-stream");
        request.Headers.TryAddWithoutValidation(session.Name, session.Value);
        using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Token);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Token));
        string? line;
        do
        {
            line = await reader.ReadLineAsync(Token) ?? throw new IOException("The stream ended first.");
        }
        while (!line.StartsWith(until, StringComparison.Ordinal));
    }

    /// <summary>What a client may leave behind.</summary>
    private sealed record Counts(int Children, int Sessions, int Streams, int Watches, int Parked);
}
