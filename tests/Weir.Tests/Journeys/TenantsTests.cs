using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Weir.Identity;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys;

/// <summary>
/// Two organizations on one replica that do all they can to meet: the same names, the same server, each other's ids. Over MCP, as agents
/// do.
/// </summary>
public sealed class TenantsTests(RunningWeir weir) : IClassFixture<RunningWeir>, IAsyncLifetime
{
    private OddServer _mine = null!;
    private OddServer _theirs = null!;
    private World _other = null!;
    private string _name = "";
    private Guid _instance;
    private Guid _theirInstance;

    public async ValueTask InitializeAsync()
    {
        (_mine, _theirs) = (await OddServer.StartAsync(), await OddServer.StartAsync());
        (_name, _instance) =
            await weir.AddReadyAsync(_mine.Url,
                """{"tools": {"echo": {"args": {"path": {"type": "string", "under": "/data"}}, "other": "deny"}, "hang": {}}}""");
        _other = await World.CreateAsync(weir.Database);
        _theirInstance = await _other.AddRemoteAsync(_name, _theirs.Url);
        await _other.GrantAsync(_theirInstance, """{"tools": {"echo": {}, "book": {}}, "limits": {"per_day": 2}}""");
        // A day that does not end while the test runs.
        await weir.Database.Superuser.ExecuteAsync(
            "update weir.grant_usage set window_start = 'infinity' where organization_id = $1", [Sql.Uuid(_other.OrganizationId)],
            CancellationToken.None);
        await Until.AsyncTrue(
            async () => (await Other().ModernAsync("tools/list")).Body.Contains($"{_name}__echo", StringComparison.Ordinal),
            "the other's catalog");
    }

    public async ValueTask DisposeAsync()
    {
        await _mine.DisposeAsync();
        await _theirs.DisposeAsync();
    }

    [Fact]
    public async Task A03_of_two_servers_of_one_name_each_organization_has_its_own_also_from_what_is_kept()
    {
        // The first look fills what the replica keeps, the second is answered beside it, and each sees the other's between its own.
        for (var look = 0; look < 2; look++)
        {
            foreach (var path in new[] { "/mcp", "/mcp/" + _name })
            {
                var prefix = path == "/mcp" ? _name + "__" : "";
                (await ToolsAsync(weir.World.AgentKey, path, prefix)).ShouldBe(["echo", "hang"]);
                (await ToolsAsync(_other.AgentKey, path, prefix)).ShouldBe(["book", "echo"]);
            }
        }

        (await Own().CallAsync($"{_name}__echo", """{"path":"/data/mine"}""")).Body.ShouldContain("\"ok\"");
        (_mine.Calls, _theirs.Calls).ShouldBe((1, 0));
        // Their limit is used up by them alone.
        (await Other().CallAsync($"{_name}__echo")).Body.ShouldContain("\"ok\"");
        (await Other("/mcp/" + _name).CallAsync("echo")).Body.ShouldContain("\"ok\"");
        (await Other().CallAsync($"{_name}__echo")).ErrorCode.ShouldBe(1008);
        (await Own("/mcp/" + _name).CallAsync("echo", """{"path":"/data/mine"}""")).Body.ShouldContain("\"ok\"");
        (_mine.Calls, _theirs.Calls).ShouldBe((2, 2));
    }

    [Fact]
    public async Task A01_another_tenants_agents_servers_and_sessions_read_as_if_they_were_not_there()
    {
        var tokens = weir.Services.GetRequiredService<PersonTokens>();
        var owner = weir.Client(tokens.Issue(weir.World.OwnerId, "owner@example.test"));
        var nobody = Guid.CreateVersion7(TimeProvider.System.GetUtcNow());
        foreach (var method in new[] { "tools/list", "server/discover" })
        {
            var none = await new RawClient(owner, $"/mcp/agents/{nobody}").ModernAsync(method);
            none.Status.ShouldNotBe(HttpStatusCode.OK);
            foreach (var id in new[] { _other.AgentId, _other.OrganizationId, _other.OwnerId, _other.WorkspaceId, _theirInstance })
            {
                var foreign = await new RawClient(owner, $"/mcp/agents/{id}").ModernAsync(method);
                (foreign.Status, foreign.Body).ShouldBe((none.Status, none.Body));
            }
        }

        var unknown = await new RawClient(owner, $"/mcp/agents/{nobody}").CallAsync($"{_name}__echo");
        var theirs = await new RawClient(owner, $"/mcp/agents/{_other.AgentId}").CallAsync($"{_name}__echo");
        (theirs.Status, theirs.Body).ShouldBe((unknown.Status, unknown.Body));

        // Their session is not mine, whoever lends it.
        var session = await Other().InitializeAsync();
        (await Own().PostAsync("""{"jsonrpc":"2.0","id":1,"method":"tools/list"}""", [session])).Status.ShouldBe(HttpStatusCode.Forbidden);
        _theirs.Calls.ShouldBe(0);
    }

