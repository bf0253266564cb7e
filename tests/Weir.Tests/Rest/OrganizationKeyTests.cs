using System.Net;
using System.Text.Json;
using Weir.Identity;
using Weir.Postgres;
using Weir.Tests.Journeys;

namespace Weir.Tests.Rest;

/// <summary>A key of an organization reads what its scopes say, as that organization and in no other way.</summary>
public sealed class OrganizationKeyTests(RestWorld weir) : IClassFixture<RestWorld>
{
    [Fact]
    public async Task It_reads_the_record_of_its_organization_and_the_reading_is_in_it_first()
    {
        var (key, id) = await MakeAsync("audit.read");

        var reply = await weir.RpcAsync("read_audit", """{"limit": 1000}""", key, ("apikey", key));

        reply.Status.ShouldBe(HttpStatusCode.OK, reply.Body);
        var rows = reply.Json.GetProperty("rows").EnumerateArray().ToArray();
        rows.Length.ShouldBeGreaterThan(5);
        (Text(rows[0], "interaction_type"), Text(rows[0], "actor_kind"), Text(rows[0], "key_id"), Text(rows[0], "item")).ShouldBe(
            ("admin_read", "key", id, "read_audit"));
        reply.Body.ShouldNotContain(RestWorld.OtherSecret);
        var page = await weir.RpcAsync("read_audit",
            $$"""{"organization_id": "{{weir.World.OrganizationId}}", "filter": {"interaction_type": "admin_read"}, "limit": 1}""", key);
        page.Json.GetProperty("rows").GetArrayLength().ShouldBe(1);
        page.Json.GetProperty("next").ValueKind.ShouldBe(JsonValueKind.Object);
    }

    [Fact]
    public async Task It_reads_the_servers_without_address_or_configuration_and_the_usage_by_the_hour()
    {
        var (key, _) = await MakeAsync("servers.read", "usage.read");
        await weir.Database.Superuser.ExecuteAsync(
            """
            insert into public.usage_hourly (organization_id, hour, agent_id, instance_id, calls, denied) values
            ($1, '2026-01-02T03:00Z', $3, $3, 7, 2), ($2, '2026-01-02T03:00Z', $3, $3, 8, 0) on conflict do nothing
            """,
            [Sql.Uuid(weir.World.OrganizationId), Sql.Uuid(weir.OtherOrganizationId), Sql.Uuid(weir.World.AgentId)],
            CancellationToken.None);

        var servers = await weir.GetAsync("rpc/read_servers", key);
        servers.Status.ShouldBe(HttpStatusCode.OK, servers.Body);
        var server = servers.Json.GetProperty("rows").EnumerateArray().Single();
        (Text(server, "id"), Text(server, "instance_name"), Text(server, "status")).ShouldBe(($"{weir.ServerId}", "one", "pending"));
        servers.Body.ShouldNotContain("example.org");
        servers.Body.ShouldNotContain("configuration");

        var usage = await weir.RpcAsync("read_usage", """{"since": "2026-01-02T00:00:00Z", "until": "2026-01-03T00:00:00Z"}""", key);
        usage.Json.GetProperty("rows").EnumerateArray().Select(r => (r.GetProperty("calls").GetInt32(), r.GetProperty("denied").GetInt32()))
            .ShouldBe([(7, 2)]);
        (await weir.RpcAsync("read_usage", """{"since": "2020-01-02T00:00:00Z"}""", key)).ShouldBeError(HttpStatusCode.BadRequest, "WR001");
    }

    [Fact]
    public async Task What_its_scopes_do_not_say_is_refused_and_recorded()
    {
        var (key, id) = await MakeAsync("servers.read");

        foreach (var function in new[] { "read_audit", "read_usage" })
        {
            (await weir.RpcAsync(function, "{}", key)).ShouldBeError(HttpStatusCode.Forbidden, "WR003");
        }

        (await weir.Database.Superuser.ScalarAsync<long>(
            "select count(*) from public.mcp_interaction_logs where key_id = $1 and phase = 'denied' and reason = 'forbidden' and "
                + "actor_kind = 'key'", [Sql.Text(id)], CancellationToken.None)).ShouldBe(2);
    }

