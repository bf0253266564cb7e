using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Weir.Definitions;
using Weir.Mcp;
using Weir.Tests.Infrastructure;
using Weir.Upstream;

namespace Weir.Tests.Definitions;

/// <summary>Servers whose pages do not advance, and those whose pages never end.</summary>
public sealed class ServerListsTests(RunningWeir weir) : IClassFixture<RunningWeir>
{
    public static TheoryData<string> Kinds => [.. ListedKind.All.Select(k => k.Kind)];

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task R08_a_cursor_that_equals_the_one_sent_ends_the_list(string kind)
    {
        await using var server = await PagesAsync(ListedKind.Of(kind), (page, _) => ([$"n{page}"], "\"again\""));
        (await NamesAsync(server, kind)).ShouldBe(["n0", "n1"]);
        server.Count(ListedKind.Of(kind).Method).ShouldBe(2);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task R08_cursors_that_go_round_in_a_circle_end_the_list(string kind)
    {
        await using var server = await PagesAsync(ListedKind.Of(kind), (page, _) => ([$"n{page}"], page % 2 == 0 ? "\"a\"" : "\"b\""));
        (await NamesAsync(server, kind)).ShouldBe(["n0", "n1", "n2"]);
    }

    [Theory]
    [InlineData("\"\"")]
    [InlineData("null")]
    [InlineData("7")]
    [InlineData("{}")]
    public async Task R08_a_cursor_that_names_no_page_ends_the_list(string cursor)
    {
        await using var server = await PagesAsync(ListedKind.Of(ItemKinds.Tool), (page, _) => ([$"n{page}"], cursor));
        (await NamesAsync(server, ItemKinds.Tool)).ShouldBe(["n0"]);
    }

    [Fact]
    public async Task R08_a_server_that_ignores_the_cursor_and_makes_up_new_ones_is_asked_twice()
    {
        await using var server = await PagesAsync(ListedKind.Of(ItemKinds.Tool), (page, _) => (["a", "b"], $"\"new-{page}\""));
        (await NamesAsync(server, ItemKinds.Tool)).ShouldBe(["a", "b"]);
        server.Count("tools/list").ShouldBe(2);
    }

    [Fact]
    public async Task R08_an_empty_page_ends_no_list_but_ten_of_them_do()
    {
        await using var some = await PagesAsync(
            ListedKind.Of(ItemKinds.Tool), (page, _) => (page is 0 or 4 ? [$"n{page}"] : [], page == 4 ? null : $"\"{page}\""));
        (await NamesAsync(some, ItemKinds.Tool)).ShouldBe(["n0", "n4"]);
        await using var endless = await PagesAsync(ListedKind.Of(ItemKinds.Tool), (page, _) => (page == 0 ? ["n0"] : [], $"\"{page}\""));
        (await NamesAsync(endless, ItemKinds.Tool)).ShouldBe(["n0"]);
        endless.Count("tools/list").ShouldBe(11);
    }

    [Theory]
    [InlineData(1, 10, 100)]
    [InlineData(1000, 10, 6)]
    [InlineData(1, 4_000_000, 5)]
    public async Task R08_pages_that_never_end_are_cut_off_by_their_number_items_and_bytes(int items, int bytes, int requests)
    {
        await using var server = await PagesAsync(ListedKind.Of(ItemKinds.Tool), (page, _) =>
            ([.. Enumerable.Range(0, items).Select(i => $"{page}-{i}-{new string('x', bytes)}")], $"\"{page}\""));
        (await Should.ThrowAsync<UpstreamException>(() => NamesAsync(server, ItemKinds.Tool))).Failure.ShouldBe(UpstreamFailure.TooLarge);
        server.Count("tools/list").ShouldBe(requests);
    }

    [Fact]
    public async Task R08_what_a_page_holds_beside_its_items_counts_too()
    {
        var padding = new string('x', 4_000_000);
        await using var server =
            await PagesAsync(ListedKind.Of(ItemKinds.Tool), (page, _) => ([$"n{page}"], $"\"{page}\",\"_meta\":{{\"p\":\"{padding}\"}}"));
        (await Should.ThrowAsync<UpstreamException>(() => NamesAsync(server, ItemKinds.Tool))).Failure.ShouldBe(UpstreamFailure.TooLarge);
        server.Count("tools/list").ShouldBe(5);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task R08_a_list_of_null_is_empty(string kind)
    {
        var list = ListedKind.Of(kind);
        await using var server = await ScriptedServer.StartAsync((http, request) => ScriptedServer.WriteAsync(http, ScriptedServer.Result(
            request, request.Method == "server/discover" ? ScriptedServer.ModernDiscovery : $$"""{"{{list.Member}}":null}""")));
        (await NamesAsync(server, kind)).ShouldBeEmpty();
    }

    [Fact]
    public async Task R08_a_server_whose_cursors_do_not_advance_is_deployed_and_called()
    {
        await using var server = await PagesAsync(ListedKind.Of(ItemKinds.Tool), (_, _) => (["echo"], "\"same\""));
        var (name, _) = await weir.AddReadyAsync(server.Url, """{"tools": {"*": {}}}""");
        (await new RawClient(weir.Client(weir.World.AgentKey)).CallAsync(name + "__echo")).Body.ShouldContain("\"said\"");
    }

    [Fact]
    public async Task F05_all_lists_of_a_server_have_one_room_which_counts_for_the_organization_until_it_is_given_back()
    {
        var budget = new ByteBudget(mostPerCall: 1, mostPerOrganization: ListRoom.MostHeld);
        var organization = Guid.CreateVersion7(TimeProvider.System.GetUtcNow());
        await using var server = await PagesAsync(ListedKind.Of(ItemKinds.Tool), (_, _) => ([new string('x', 9_000_000)], null));
        var upstream = weir.Services.GetRequiredService<UpstreamClient>();
        var ct = TestContext.Current.CancellationToken;
        var session = await upstream.OpenAsync(
            new UpstreamTarget(organization, "server", server.Url, NodeKey: null), ClientCapabilities.None, ct);
        var lists = new ServerLists(upstream);
        using (var room = new ListRoom(budget.Open(organization, ListRoom.MostHeld)))
        {
            await lists.ListAsync(session, ListedKind.Of(ItemKinds.Tool), room, ct);
            budget.HeldBy(organization).ShouldBeInRange(27_000_000, 28_000_000, "three times what was sent");
            (await lists.ListAsync(session, ListedKind.Of(ItemKinds.Tool), room, ct)
                .ShouldThrowAsync<UpstreamException>()).Failure.ShouldBe(UpstreamFailure.TooLarge);
            budget.HeldBy(organization).ShouldBeInRange(27_000_000, 28_000_000, "what has no room is not kept");
            using var other = new ListRoom(budget.Open(organization, ListRoom.MostHeld));
            (await lists.ListAsync(session, ListedKind.Of(ItemKinds.Tool), other, ct)
                .ShouldThrowAsync<UpstreamException>()).Failure.ShouldBe(UpstreamFailure.OverBudget);
        }

        budget.Total.ShouldBe(0);
    }

    private async Task<string[]> NamesAsync(ScriptedServer server, string kind)
    {
        var list = ListedKind.Of(kind);
        var upstream = weir.Services.GetRequiredService<UpstreamClient>();
        var ct = TestContext.Current.CancellationToken;
        var session = await upstream.OpenAsync(
            new UpstreamTarget(Guid.CreateVersion7(TimeProvider.System.GetUtcNow()), "server", server.Url, NodeKey: null),
            ClientCapabilities.None, ct);
        using var room = new ListRoom(new ByteBudget(long.MaxValue, long.MaxValue).Open(session.Target.InstanceId));
        var listed = await new ServerLists(upstream).ListAsync(session, list, room, ct);
        return [.. listed.Items.Select(i => i.GetProperty(list.NameMember).GetString()!)];
    }

    /// <summary>
    /// A modern server whose list has the names and the next cursor (JSON; null: none) that a test says for each request.
    /// </summary>
    private static Task<ScriptedServer> PagesAsync(ListedKind kind, Func<int, string?, (string[] Names, string? Next)> page)
    {
        var asked = -1;
        return ScriptedServer.StartAsync(
            (http, request) => ScriptedServer.WriteAsync(http, ScriptedServer.Result(request, request.Method switch
        {
            "server/discover" => ScriptedServer.ModernDiscovery,
            "tools/call" => ScriptedServer.Text("said"),
            var method when method == kind.Method => Page(Interlocked.Increment(ref asked), request),
            _ => "{}",
        })));

        string Page(int number, ScriptedRequest request)
        {
            var (names, next) = page(number, request.Cursor);
            var items = names.Select(n => $$"""{"{{kind.NameMember}}":{{JsonSerializer.Serialize(n)}},"inputSchema":{"type":"object"} }""");
            var cursor = next is null ? "" : $",\"nextCursor\":{next}";
            return $$"""{"resultType":"complete","{{kind.Member}}":[{{string.Join(',', items)}}]{{cursor}} }""";
        }
    }
}
