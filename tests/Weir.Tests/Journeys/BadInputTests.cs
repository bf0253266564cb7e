using System.Net;
using System.Text;
using Weir.Identity;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys;

/// <summary>What is refused before anything is forwarded, and with which code.</summary>
public sealed class BadInputTests(RunningWeir weir) : IClassFixture<RunningWeir>, IAsyncLifetime
{
    private OddServer _server = null!;
    private string _name = "";
    private Guid _instance;

    public async ValueTask InitializeAsync()
    {
        _server = await OddServer.StartAsync();
        (_name, _instance) =
            await weir.AddReadyAsync(
                _server.Url, """{"tools": {"echo": {"args": {"path": {"type": "string", "under": "/data"}}, "other": "deny"}}}""");
    }

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    [Theory]
    [InlineData(null)]
    [InlineData("garbage")]
    [InlineData("weir_aaaaaaaaaaaaaaaa_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA_AAAAAA")]
    public async Task A_missing_or_malformed_key_is_401(string? key)
    {
        foreach (var path in (string[])["/mcp", "/mcp/" + _name, $"/mcp/agents/{weir.World.AgentId}"])
        {
            ShouldBeUnauthenticated(await new RawClient(weir.Client(key), path).ModernAsync("tools/list"));
        }
    }

    [Theory]
    [InlineData("tools/list")]
    [InlineData("tools/call")]
    [InlineData("server/discover")]
    public async Task A16_an_unknown_a_revoked_and_an_expired_key_are_401_everywhere(string method)
    {
        var unknown = AgentKey.Create().Text;
        var revoked = await weir.World.CreateKeyAsync(weir.World.AgentId);
        await weir.World.CallAsync("select public.revoke_agent_key($1)", Weir.Postgres.Sql.Text(AgentKey.Parse(revoked)!.Id));
        var end = TimeProvider.System.GetUtcNow().AddSeconds(1);
        var expired = await weir.World.CreateKeyAsync(weir.World.AgentId, end);
        await Until.True(() => TimeProvider.System.GetUtcNow() > end, "the key's end");
        foreach (var key in (string[])[unknown, revoked, expired])
        {
            var raw = new RawClient(weir.Client(key));
            var answer = method == "tools/call" ? await raw.CallAsync($"{_name}__echo") : await raw.ModernAsync(method);
            ShouldBeUnauthenticated(answer);
        }

        _server.Calls.ShouldBe(0);
    }

    /// <summary>One body, whoever refuses.</summary>
    private static void ShouldBeUnauthenticated(RawAnswer answer)
    {
        answer.Status.ShouldBe(HttpStatusCode.Unauthorized, answer.Body);
        answer.Headers.WwwAuthenticate.ShouldNotBeEmpty();
        answer.Json.GetProperty("jsonrpc").GetString().ShouldBe("2.0");
        answer.ErrorCode.ShouldBe(1002);
        answer.Json.GetProperty("error").GetProperty("data").GetProperty("weir").GetString().ShouldBe("WR002");
    }

    [Fact]
    public async Task An_unknown_an_ungranted_and_a_foreign_tool_read_the_same()
    {
        var (foreign, theirs) = await AddForeignAsync();
        (await theirs.CallAsync($"{foreign}__echo")).Body.ShouldContain("\"ok\"");
        _server.Calls.ShouldBe(1);

        var unknown = await ReadAsync("nothing__there");
        unknown.ErrorCode.ShouldBe(-32602);
        foreach (var tool in (string[])[$"{_name}__hang", $"{foreign}__echo", $"{foreign}__hang"])
        {
            var answer = await ReadAsync(tool);
            (answer.Status, answer.Body).ShouldBe((unknown.Status, unknown.Body));
        }

        _server.Calls.ShouldBe(1);
    }

