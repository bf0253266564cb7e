using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Weir.Configuration;
using Weir.Nodes;
using Weir.Postgres;
using Weir.Tests.Fixtures;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys;

/// <summary>A replica, and a node that has registered with it, in a process of its own.</summary>
public class WeirWithNode(TestCluster cluster) : RunningWeir(cluster)
{
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(3);

    internal NodeHost Node { get; private set; } = null!;

    /// <summary>What the filesystem server may read.</summary>
    internal string Folder { get; } = Directory.CreateTempSubdirectory("weir-stdio-").FullName;

    private protected override WeirConfig Configure(WeirConfig config) => config with { Mcp = config.Mcp with { CallTimeoutSeconds = 60 } };

    public override async ValueTask InitializeAsync()
    {
        File.SetUnixFileMode(Folder, (UnixFileMode)0b111_101_101);
        await base.InitializeAsync();
        var token =
            await Services.GetRequiredService<NodeRegistry>().IssueTokenAsync("stdio", region: null, Timeout, CancellationToken.None);
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
        var entry = new
        {
            slug = name,
            display_name = name,
            transport = "stdio",
            runtime = "process",
            package,
            version,
            bin,
            args,
            default_share = share,
        };
        await Database.Owner.ScalarAsync<Guid>(
            "select weir.publish_catalog_server($1)", [Sql.Jsonb(JsonSerializer.Serialize(entry))], CancellationToken.None);
        var config = JsonSerializer.Serialize(new { instance_name = name, catalog = name, share });
        var made =
            await World.CallAsync("select public.manage_mcp_servers('create', $1, $2)", Sql.Uuid(World.OrganizationId), Sql.Jsonb(config));
        var id = made.GetProperty("id").GetGuid();
        await World.GrantAsync(id, """{"tools": {"*": {}}}""");
        await World.CallAsync("select public.manage_mcp_servers('deploy', $1, null, $2)", Sql.Uuid(World.OrganizationId), Sql.Uuid(id));
        var raw = new RawClient(Client(World.AgentKey));
        await Until.AsyncTrue(
            async () => (await raw.ModernAsync("tools/list")).Body.Contains($"\"{name}__", StringComparison.Ordinal),
            $"the catalog of {name}; {Node.Errors}", Timeout);
    }
}

/// <summary>Servers over stdio, unmodified, through a node.</summary>
public sealed class StdioServersTests(WeirWithNode weir) : IClassFixture<WeirWithNode>
{
    private const string Chromium = "/usr/bin/chromium";

    [Theory]
    [InlineData("everything", "@modelcontextprotocol/server-everything", "mcp-server-everything", "stdio", "echo",
        """{"message":"hello"}""", "Echo: hello")]
    [InlineData("filesystem", "@modelcontextprotocol/server-filesystem", "mcp-server-filesystem", "${folder}", "list_allowed_directories",
        "{}", "weir-stdio-")]
    [InlineData("memory", "@modelcontextprotocol/server-memory", "mcp-server-memory", null, "read_graph", "{}", "entities")]
    [InlineData(
        "thinking", "@modelcontextprotocol/server-sequential-thinking", "mcp-server-sequential-thinking", null, "sequentialthinking",
        """{"thought":"low","nextThoughtNeeded":false,"thoughtNumber":1,"totalThoughts":1}""", "thoughtHistoryLength")]
    public async Task An_unmodified_server_of_npm_lists_and_answers(
    string name, string package, string bin, string? argument, string tool, string arguments, string expected)
    {
        await weir.AddAsync(
            name, package, NodeHost.Version, bin, argument is null ? [] : [argument == "${folder}" ? weir.Folder : argument]);
        var answer = await new RawClient(weir.Client(weir.World.AgentKey)).CallAsync($"{name}__{tool}", arguments);
        answer.Body.ShouldContain(expected);
        answer.Json.TryGetProperty("error", out _).ShouldBeFalse(answer.Body);
    }