    [Theory]
    [InlineData("GET", "agents")]
    [InlineData("GET", "usage_hourly?select=calls")]
    [InlineData("GET", "mcp_server_instances")]
    [InlineData("POST", "rpc/create_agent")]
    [InlineData("POST", "rpc/get_organization_mcp_configs")]
    [InlineData("POST", "rpc/authenticate_organization_key")]
    [InlineData("POST", "rpc/nothing")]
    [InlineData("POST", "/functions/v1/chat")]
    public async Task A01_it_opens_nothing_else_and_is_told_what_it_is_for(string method, string path)
    {
        var (key, _) = await MakeAsync("audit.read", "servers.read", "usage.read");

        var reply = await weir.SendAsync(new HttpMethod(method), path, method == "POST" ? "{}" : null, key);

        reply.ShouldBeError(HttpStatusCode.Forbidden, "WR003");
        reply.Hint!.ShouldEndWith($"See {RestWorld.PublicUrl}/docs/rest#keys-of-an-organization");
    }

    [Fact]
    public async Task Nor_is_it_an_agent()
    {
        var (key, _) = await MakeAsync("audit.read");
        foreach (var path in new[] { "/mcp", "/mcp/one", $"/mcp/agents/{weir.World.AgentId}" })
        {
            var reply = await weir.SendAsync(HttpMethod.Post, path, """{"jsonrpc":"2.0","id":1,"method":"ping"}""", key);
            var error = reply.Json.GetProperty("error");
            error.GetProperty("message").GetString()!.ShouldStartWith("This is an organization's key");
            error.GetProperty("data").GetProperty("weir").GetString().ShouldBe("WR003");
            error.GetProperty("data").GetProperty("hint").GetString()!.ShouldEndWith(
                $"See {RestWorld.PublicUrl}/docs/rest#keys-of-an-organization");
        }
    }

    [Fact]
    public async Task A01_another_organization_is_to_it_one_that_is_not_there()
    {
        var (key, _) = await MakeAsync("audit.read", "servers.read", "usage.read");
        foreach (var function in new[] { "read_audit", "read_servers", "read_usage" })
        {
            var foreign = await weir.RpcAsync(function, $$"""{"organization_id": "{{weir.OtherOrganizationId}}"}""", key);
            var none = await weir.RpcAsync(function, $$"""{"organization_id": "{{Guid.Empty}}"}""", key);

            foreign.ShouldBeError(HttpStatusCode.NotFound, "WR004");
            foreign.Body.ShouldBe(none.Body);
        }
    }

    [Fact]
    public async Task A16_revoked_expired_of_an_inactive_organization_or_with_another_secret_it_is_nobody_s()
    {
        var (revoked, id) = await MakeAsync("servers.read");
        await weir.World.CallAsync("select public.revoke_organization_api_key($1)", Sql.Text(id));
        var (expired, expiredId) = await MakeAsync("servers.read");
        // A key is not changed, so the guard stands aside.
        await ExecuteAsync("alter table public.organization_api_keys disable trigger a_guard_organization_key");
        await ExecuteAsync("update public.organization_api_keys set expires_at = now() where key_id = $1", Sql.Text(expiredId));
        await ExecuteAsync("alter table public.organization_api_keys enable trigger a_guard_organization_key");
        var (inactive, otherId, secret) = OrganizationKey.Create();
        await weir.Database.Users.CallAsync(
            weir.OtherOwnerId, "select public.create_organization_api_key($1, 'k', $2, $3, array['servers.read'])",
            [Sql.Uuid(weir.OtherOrganizationId), Sql.Text(otherId), Sql.Text(secret)], CancellationToken.None);
        (await weir.RpcAsync("read_servers", "{}", inactive)).Status.ShouldBe(HttpStatusCode.OK);
        await ExecuteAsync("update public.organizations set platform_stopped_at = now() where id = $1", Sql.Uuid(weir.OtherOrganizationId));
        var refused = await weir.RpcAsync("read_servers", "{}", OrganizationKey.Create().Text);

        foreach (var key in new[] { revoked, expired, inactive })
        {
            var reply = await weir.RpcAsync("read_servers", "{}", key);
            reply.ShouldBeError(HttpStatusCode.Unauthorized, "WR002");
            reply.Body.ShouldBe(refused.Body);
        }

        await ExecuteAsync("update public.organizations set platform_stopped_at = null where id = $1", Sql.Uuid(weir.OtherOrganizationId));
    }

