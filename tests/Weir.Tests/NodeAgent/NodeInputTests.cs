extern alias NodeAgent;

using NodeAgent::Weir.NodeAgent.Http;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Weir.Tests.Docs;
using Weir.Tests.Fixtures;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.NodeAgent;

/// <summary>A node with one instance of the tests' own server.</summary>
public sealed class NodeWithServer : IAsyncLifetime
{
    internal NodeHost Node { get; private set; } = null!;

    internal Guid Server { get; private set; }

    public async ValueTask InitializeAsync()
    {
        Node = await NodeHost.StartAsync();
        Server = await Node.DeployAsync(NodeHost.Fixture());
    }

    public ValueTask DisposeAsync() => Node.DisposeAsync();
}

/// <summary>The node's own API: what it reads before it knows who asks, and that nothing which is sent makes it fail.</summary>
public sealed class NodeInputTests(NodeWithServer fixture, ITestOutputHelper output) : IClassFixture<NodeWithServer>
{
    private static readonly IReadOnlyList<BodyRow> Table = BodyRow.Of("weir-node");

    private string Key => fixture.Node.Http.DefaultRequestHeaders.Authorization!.Parameter!;

    [Fact]
    public async Task F03_every_endpoint_of_the_node_is_in_the_table()
    {
        var routes = await RoutesAsync();
        routes.Select(r => r.Pattern).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)
            .ShouldBe(Table.Select(r => r.Pattern).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task F03_the_node_reads_nothing_before_it_has_seen_its_key_and_then_up_to_a_limit()
    {
        // Of its own: the other test ends the one that is shared.
        var server = await fixture.Node.DeployAsync(NodeHost.Fixture());
        foreach (var route in await RoutesAsync())
        {
            var row = Table.Single(r => r.Pattern == route.Pattern);
            row.Before.ShouldBe(0);
            foreach (var method in route.Methods.DefaultIfEmpty("POST"))
            {
                foreach (var bearer in (string?[])[null, new string('0', 64)])
                {
                    var refused = await BodyProbe.UnfinishedAsync(fixture.Node.Url, method, Path(row.Pattern, server), bearer, 0);
                    refused.ShouldBe(row.Pattern == "/healthz" ? 200 : 401, $"{method} {row.Pattern}");
                }

                if (row.After == 0 && method != "DELETE" && row.Pattern != "/v1/servers/{id:guid}")
                {
                    (await BodyProbe.UnfinishedAsync(fixture.Node.Url, method, Path(row.Pattern, server), Key, 0)).ShouldBeLessThan(
                        502, row.Pattern);
                }
            }
        }

        (await BodyProbe.AnnouncedAsync(
            fixture.Node.Url, "PUT", Path("/v1/servers/{id:guid}", server), Key, ServerEndpoints.MaxSpecBytes + 1)).ShouldBe(413);
        (await BodyProbe.WholeAsync(
            fixture.Node.Url, "PUT", Path("/v1/servers/{id:guid}", server), Key, ServerEndpoints.MaxSpecBytes)).ShouldBe(400);

        // One of the requests above restarts it: until it runs again this is 503.
        var mcp = Path("/v1/servers/{id:guid}/mcp", server);
        await Until.AsyncTrue(async () => await BodyProbe.AnnouncedAsync(fixture.Node.Url, "POST", mcp, Key, (16 * 1024 * 1024) + 1) == 413,
            "a message too long is 413");
        await Until.AsyncTrue(async () => await BodyProbe.WholeAsync(fixture.Node.Url, "POST", mcp, Key, 16 * 1024 * 1024) == 400,
            "one of the limit is read");
    }

    [Fact]
    public async Task F06_no_request_makes_the_node_fail()
    {
        var world = new EndpointWorld(
            fixture.Node.Url.Authority,
            await RoutesAsync(),
            new Dictionary<string, string[]>(StringComparer.Ordinal)
            {
                ["id"] = [fixture.Server.ToString(), fixture.Server.ToString(), Guid.Empty.ToString(), Guid.NewGuidForTests().ToString()],
            },
            [
                ("/v1/servers/",
                    """{"generation":1,"organizationId":"11111111-1111-1111-1111-111111111111","name":"x","desired":"stopped","runtim"""
                        + """e":"process","transport":"stdio","share":"instance","package":"weir-fixture","version":"1.0.0","bin":null,"a"""
                        + """rgs":["a"],"env":{"A":"b"} }"""),
                ("/v1/servers/{id:guid}/mcp",
                    """{"jsonrpc":"2."""
                        + """0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"na"""
                        + """me":"f","version":"1"} } }"""),
                ("/v1/servers/{id:guid}/mcp",
                    """{"jsonrpc":"2.0","id":2,"method":"tools/"""
                        + """call","params":{"name":"echo","arguments":{"message":"x"},"_meta":{"progressToken":1} } }"""),
                ("/v1/servers/{id:guid}/mcp", """{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1} }"""),
            ],
            [Key],
            random => new string("0aé._"[random.Next(5)], random.Next(80)));

        var answered = await new EndpointFuzzer(fixture.Node.Url.Port, world, output).RunAsync();

        answered.GetValueOrDefault(400).ShouldBeGreaterThan(50);
        answered.GetValueOrDefault(401).ShouldBeGreaterThan(50);
        fixture.Node.Errors.Split('\n')
            .Where(
            l =>
                l.Contains("\"LogLevel\":\"Error\"", StringComparison.Ordinal)
                    || l.Contains("\"LogLevel\":\"Critical\"", StringComparison.Ordinal)).ShouldBeEmpty();
    }

    private static string Path(string pattern, Guid server) => pattern.Replace("{id:guid}", server.ToString(), StringComparison.Ordinal)
        .Replace("{*path:nonfile}", "/x", StringComparison.Ordinal);

    /// <summary>As the node maps them; none is called here.</summary>
    private static async Task<MappedRoute[]> RoutesAsync()
    {
        await using var app = WebApplication.CreateSlimBuilder().Build();
        app.MapServers(null!, null!, TimeProvider.System);
        return [.. ((IEndpointRouteBuilder)app).DataSources.SelectMany(s => s.Endpoints).OfType<RouteEndpoint>().Select(e =>
            new MappedRoute(e.RoutePattern.RawText!.TrimEnd('/'), [.. e.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? []]))];
    }
}