    [Fact]
    public async Task A_foreign_server_and_one_that_is_not_there_read_the_same_on_their_own_paths()
    {
        var (foreign, _) = await AddForeignAsync();
        foreach (var method in (string[])["tools/list", "server/discover"])
        {
            var missing = await new RawClient(weir.Client(weir.World.AgentKey), "/mcp/missing").ModernAsync(method);
            var theirs = await new RawClient(weir.Client(weir.World.AgentKey), "/mcp/" + foreign).ModernAsync(method);
            missing.Status.ShouldBe(HttpStatusCode.NotFound);
            (theirs.Status, theirs.Body.Replace(foreign, "missing", StringComparison.Ordinal)).ShouldBe((missing.Status, missing.Body));
        }

        var call = await new RawClient(weir.Client(weir.World.AgentKey), "/mcp/" + foreign).CallAsync("echo");
        call.ErrorCode.ShouldBe(-32602);
        _server.Calls.ShouldBe(0);
    }

    [Theory]
    [InlineData("{", -32700)]
    [InlineData("not json", -32700)]
    [InlineData("[]", -32600)]
    [InlineData("""{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"a","name":"b"}}""", -32600)]
    [InlineData("""{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"a","arguments":{"p":"\u0000"}}}""", -32600)]
    public async Task Malformed_messages_get_the_protocols_code_and_a_record(string body, int code)
    {
        var before = (await weir.LogAsync()).Count(r => r.Reason == "invalid_request");
        var answer = await Raw().PostAsync(body, RawClient.ModernHeaders("tools/call", "a"));
        answer.Status.ShouldBe(HttpStatusCode.BadRequest);
        answer.ErrorCode.ShouldBe(code);
        (await weir.LogAsync()).Count(r => r.Reason == "invalid_request").ShouldBe(before + 1);
        _server.Calls.ShouldBe(0);
    }

    [Fact]
    public async Task A20_nesting_beyond_64_and_bodies_beyond_4_MiB_are_refused()
    {
        var deep = await Raw().CallAsync($"{_name}__echo", "{\"a\":" + new string('[', 70) + new string(']', 70) + "}");
        (deep.Status, deep.ErrorCode).ShouldBe((HttpStatusCode.BadRequest, -32600));
        var large = await Raw().CallAsync($"{_name}__echo", $"{{\"a\":\"{new string('x', 4 * 1024 * 1024)}\"}}");
        large.Status.ShouldBe(HttpStatusCode.RequestEntityTooLarge);
        _server.Calls.ShouldBe(0);
    }

    [Fact]
    public async Task A_chunked_body_beyond_the_limit_is_refused_too()
    {
        using var content = new StreamContent(new MemoryStream(new byte[5 * 1024 * 1024]));
        content.Headers.ContentType = new("application/json");
        content.Headers.ContentLength = null;
        var answer = await Raw().SendAsync(HttpMethod.Post, content, [("Transfer-Encoding", "chunked")]);
        answer.Status.ShouldBe(HttpStatusCode.RequestEntityTooLarge);
    }

    [Theory]
    [InlineData("text/plain")]
    [InlineData("application/xml")]
    [InlineData("application/json; charset=utf-16")]
    public async Task A_wrong_content_type_is_415(string type)
    {
        using var content = new ByteArrayContent("{}"u8.ToArray());
        content.Headers.TryAddWithoutValidation("Content-Type", type);
        var before = (await weir.LogAsync()).Count(r => r.Reason == "invalid_request");
        (await Raw().SendAsync(HttpMethod.Post, content)).Status.ShouldBe(HttpStatusCode.UnsupportedMediaType);
        (await weir.LogAsync()).Count(r => r.Reason == "invalid_request").ShouldBe(before + 1);
    }

    [Theory]
    [InlineData("application/json;q=0")]
    [InlineData("text/event-stream")]
    [InlineData("text/html")]
    public async Task An_accept_that_excludes_an_answer_is_406(string accept)
    {
        using var content = new StringContent("{}", Encoding.UTF8, "application/json");
        (await Raw().SendAsync(HttpMethod.Post, content, [("Accept", accept)])).Status.ShouldBe(HttpStatusCode.NotAcceptable);
    }