    [Fact]
    public async Task A04_what_is_not_in_the_list_is_not_callable_and_what_leaves_it_is_not_either()
    {
        var tools = await ToolsAsync(weir.World.AgentKey, "/mcp", _name + "__");
        foreach (var hidden in new[] { "book", "error", "nonsense" })
        {
            tools.ShouldNotContain(hidden);
            (await Own().CallAsync($"{_name}__{hidden}")).ErrorCode.ShouldBe(-32602);
            (await Own("/mcp/" + _name).CallAsync(hidden)).ErrorCode.ShouldBe(-32602);
        }

        // Listed, and revoked before the call.
        tools.ShouldContain("echo");
        await weir.World.RevokeAsync(_instance);
        (await Own().CallAsync($"{_name}__echo", """{"path":"/data/x"}""")).ErrorCode.ShouldBe(-32602);
        (await Own("/mcp/" + _name).CallAsync("echo", """{"path":"/data/x"}""")).ErrorCode.ShouldBe(-32602);
        _mine.Calls.ShouldBe(0);
    }

    [Fact]
    public async Task A04_a_grant_that_expires_between_list_and_call_is_over_though_the_replica_was_told_nothing()
    {
        var end = TimeProvider.System.GetUtcNow().AddSeconds(2);
        await weir.World.CallAsync(
            "select public.grant_mcp_access($1, $2, '{\"tools\": {\"echo\": {}, \"hang\": {}}}', $3)", Sql.Uuid(weir.World.AgentId),
            Sql.Uuid(_instance), Sql.Timestamp(end));
        (await Own().CallAsync($"{_name}__echo")).Body.ShouldContain("\"ok\"");
        using var stream = await ListChangeStream.OpenAsync(weir.Client(weir.World.AgentKey));
        await Until.True(() => TimeProvider.System.GetUtcNow() > end, "the grant's end");

        (await Own().CallAsync($"{_name}__echo")).ErrorCode.ShouldBe(-32602);
        (await Own().ModernAsync("tools/list")).Body.ShouldNotContain(_name);
        _mine.Calls.ShouldBe(1);
    }

    [Theory]
    [InlineData("""{"path":"/data/../etc/passwd"}""")]
    [InlineData("""{"path":"/data/./x"}""")]
    [InlineData("""{"path":"/database"}""")]
    [InlineData("""{"path":"/data\\..\\x"}""")]
    [InlineData("""{"path":"/data/%2e%2e/x"}""")]
    [InlineData("""{"path":"/data/\n../x"}""")]
    [InlineData("""{"path":"／data/x"}""")]
    [InlineData("""{"path":["/data/x"]}""")]
    [InlineData("""{"path":{"$ref":"/data/x"}}""")]
    [InlineData("""{"path":null}""")]
    [InlineData("""{"path":1e400}""")]
    [InlineData("""{}""")]
    [InlineData("""{"path":"/data/x","more":1}""")]
    [InlineData("""{"path":"/data/x","_meta":{"path":"/etc/passwd"}}""")]
    [InlineData("""{"path":"/data/x","Path":"/etc/passwd"}""")]
    [InlineData("""{"path":"/data/x","path":"/etc/passwd"}""")]
    [InlineData("""{"path":"/data/x","p\u0061th":"/etc/passwd"}""")]
    [InlineData("""{"path":"/data/x","раth":"/etc/passwd"}""")]
    [InlineData("""{"path":"/data/x","path\u200b":"/etc/passwd"}""")]
    [InlineData("""{"arguments":{"path":"/data/x"}}""")]
    [InlineData("""["/data/x"]""")]
    [InlineData("\"/data/x\"")]
    public async Task A05_no_spelling_of_the_arguments_gets_around_the_rule(string arguments)
    {
        foreach (var (client, tool) in new[] { (Own(), $"{_name}__echo"), (Own("/mcp/" + _name), "echo") })
        {
            var answer = await client.CallAsync(tool, arguments);
            answer.Json.TryGetProperty("error", out _).ShouldBeTrue(answer.Body);
            answer.ErrorCode.ShouldBeOneOf(1011, -32600, -32602);
        }

        _mine.Calls.ShouldBe(0);
        (await Own().CallAsync($"{_name}__echo", """{"path":"/data/x"}""")).Body.ShouldContain("\"ok\"");
    }

    [Fact]
    public async Task A16_a_stream_ends_with_its_key()
    {
        var text = await weir.World.CreateKeyAsync(weir.World.AgentId);
        using var stream = await ListChangeStream.OpenAsync(weir.Client(text));

        await weir.World.CallAsync("select public.revoke_agent_key($1)", Sql.Text(AgentKey.Parse(text)!.Id));

        await Until.True(() => stream.HasEnded, "the stream ends");
    }

