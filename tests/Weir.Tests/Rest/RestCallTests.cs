using System.Net;

namespace Weir.Tests.Rest;

/// <summary>Published functions, by name and with named arguments.</summary>
public abstract class RestCallSuite(RestWorld weir)
{
    [Fact]
    public async Task A_function_that_writes_answers_with_its_value()
    {
        var reply = await weir.RpcAsync("create_agent", $$"""{"organization_id": "{{weir.World.OrganizationId}}", "name": "by rpc"}""");

        reply.Status.ShouldBe(HttpStatusCode.OK, reply.Body);
        var id = reply.Json.GetProperty("id").GetString();
        (await weir.GetAsync($"agents?id=eq.{id}&select=name")).Column("name").ShouldBe(["by rpc"]);
    }

    [Fact]
    public async Task A_table_function_answers_with_rows_that_can_be_chosen_filtered_ordered_and_counted()
    {
        var body = $$"""{"p_channel_id": "{{weir.World.ChannelId}}", "limit": 4}""";

        (await weir.RpcAsync("get_chat_messages_with_details", body)).Json.GetArrayLength().ShouldBe(4);
        var chosen = await weir.RpcAsync("get_chat_messages_with_details?select=text:content&order=content&limit=1&sender=eq.user", body,
            null, ("Prefer", "count=exact"));
        chosen.Body.ShouldBe("""[{"text":"100%"}]""");
        chosen.ContentRange.ShouldBe("0-0/4");
        (await weir.RpcAsync("get_chat_messages_with_details?content=eq.100%25", body, null,
            ("Accept", "application/vnd.pgrst.object+json"))).Json.GetProperty("content").GetString().ShouldBe("100%");
    }

    [Fact]
    public async Task What_only_reads_can_be_asked_by_get_and_what_writes_cannot()
    {
        var path = $"rpc/get_chat_messages_with_details?p_channel_id={weir.World.ChannelId}&limit=50&select=content&content=like.back*";

        (await weir.GetAsync(path)).Column("content").ShouldBe(["back\\slash"]);
        (await weir.GetAsync(
            $"rpc/explain_mcp_access?agent_id={weir.World.AgentId}&mcp_server_instance_id={weir.World.AgentId}&arguments={{\"a\":1}}")).ShouldBeError(HttpStatusCode.NotFound, "WR004");
        (await weir.GetAsync("rpc/create_organization?name=by-get")).ShouldBeError(HttpStatusCode.MethodNotAllowed, "25006");
        (await weir.GetAsync("organizations?name=eq.by-get")).Body.ShouldBe("[]");
        (await weir.SendAsync(HttpMethod.Put, "rpc/create_organization", "{}", weir.OwnerToken)).ShouldBeError(
            HttpStatusCode.MethodNotAllowed, "PGRST101");
    }

    [Fact]
    public async Task A_scalar_is_its_json() =>
        (await weir.RpcAsync("validate_mcp_access",
            $$"""{"agent_id": "{{weir.World.AgentId}}", "mcp_server_instance_id": "{{weir.World.AgentId}}"}""")).Body.ShouldBe("false");

    [Theory]
    [InlineData(
        "create_channel", """{"workspace_id": "01900000-0000-7000-8000-00000000dead", "name": "x"}""", HttpStatusCode.NotFound, "WR004")]
    [InlineData("create_organization", """{"name": ""}""", HttpStatusCode.BadRequest, "WR001")]
    [InlineData("create_organization", """{"name": null}""", HttpStatusCode.BadRequest, "WR001")]
    [InlineData("get_organization_mcp_configs", """{"org_id": "01900000-0000-7000-8000-00000000dead"}""", HttpStatusCode.NotFound, "WR004")]
    [InlineData("create_channel", """{"workspace_id": "abc", "name": "x"}""", HttpStatusCode.BadRequest, "22P02")]
    [InlineData("create_channel", """{"workspace_id": {"a": 1}, "name": "x"}""", HttpStatusCode.BadRequest, "22P02")]
    [InlineData("get_chat_messages_with_details", """{"p_channel_id": "01900000-0000-7000-8000-00000000dead", "limit": 99999999999}""",
        HttpStatusCode.BadRequest, "22003")]
    [InlineData("create_organization", """{"name": "a\u0000b"}""", HttpStatusCode.BadRequest, "22P05")]
    [InlineData("create_organization", """{"name": "\ud800"}""", HttpStatusCode.BadRequest, "22P02")]
    [InlineData("create_organization", """{"nom": "x"}""", HttpStatusCode.NotFound, "PGRST202")]
    [InlineData("create_organization", """{"name": "x", "more": 1}""", HttpStatusCode.NotFound, "PGRST202")]
    [InlineData("create_organization", "{}", HttpStatusCode.NotFound, "PGRST202")]
    [InlineData("create_organization", "", HttpStatusCode.NotFound, "PGRST202")]
    [InlineData("nothing", "{}", HttpStatusCode.NotFound, "PGRST202")]
    [InlineData("create_organization", "[{\"name\": \"x\"}]", HttpStatusCode.BadRequest, "PGRST102")]
    [InlineData("create_organization", "{\"name\"", HttpStatusCode.BadRequest, "PGRST102")]
    [InlineData("create_organization", """{"name": "x", "name": "y"}""", HttpStatusCode.BadRequest, "PGRST102")]
    [InlineData("create_organization", """{"name": "x", "\ud800": "y"}""", HttpStatusCode.BadRequest, "PGRST102")]
    [InlineData("get_organization_mcp_configs?nothing=eq.1", """{"org_id": "01900000-0000-7000-8000-00000000dead"}""",
        HttpStatusCode.BadRequest, "42703")]
    public async Task A_refusal_has_its_status_and_code(string function, string body, HttpStatusCode status, string code) =>
        (await weir.RpcAsync(function, body)).ShouldBeError(status, code);