    [Theory]
    [InlineData("Origin", "https://evil.example")]
    [InlineData("Origin", "null")]
    [InlineData("Host", "evil.example")]
    [InlineData("Host", "localhost:1")]
    public async Task A17_a_foreign_origin_or_host_is_403(string header, string value)
    {
        using var content = new StringContent("{}", Encoding.UTF8, "application/json");
        (await Raw().SendAsync(HttpMethod.Post, content, [(header, value)])).Status.ShouldBe(HttpStatusCode.Forbidden);
    }

    [Theory]
    [InlineData("MCP-Protocol-Version", "2025-11-25", -32020)]
    [InlineData("Mcp-Method", "tools/list", -32020)]
    [InlineData("Mcp-Name", "another", -32020)]
    public async Task A18_headers_that_disagree_with_the_body_are_refused(string header, string value, int code)
    {
        var headers = RawClient.ModernHeaders("tools/call", $"{_name}__echo").Select(h => h.Name == header ? (header, value) : h);
        var body =
            $$"""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"{{_name}}__echo","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{} } } }""";
        var answer = await Raw().PostAsync(body, headers);
        (answer.Status, answer.ErrorCode).ShouldBe((HttpStatusCode.BadRequest, code));
        _server.Calls.ShouldBe(0);
    }

    [Fact]
    public async Task Refusals_of_nobody_in_particular_are_counted()
    {
        using var content = new StringContent("{}", Encoding.UTF8, "application/json");
        await Raw().SendAsync(HttpMethod.Post, content, [("Origin", "https://evil.example")]);
        await new RawClient(weir.Client("garbage")).ModernAsync("tools/list");
        await Until.AsyncTrue(
            async () => await weir.Database.Superuser.ScalarAsync<long>(
                "select count(distinct reason) from weir.security_events where reason in ('foreign_origin', 'no_key')", [],
                CancellationToken.None) == 2,
            "both counts are written");
    }

    [Fact]
    public async Task A23_an_unknown_version_names_the_supported_ones()
    {
        var answer = await Raw().PostAsync(
            """{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/"""
                + """protocolVersion":"2099-01-01","io.modelcontextprotocol/clientCapabilities":{}}}}""",
            [("MCP-Protocol-Version", "2099-01-01"), ("Mcp-Method", "tools/list")]);
        (answer.Status, answer.ErrorCode).ShouldBe((HttpStatusCode.BadRequest, -32022));
        answer.Json.GetProperty("error").GetProperty("data").GetProperty("supported")[0].GetString().ShouldBe("2026-07-28");
        answer.Json.GetProperty("error").GetProperty("data").GetProperty("requested").GetString().ShouldBe("2099-01-01");
    }

    [Fact]
    public async Task A_modern_method_that_is_not_there_is_404_and_a_legacy_one_a_json_rpc_error()
    {
        var modern = await Raw().ModernAsync("no/such");
        (modern.Status, modern.ErrorCode).ShouldBe((HttpStatusCode.NotFound, -32601));
        var session = await Raw().InitializeAsync();
        var legacy = await Raw().PostAsync("""{"jsonrpc":"2.0","id":1,"method":"no/such"}""", [session]);
        (legacy.Status, legacy.ErrorCode).ShouldBe((HttpStatusCode.OK, -32601));
    }

    [Fact]
    public async Task A_legacy_request_without_its_session_is_400_with_an_unknown_one_404_and_with_anothers_403()
    {
        const string Ping = """{"jsonrpc":"2.0","id":1,"method":"ping"}""";
        var session = await Raw().InitializeAsync();
        (await Raw().PostAsync(Ping, [session])).Status.ShouldBe(HttpStatusCode.OK);
        (await Raw().PostAsync(Ping)).Status.ShouldBe(HttpStatusCode.BadRequest);
        (await Raw().PostAsync(Ping, [("Mcp-Session-Id", session.Value[..^2] + "xx")])).Status.ShouldBe(HttpStatusCode.NotFound);
        var other = new RawClient(weir.Client(await weir.World.CreateKeyAsync(weir.World.AgentId)));
        (await other.PostAsync(Ping, [session])).Status.ShouldBe(HttpStatusCode.Forbidden);
    }

