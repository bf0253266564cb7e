using Weir.Gateway.AgentTools;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Gateway;

/// <summary>The audit log says what a caller is not told: what the name meant that its agent was not granted.</summary>
public sealed class KnownDenialTests(RunningWeir weir) : IClassFixture<RunningWeir>
{
    [Fact]
    public async Task A_tool_whose_grant_is_gone_is_unknown_to_its_caller_and_recorded_with_its_server_and_reason()
    {
        await using var server = await OddServer.StartAsync();
        var (name, instance) = await weir.AddReadyAsync(server.Url, """{"tools": {"echo": {}}}""");
        var raw = new RawClient(weir.Client(weir.World.AgentKey));
        await weir.World.RevokeAsync(instance);

        var answer = await raw.CallAsync($"{name}__echo");
        var nothing = await raw.CallAsync($"{name}__nothing");

        answer.Body.Replace("echo", "nothing", StringComparison.Ordinal).ShouldBe(nothing.Body);
        answer.ErrorMessage.ShouldBe($"Unknown tool: {name}__echo");
        var rows = (await weir.LogAsync()).Where(r => r.Phase == "denied").ToArray();
        rows.ShouldContain(r => r.Instance == name && r.Item == "echo" && r.Reason == "no_grant");
        rows.ShouldContain(r => r.Instance == null && r.Item == $"{name}__nothing" && r.Reason == "unknown");
    }

    [Fact]
    public async Task A_denied_argument_is_told_what_is_permitted_there_and_no_value_that_the_grant_keeps_to_its_readers()
    {
        await using var server = await OddServer.StartAsync();
        var (name, _) =
            await weir.AddReadyAsync(
                server.Url, """{"tools": {"echo": {"args": {"path": {"under": "/data"}, "color": {"in": ["ultramarine"]}}}}}""");
        var raw = new RawClient(weir.Client(weir.World.AgentKey));

        (await raw.CallAsync($"{name}__echo", """{"path": "/etc", "color": "ultramarine"}""")).ErrorMessage.ShouldContain(
            "$.path: must be under /data");
        var color = await raw.CallAsync($"{name}__echo", """{"path": "/data/x", "color": "red"}""");
        color.ErrorCode.ShouldBe(1011);
        color.ErrorMessage.ShouldContain("$.color: must be one of the values in the grant");
        color.Body.ShouldNotContain("ultramarine");
    }

    [Theory]
    [InlineData("echo")]
    [InlineData("an odd näme")]
    [InlineData("name_0123abcd")]
    [InlineData("a_name_that_is_much_longer_than_the_sixty_four_characters_that_an_exposed_name_may_have")]
    public async Task A_name_that_the_gateway_makes_is_found_again_in_the_database(string tool)
    {
        await using var server = await OddServer.StartAsync();
        var (name, instance) = await weir.AddReadyAsync(server.Url, """{"tools": {"*": {}}}""");
        await weir.Database.Superuser.ExecuteAsync(
            """
            insert into public.mcp_server_tools (organization_id, instance_id, kind, name, definition_hash, definition, status, announced, approved_at)
            values ($1, $2, 'tool', $3, sha256(convert_to($3, 'UTF8')), '{}', 'approved', true, now()) on conflict do nothing
            """,
            [Sql.Uuid(weir.World.OrganizationId), Sql.Uuid(instance), Sql.Text(tool)], TestContext.Current.CancellationToken);

        var exposed = ExposedNames.Make(name, instance, tool, 64);

        (await weir.Database.Superuser.ScalarAsync<string>(
            "select item from weir.named_item($1, 'tool_execution', $2, null) where instance_id = $3",
            [Sql.Uuid(weir.World.OrganizationId), Sql.Text(exposed), Sql.Uuid(instance)], TestContext.Current.CancellationToken)).ShouldBe(
            tool);
    }
}
