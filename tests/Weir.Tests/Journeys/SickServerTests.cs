using System.Net;
using Weir.Configuration;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys;

/// <summary>A replica with short limits, for servers that misbehave.</summary>
public sealed class ImpatientWeir(TestCluster cluster) : RunningWeir(cluster)
{
    private protected override WeirConfig Configure(WeirConfig config) =>
        config with { Mcp = config.Mcp with { CallTimeoutSeconds = 1, MaxResponseBytes = 100_000 } };
}

/// <summary>One sick server harms only its own calls, and the audit log says how they ended.</summary>
public sealed class SickServerTests(ImpatientWeir weir) : IClassFixture<ImpatientWeir>, IAsyncLifetime
{
    private OddServer _server = null!;
    private string _name = "";

    public async ValueTask InitializeAsync()
    {
        _server = await OddServer.StartAsync();
        (_name, _) = await weir.AddReadyAsync(_server.Url, """{"tools": {"*": {}}}""");
    }

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    [Theory]
    [InlineData("hang", 1012, "timeout")]
    [InlineData("nonsense", 1013, "upstream_error")]
    [InlineData("html", 1013, "upstream_error")]
    [InlineData("huge", 1013, "upstream_error")]
    [InlineData("other_id", 1013, "upstream_error")]
    [InlineData("drop", 1015, "upstream_error")]
    [InlineData("ask", 1013, "upstream_error")]
    public async Task A_server_that_misbehaves_is_an_error_that_names_the_instance_and_a_row(string tool, int code, string outcome)
    {
        var answer = await Raw().CallAsync($"{_name}__{tool}");
        answer.Status.ShouldBe(HttpStatusCode.OK);
        answer.ErrorCode.ShouldBe(code, answer.Body);
        answer.ErrorMessage.ShouldContain(_name);
        answer.Body.ShouldNotContain("secret-of-the-server");
        answer.Json.GetProperty("error").GetProperty("data").GetProperty("retryable").GetBoolean().ShouldBeFalse("the tool may have run");
        await Until.AsyncTrue(async () => (await weir.LogAsync()).Any(r => r.Instance == _name && r.Item == tool && r.Outcome == outcome),
            "the outcome's row");
        (await Raw().CallAsync($"{_name}__echo")).Body.ShouldContain("\"ok\"");
    }

    [Fact]
    public async Task A_servers_own_error_is_passed_on_as_it_is()
    {
        var answer = await Raw().CallAsync($"{_name}__error");
        answer.ErrorCode.ShouldBe(-32000);
        answer.Json.GetProperty("error").GetProperty("data").GetProperty("k").GetInt32().ShouldBe(1);
        await Until.AsyncTrue(
            async () => (await weir.LogAsync()).Any(r => r.Instance == _name && r.Item == "error" && r.Outcome == "protocol_error"),
            "the outcome's row");
    }

    [Fact]
    public async Task A_server_that_went_away_is_named_and_one_that_came_back_serves()
    {
        var port = _server.Url.Port;
        (await Raw().CallAsync($"{_name}__echo")).Body.ShouldContain("\"ok\"");
        await _server.DisposeAsync();
        var gone = await Raw().CallAsync($"{_name}__echo");
        gone.ErrorCode.ShouldBe(1015, gone.Body);
        gone.ErrorMessage.ShouldContain(_name);
        _server = await OddServer.StartAsync(port);
        (await Raw().CallAsync($"{_name}__echo")).Body.ShouldContain("\"ok\"");
    }

    [Theory]
    [InlineData("""{"tools":[1]}""")]
    [InlineData("""{"tools":[{"name":"\ud800"}]}""")]
    [InlineData("""{"tools":"none"}""")]
    [InlineData("[]")]
    [InlineData("7")]
    public async Task A_server_that_lies_in_its_list_ends_nobody_elses_refresh(string lie)
    {
        await using var liar = await OddServer.StartAsync();
        liar.Lie = lie;
        await weir.World.AddRemoteAsync("l" + Guid.CreateVersion7(TimeProvider.System.GetUtcNow()).ToString("N")[18..], liar.Url);
        await weir.AddReadyAsync(_server.Url, """{"tools": {"*": {}}}""");
    }

    [Fact]
    public async Task A_list_never_waits_for_a_server()
    {
        await using var slow = await OddServer.StartAsync();
        var (name, id) = await weir.AddReadyAsync(slow.Url, """{"tools": {"*": {}}}""");
        slow.HangsOnList = true;
        await weir.Database.Superuser.ExecuteAsync(
            "update public.mcp_server_instances set refreshed_at = now() - interval '1 day' where id = $1", [Sql.Uuid(id)],
            CancellationToken.None);
        await Until.True(() => slow.HangingLists == 1, "Weir itself waits for the server's list");

        var list = await Raw().ModernAsync("tools/list");
        list.Body.ShouldContain($"{name}__echo");
        list.Body.ShouldContain($"{_name}__echo");
        (await Raw().CallAsync($"{name}__echo")).Body.ShouldContain("\"ok\"");
        slow.HangingLists.ShouldBe(1, "the server still had not answered");
    }

    private RawClient Raw() => new(weir.Client(weir.World.AgentKey));
}
