using System.Text.Json;
using Weir.Configuration;
using Weir.Postgres;
using Weir.Tests.Definitions;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Gateway.Endpoint;

/// <summary>A replica whose pages are short.</summary>
public sealed class ShortPages(TestCluster cluster) : RunningWeir(cluster)
{
    private protected override WeirConfig Configure(WeirConfig config) => config with { Mcp = config.Mcp with { PageSize = 10 } };
}

/// <summary>What a page holds when something went between it and the page before.</summary>
public sealed class ListPagesTests(ShortPages weir) : IClassFixture<ShortPages>
{
    private const string AllTools = """{"tools": {"*": {}}}""";

    [Fact]
    public async Task R17_a_page_whose_server_is_gone_goes_on_with_the_next_server_and_skips_and_repeats_nothing()
    {
        await using var server = await ListingServer.StartAsync();
        server.Announces("tools", [.. Enumerable.Range(10, 12).Select(n => Tool($"t{n}"))]);
        var (_, key) = await weir.World.CreateAgentAsync("pages");
        var (first, firstId) = await AddAsync(server, key);
        var (second, secondId) = await AddAsync(server, key);
        var raw = new RawClient(weir.Client(key));

        var (names, cursor) = await PageAsync(raw, null);
        names.ShouldBe(Enumerable.Range(10, 10).Select(n => $"{first}__t{n}"));
        await weir.World.CallAsync("select public.revoke_mcp_access($1, $2)", Sql.Uuid(await AgentAsync(key)), Sql.Uuid(firstId));
        (names, cursor) = await PageAsync(raw, cursor);
        names.ShouldBe(Enumerable.Range(10, 10).Select(n => $"{second}__t{n}"), "the page begins with the next server's first tool");

        // A tool that is gone takes only itself away, also where it was the last of the page before.
        await weir.Database.Superuser.ExecuteAsync(
            "update public.mcp_server_tools set announced = false where instance_id = $1 and name in ('t12', 't19')", [Sql.Uuid(secondId)],
            TestContext.Current.CancellationToken);
        (names, cursor) = await PageAsync(raw, cursor);
        names.ShouldBe([$"{second}__t20", $"{second}__t21"]);
        cursor.ShouldBeNull();

        // Nothing is left: an empty page, which is the last.
        (_, cursor) = await PageAsync(raw, null);
        cursor.ShouldBeNull();
    }

    [Fact]
    public async Task R17_the_rest_of_a_list_is_the_same_when_a_server_of_an_earlier_page_goes()
    {
        await using var server = await ListingServer.StartAsync();
        server.Announces("tools", [.. Enumerable.Range(10, 8).Select(n => Tool($"t{n}"))]);
        var (_, key) = await weir.World.CreateAgentAsync("more-pages");
        var (_, firstId) = await AddAsync(server, key);
        var (second, secondId) = await AddAsync(server, key);
        var raw = new RawClient(weir.Client(key));
        var (_, cursor) = await PageAsync(raw, null);
        await weir.World.CallAsync("select public.revoke_mcp_access($1, $2)", Sql.Uuid(await AgentAsync(key)), Sql.Uuid(firstId));
        (await PageAsync(raw, cursor)).Names.ShouldBe(Enumerable.Range(12, 6).Select(n => $"{second}__t{n}"));

        await weir.World.CallAsync("select public.revoke_mcp_access($1, $2)", Sql.Uuid(await AgentAsync(key)), Sql.Uuid(secondId));
        var (names, next) = await PageAsync(raw, cursor);
        names.ShouldBeEmpty();
        next.ShouldBeNull();
    }

    private static string Tool(string name) => $$"""{"name":"{{name}}","inputSchema":{"type":"object"} }""";

    private async Task<(string Name, Guid Id)> AddAsync(ListingServer server, string key)
    {
        var (name, id) = await weir.AddReadyAsync(server.Url, """{"tools": {"t10": {}}}""");
        await weir.World.RevokeAsync(id);
        await weir.World.GrantAsync(id, AllTools, await AgentAsync(key));
        return (name, id);
    }

    private Task<Guid> AgentAsync(string key) => weir.Database.Superuser.ScalarAsync<Guid>(
        "select agent_id from public.agent_api_keys where key_id = $1", [Sql.Text(Weir.Identity.AgentKey.Parse(key)!.Id)],
        TestContext.Current.CancellationToken);

    private static async Task<(string[] Names, string? Cursor)> PageAsync(RawClient raw, string? cursor)
    {
        var result =
            (await raw.ModernAsync("tools/list", cursor is null ? "" : $"\"cursor\":{JsonSerializer.Serialize(cursor)},")).Json.GetProperty(
                "result");
        return ([.. result.GetProperty("tools").EnumerateArray().Select(t => t.GetProperty("name").GetString()!)],
            result.TryGetProperty("nextCursor", out var next) ? next.GetString() : null);
    }
}