    [Fact]
    public async Task R16_a_servers_conditional_tools_over_stdio_are_listed_to_who_offers_what_they_need()
    {
        await weir.AddAsync(
            "asking", "@modelcontextprotocol/server-everything", NodeHost.Version, "mcp-server-everything", ["stdio"], share: "session");
        var raw = new RawClient(weir.Client(weir.World.AgentKey));
        var steps = JsonSerializer.Serialize(
            new object[]
            {
                new { list = true },
                new { call = "asking__trigger-sampling-request", arguments = new { prompt = "Hello?", maxTokens = 10 } },
            });
        var answers = await NodeScript.RunAsync("legacy.mjs", [new Uri(weir.Url, "/mcp").ToString(), weir.World.AgentKey, steps]);
        var listed = answers[1].EnumerateArray().Select(t => t.GetString()).ToArray();
        string[] conditional = [
            "asking__trigger-sampling-request", "asking__trigger-elicitation-request", "asking__trigger-url-elicitation",
            "asking__get-roots-list",
        ];
        conditional.ShouldBeSubsetOf(listed);
        answers[2].GetRawText().ShouldContain("a sampled answer");
        var plain = (await raw.ModernAsync("tools/list")).Body;
        plain.ShouldContain("asking__echo");
        plain.ShouldNotContain("asking__trigger-sampling-request");
        plain.ShouldNotContain("asking__simulate-research-query", Case.Sensitive, "it can only be called as a task");
    }

    [Fact]
    public async Task The_browsers_server_lists_its_tools_without_a_browser()
    {
        await weir.AddAsync("browser", "@playwright/mcp", "0.0.83", "playwright-mcp", ["--headless"]);
        var listed = await new RawClient(weir.Client(weir.World.AgentKey)).ModernAsync("tools/list");
        listed.Body.ShouldContain("\"browser__browser_navigate\"");
        listed.Body.ShouldContain("\"browser__browser_snapshot\"");
    }

    [Fact]
    public async Task The_browsers_server_clicks_a_button_of_a_page_with_debians_chromium()
    {
        Assert.SkipUnless(File.Exists(Chromium),
            $"There is no {Chromium}: apt could not install Debian's package chromium, or the tests do not run as root.");
        await using var page = await ClickedPage.StartAsync();
        await weir.AddAsync("clicker", "@playwright/mcp", "0.0.83", "playwright-mcp",
            ["--headless", "--isolated", "--no-sandbox", "--executable-path", Chromium], share: "session");
        var raw = new RawClient(weir.Client(weir.World.AgentKey));
        var session = await raw.InitializeAsync();

        var opened = await CallAsync("browser_navigate", new { url = page.Url });
        opened.ShouldContain("Page Title: Page");
        var shown = await CallAsync("browser_snapshot", new { });
        var button =
            Regex.Match(shown, @"button .{0,4}Press me.{0,60}?\[ref=(?<ref>[a-z0-9]+)\]", RegexOptions.None, TimeSpan.FromSeconds(1));
        button.Success.ShouldBeTrue(shown);
        await CallAsync("browser_click", new { element = "the button", target = button.Groups["ref"].Value });

        await Until.True(() => page.Clicks == 1, "the page's own script has told its server of the click");

        async Task<string> CallAsync(string tool, object arguments)
        {
            var answer = await raw.PostAsync(
                $$"""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"clicker__{{tool}}","arguments":{{JsonSerializer.Serialize(arguments)}} } }""", [session]);
            answer.Body.ShouldNotContain("\"isError\":true");
            answer.Body.ShouldNotContain("\"error\":");
            return answer.Body;
        }
    }
}

/// <summary>
/// A page with one button, whose script tells the page's server when it is pressed by a person or by whatever acts as one.
/// </summary>
internal sealed class ClickedPage : IAsyncDisposable
{
    private const string Html = """
        <!doctype html><title>Page</title>
        <button onclick="if (event.isTrusted) fetch('/clicked', { method: 'POST' })">Press me</button>
        """;

    private readonly WebApplication _app;
    private int _clicks;

    private ClickedPage(WebApplication app) => _app = app;

    public int Clicks => Volatile.Read(ref _clicks);

    public string Url => _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();

    public static async Task<ClickedPage> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        var page = new ClickedPage(builder.Build());
        page._app.MapGet("/", () => Results.Content(Html, "text/html"));
        page._app.MapPost("/clicked", () =>
        {
            Interlocked.Increment(ref page._clicks);
            return Results.NoContent();
        });
        await page._app.StartAsync();
        return page;
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource(TimeSpan.Zero);
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }
}
