using System.Security.Cryptography;
using System.Text;
using Weir.Definitions;
using Weir.Gateway;
using Weir.Gateway.AgentTools;

namespace Weir.Tests.Gateway.AgentTools;

public sealed class DefinitionCacheTests
{
    private const int Size = 10_000;
    private const int Room = 10;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task F05_definitions_are_kept_up_to_a_bound_in_bytes_and_loaded_again_when_they_are_used()
    {
        var loaded = 0;
        var definitions = new DefinitionCache((items, _) => { loaded += items.Count; return Rows(items); }, maxBytes: Room * Size);
        for (var i = 0; i < 20; i++)
        {
            (await definitions.GetAsync(Items(i, 5), Token)).ShouldAllBe(d => d != null);
            definitions.Bytes.ShouldBeInRange(Size, Room * Size);
        }

        loaded.ShouldBe(100);
        await definitions.GetAsync(Items(19, 5), Token);
        loaded.ShouldBe(100);
        await definitions.GetAsync(Items(0, 5), Token);
        loaded.ShouldBe(105);
    }

    [Fact]
    public async Task A_list_has_what_was_kept_when_it_began_though_another_list_drops_it_meanwhile()
    {
        var arrived = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var goOn = new TaskCompletionSource();
        var waits = false;
        var definitions = new DefinitionCache(
            async (items, _) =>
            {
                if (waits)
                {
                    waits = false;
                    arrived.SetResult();
                    await goOn.Task;
                }

                return await Rows(items);
            },
            maxBytes: Room * Size);
        await definitions.GetAsync(Items(0, 5), Token);

        waits = true;
        var list = definitions.GetAsync([.. Items(0, 5), .. Items(1, 1)], Token);
        await arrived.Task;
        await definitions.GetAsync(Items(2, 10), Token);
        goOn.SetResult();

        (await list).ShouldAllBe(d => d != null);
    }

    [Fact]
    public async Task More_than_there_is_room_for_is_answered_whole()
    {
        var definitions = new DefinitionCache((items, _) => Rows(items), maxBytes: Room * Size);

        (await definitions.GetAsync(Items(0, 3 * Room), Token)).ShouldAllBe(d => d != null);

        definitions.Bytes.ShouldBeLessThanOrEqualTo(Room * Size);
    }

    private static AgentItem[] Items(int server, int count) => [.. Enumerable.Range(0, count).Select(i =>
    {
        var name = $"s{server}t{i}";
        return new AgentItem(
            Guid.Empty, "server", ItemKinds.Tool, name, name, SHA256.HashData(Encoding.UTF8.GetBytes(name)), ChatOffline: false);
    })];

    private static Task<IReadOnlyList<AgentToolsQueries.DefinitionRow>> Rows(
        IReadOnlyList<AgentItem> items) => Task.FromResult<IReadOnlyList<AgentToolsQueries.DefinitionRow>>(
        [.. items.Select(i => new AgentToolsQueries.DefinitionRow(
            i.InstanceId, i.Kind, i.Name, i.Hash,
            $$"""{"name":"{{i.Name}}","description":"{{new string('d', Size - 100)}}","inputSchema":{"type":"object"} }"""))]);
}