    [Fact]
    public async Task A16_a_call_that_was_admitted_ends_and_the_next_of_a_revoked_key_does_not_begin()
    {
        var text = await weir.World.CreateKeyAsync(weir.World.AgentId);
        var raw = new RawClient(weir.Client(text));
        using var leave = new CancellationTokenSource();
        var hanging = raw.CallAsync($"{_name}__hang", ct: leave.Token);
        await Until.True(() => _mine.Calls == 1, "a call hangs");

        await weir.World.CallAsync("select public.revoke_agent_key($1)", Sql.Text(AgentKey.Parse(text)!.Id));

        (await raw.CallAsync($"{_name}__echo", """{"path":"/data/x"}""")).Status.ShouldBe(HttpStatusCode.Unauthorized);
        hanging.IsCompleted.ShouldBeFalse();
        await leave.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(hanging);
        await Until.AsyncTrue(
            async () => (await weir.LogAsync()).Any(r => r.Instance == _name && r.Item == "hang" && r.Outcome == "cancelled"),
            "its outcome");
        _mine.Calls.ShouldBe(1);
    }

    [Fact]
    public async Task A16_a_persons_token_is_good_for_as_long_as_the_person_is_a_member()
    {
        var person = await World.CreateUserAsync(weir.Database);
        await weir.Database.Superuser.ExecuteAsync(
            "insert into public.organization_members (organization_id, user_id, role) values ($1, $2, 'member')",
            [Sql.Uuid(weir.World.OrganizationId), Sql.Uuid(person)], CancellationToken.None);
        await weir.World.CallAsync("select public.add_workspace_member($1, $2)", Sql.Uuid(weir.World.WorkspaceId), Sql.Uuid(person));
        var token = weir.Services.GetRequiredService<PersonTokens>().Issue(person, "person@example.test");
        var raw = new RawClient(weir.Client(token), $"/mcp/agents/{weir.World.AgentId}");
        (await raw.CallAsync($"{_name}__echo", """{"path":"/data/x"}""")).Body.ShouldContain("\"ok\"");

        await weir.World.CallAsync(
            "select public.set_member_status($1, $2, 'suspended')", Sql.Uuid(weir.World.OrganizationId), Sql.Uuid(person));

        (await raw.CallAsync($"{_name}__echo", """{"path":"/data/x"}""")).Body.ShouldNotContain("\"ok\"");
        (await raw.ModernAsync("tools/list")).Status.ShouldNotBe(HttpStatusCode.OK);
        _mine.Calls.ShouldBe(1);
    }

    [Fact]
    public async Task A_person_reaches_one_server_through_one_agent_and_is_governed_as_by_the_agents_whole_list()
    {
        var tokens = weir.Services.GetRequiredService<PersonTokens>();
        var owner = weir.Client(tokens.Issue(weir.World.OwnerId, "owner@example.test"));
        var one = new RawClient(owner, $"/mcp/agents/{weir.World.AgentId}/{_name}");

        (await one.CallAsync("echo", """{"path":"/data/x"}""")).Body.ShouldContain("\"ok\"");
        (await one.CallAsync("echo", """{"path":"/etc/x"}""")).ErrorCode.ShouldBe(1011);
        (await one.CallAsync("book")).ErrorCode.ShouldBe(-32602);
        _mine.Calls.ShouldBe(1);

        // Another's agent, another's person, and an agent's key are nobody here.
        var nobody = Guid.CreateVersion7(TimeProvider.System.GetUtcNow());
        var none = await new RawClient(owner, $"/mcp/agents/{nobody}/{_name}").ModernAsync("tools/list");
        var foreign = await new RawClient(owner, $"/mcp/agents/{_other.AgentId}/{_name}").ModernAsync("tools/list");
        (foreign.Status, foreign.Body).ShouldBe((none.Status, none.Body));
        var stranger = weir.Client(tokens.Issue(_other.OwnerId, "other@example.test"));
        (await new RawClient(stranger, $"/mcp/agents/{weir.World.AgentId}/{_name}").CallAsync(
            "echo", """{"path":"/data/x"}""")).Body.ShouldNotContain("\"ok\"");
        (await Own($"/mcp/agents/{weir.World.AgentId}/{_name}").ModernAsync("tools/list")).Status.ShouldBe(HttpStatusCode.Unauthorized);
        (_mine.Calls, _theirs.Calls).ShouldBe((1, 0));

        await weir.World.RevokeAsync(_instance);
        (await one.CallAsync("echo", """{"path":"/data/x"}""")).ErrorCode.ShouldBe(-32602);
    }

    private RawClient Own(string path = "/mcp") => new(weir.Client(weir.World.AgentKey), path);

    private RawClient Other(string path = "/mcp") => new(weir.Client(_other.AgentKey), path);

    /// <summary>The server's tools in an agent's list, in order, by their own names.</summary>
    private async Task<string[]> ToolsAsync(string key, string path, string prefix)
    {
        var answer = await new RawClient(weir.Client(key), path).ModernAsync("tools/list");
        return
        [
            .. answer.Json.GetProperty("result").GetProperty("tools").EnumerateArray().Select(t => t.GetProperty("name").GetString()!)
                .Where(n => n.StartsWith(prefix, StringComparison.Ordinal)).Select(n => n[prefix.Length..]).Order(StringComparer.Ordinal),
        ];
    }
}