    [Theory]
    [InlineData("/.well-known/oauth-authorization-server")]
    [InlineData("/.well-known/oauth-protected-resource/mcp")]
    [InlineData("/register")]
    [InlineData("/authorize")]
    [InlineData("/token")]
    public async Task OAuth_paths_answer_a_json_404(string path)
    {
        using var response = await weir.Client().GetAsync(path);
        response.StatusCode.ShouldBe(HttpStatusCode.NotFound);
        response.Content.Headers.ContentType!.MediaType.ShouldBe("application/json");
    }

    [Fact]
    public async Task One_server_alone_keeps_its_names_and_a_server_that_is_not_granted_is_not_there()
    {
        var raw = new RawClient(weir.Client(weir.World.AgentKey), "/mcp/" + _name);
        var list = await raw.ModernAsync("tools/list");
        list.Json.GetProperty("result").GetProperty("tools").EnumerateArray().Select(t => t.GetProperty("name").GetString())
            .ShouldBe(["echo"]);
        (await raw.CallAsync("echo", """{"path":"/data/x"}""")).Body.ShouldContain("\"ok\"");
        (await raw.CallAsync("echo", """{"path":"/data/../x"}""")).ErrorCode.ShouldBe(1011);
        var missing = await new RawClient(weir.Client(weir.World.AgentKey), "/mcp/missing").ModernAsync("tools/list");
        missing.Status.ShouldBe(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task Revoking_the_grant_denies_the_very_next_call()
    {
        (await Raw().CallAsync($"{_name}__echo", """{"path":"/data/x"}""")).Body.ShouldContain("\"ok\"");
        await weir.World.RevokeAsync(_instance);
        var denied = await Raw().CallAsync($"{_name}__echo", """{"path":"/data/x"}""");
        denied.ErrorCode.ShouldBe(-32602);
        _server.Calls.ShouldBe(1);
    }

    [Fact]
    public async Task The_server_gets_the_very_bytes_of_the_arguments_and_nothing_of_the_callers_connection()
    {
        const string Arguments = """{ "path" : "/data/\u00e4" }""";
        await Raw().CallAsync($"{_name}__echo", Arguments);
        _server.LastBody.ShouldContain("\"arguments\":" + Arguments);
        _server.LastBody.ShouldNotContain("\"raw\"");
        _server.LastBody.ShouldNotContain(weir.World.AgentKey[..20]);
    }

    /// <summary>A server of another organization, which its own agent may use.</summary>
    private async Task<(string Name, RawClient Theirs)> AddForeignAsync()
    {
        var other = await World.CreateAsync(weir.Database);
        var name = "f" + Guid.CreateVersion7(TimeProvider.System.GetUtcNow()).ToString("N")[18..];
        await other.GrantAsync(await other.AddRemoteAsync(name, _server.Url), """{"tools": {"echo": {}}}""");
        var theirs = new RawClient(weir.Client(other.AgentKey));
        await Until.AsyncTrue(async () => (await theirs.ModernAsync("tools/list")).Body.Contains($"{name}__echo", StringComparison.Ordinal),
            "the catalog of " + name);
        return (name, theirs);
    }

    /// <summary>The answer to a call of that tool, without the tool's name.</summary>
    private async Task<RawAnswer> ReadAsync(string tool)
    {
        var answer = await Raw().CallAsync(tool);
        return answer with { Body = answer.Body.Replace(tool, "X", StringComparison.Ordinal) };
    }

    private RawClient Raw() => new(weir.Client(weir.World.AgentKey));
}