    [Fact]
    public async Task Wrong_arguments_are_told_which_there_are()
    {
        var reply = await weir.RpcAsync("create_organization", """{"nom": "x"}""");

        reply.Json.GetProperty("message").GetString()
            .ShouldBe("Could not find the function public.create_organization(nom) in the schema cache");
        reply.Hint.ShouldBe("Perhaps you meant to call the function public.create_organization(name, slug)");
    }

    [Fact]
    public async Task A06_a_request_that_was_decided_is_not_decided_again_and_never_by_another_tenant()
    {
        var agent =
            (await weir.RpcAsync("create_agent",
                $$"""{"organization_id": "{{weir.World.OrganizationId}}", "name": "asks"}""")).Json.GetProperty("id").GetString();
        var request =
            (await weir.RpcAsync(
                "request_mcp_access",
                $$$$"""{"agent_id": "{{{{agent}}}}", "mcp_server_instance_id": "{{{{weir.ServerId}}}}", "permissions": {"tools": {"x": """
                    + $$$$"""{}}} }""")).Json.GetProperty("id").GetString();
        var decision = $$"""{"request_id": "{{request}}", "grant": true}""";

        (await weir.RpcAsync("decide_permission_request", decision, weir.OtherToken)).ShouldBeError(HttpStatusCode.NotFound, "WR004");
        (await weir.RpcAsync("decide_permission_request", decision)).Status.ShouldBe(HttpStatusCode.OK);
        (await weir.RpcAsync("decide_permission_request", decision)).ShouldBeError(HttpStatusCode.Conflict, "WR005");
        (await weir.GetAsync($"agent_mcp_permissions?agent_id=eq.{agent}&select=id")).Json.GetArrayLength().ShouldBe(1);
    }

    [Fact]
    public async Task A_refusal_that_a_function_returned_keeps_what_it_recorded()
    {
        var before = (await weir.LogAsync()).Count(r => r.Reason == "not_found");

        (await weir.RpcAsync(
            "manage_mcp_servers",
            $$"""{"action": "stop", "organization_id": "{{weir.World.OrganizationId}}", "server_id":"""
                + $$""" "{{weir.OtherAgentId}}"}""")).ShouldBeError(HttpStatusCode.NotFound, "WR004");

        (await weir.LogAsync()).Count(r => r.Reason == "not_found").ShouldBe(before + 1);
    }

    [Fact]
    public async Task A_body_that_is_deep_or_large_or_not_json_is_refused()
    {
        var deep = "{\"name\": " + new string('[', 100) + new string(']', 100) + "}";
        (await weir.RpcAsync("create_organization", deep)).ShouldBeError(HttpStatusCode.BadRequest, "PGRST102");
        var large = $$"""{"name": "{{new string('x', 5 * 1024 * 1024)}}"}""";
        (await weir.RpcAsync("create_organization", large)).ShouldBeError(HttpStatusCode.RequestEntityTooLarge, "WR014");
        using var client = weir.Client(weir.OwnerToken);
        using var form = new FormUrlEncodedContent([KeyValuePair.Create("name", "x")]);
        using var response = await client.PostAsync("/rest/v1/rpc/create_organization", form);
        response.StatusCode.ShouldBe(HttpStatusCode.BadRequest);
    }
}

public sealed class RestCallTests(RestWorld weir) : RestCallSuite(weir), IClassFixture<RestWorld>;

/// <summary>The same on a database as a Supabase project's.</summary>
public sealed class RestCallOnSupabaseTests(SupabaseRestWorld weir) : RestCallSuite(weir), IClassFixture<SupabaseRestWorld>;