    [Fact]
    public async Task Arguments_that_do_not_fit_are_named_as_anybody_s()
    {
        var (key, _) = await MakeAsync("audit.read", "usage.read");
        (await weir.RpcAsync("read_audit", """{"org": 1}""", key)).ShouldBeError(HttpStatusCode.NotFound, "PGRST202");
        (await weir.RpcAsync("read_audit", """{"limit": "many"}""", key)).ShouldBeError(HttpStatusCode.BadRequest, "22P02");
        (await weir.RpcAsync("read_audit", """{"limit": 0}""", key)).ShouldBeError(HttpStatusCode.BadRequest, "WR001");
        (await weir.RpcAsync("read_audit", """{"filter": {"x": 1}}""", key)).ShouldBeError(HttpStatusCode.BadRequest, "WR001");
        (await weir.RpcAsync("read_audit", """{"organization_id": "x"}""", key)).ShouldBeError(HttpStatusCode.BadRequest, "22P02");
        (await weir.RpcAsync("read_usage", """{"since": "infinity"}""", key)).ShouldBeError(HttpStatusCode.BadRequest, "WR001");
        (await weir.GetAsync("rpc/read_audit", key)).ShouldBeError(HttpStatusCode.MethodNotAllowed, "25006");
    }

    [Theory]
    [InlineData("""{"filter": {"a": "\u0000"}}""")]
    [InlineData("""{"filter": {"a": "\ud800"}}""")]
    [InlineData("""{"filter": {"\u0000": 1}}""")]
    public async Task F08_what_PostgreSQL_cannot_hold_is_refused_before_a_made_up_key_reaches_it(string body)
    {
        (await weir.RpcAsync("read_audit", body, OrganizationKey.Create().Text)).ShouldBeError(HttpStatusCode.BadRequest, "PGRST102");
        (await weir.GetAsync("rpc/read_usage?since=%00", OrganizationKey.Create().Text)).Status.ShouldBe(HttpStatusCode.BadRequest);
    }

    [Fact]
    public async Task Unmodified_supabase_js_reads_with_it()
    {
        var (key, _) = await MakeAsync("audit.read", "servers.read");

        var seen = await NodeScript.RunAsync("organization-key.mjs", [weir.Url.ToString(), key], node22: true);

        seen.GetProperty("audit").GetProperty("data").GetProperty("rows").GetArrayLength().ShouldBe(3);
        seen.GetProperty("servers").GetProperty("data").GetProperty("rows")[0].GetProperty("instance_name").GetString().ShouldBe("one");
        seen.GetProperty("usage").GetProperty("error").GetProperty("code").GetString().ShouldBe("WR003");
        seen.GetProperty("table").GetProperty("error").GetProperty("code").GetString().ShouldBe("WR003");
    }

    private static string? Text(JsonElement row, string name) => row.GetProperty(name).GetString();

    private Task ExecuteAsync(string sql, params Npgsql.NpgsqlParameter[] parameters) =>
        weir.Database.Superuser.ExecuteAsync(sql, parameters, CancellationToken.None);

    private async Task<(string Key, string Id)> MakeAsync(params string[] scopes)
    {
        var (text, id, secret) = OrganizationKey.Create();
        await weir.World.CallAsync(
            "select public.create_organization_api_key($1, 'nightly', $2, $3, $4)",
            Sql.Uuid(weir.World.OrganizationId), Sql.Text(id), Sql.Text(secret), Sql.Array(NpgsqlTypes.NpgsqlDbType.Text, scopes));
        return (text, id);
    }
}
