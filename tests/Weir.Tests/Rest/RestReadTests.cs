using System.Net;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Rest;

/// <summary>Tables and views: what a person may see, chosen, filtered, ordered and cut as PostgREST does it.</summary>
public abstract class RestReadSuite(RestWorld weir)
{
    [Theory]
    [InlineData("name=eq.c03", "c03")]
    [InlineData("name=neq.c03&name=in.(c03,c04)", "c04")]
    [InlineData("name=gt.c11", "c12,general")]
    [InlineData("name=gte.c12&name=lt.d", "c12")]
    [InlineData("name=lte.c02", "c01,c02")]
    [InlineData("name=like.c*2", "c02,c12")]
    [InlineData("name=like.c%252", "c02,c12")]
    [InlineData("name=ilike.GEN*", "general")]
    [InlineData("name=in.(c01,\"c02\",nothing)", "c01,c02")]
    [InlineData("name=in.()", "")]
    [InlineData("name=not.like.c*", "general")]
    [InlineData("name=not.in.(general)&name=lt.c03", "c01,c02")]
    [InlineData("name=eq(any).{c01,c05}", "c01,c05")]
    [InlineData("name=like(all).{c*,*1}", "c01,c11")]
    [InlineData("name=isdistinct.general&name=gt.c11", "c12")]
    [InlineData("id=is.null", "")]
    [InlineData("id=not.is.null&name=eq.c01", "c01")]
    [InlineData("id=is.not_null&name=eq.c01", "c01")]
    [InlineData("or=(name.eq.c01,name.eq.c02)", "c01,c02")]
    [InlineData("or=(name.eq.general,and(name.gt.c01,name.lt.c04))", "c02,c03,general")]
    [InlineData("and=(name.gte.c01,name.lte.c03,not.or(name.eq.c01,name.eq.c02))", "c03")]
    [InlineData("not.or=(name.like.c*,name.eq.x)", "general")]
    [InlineData("or=(name.in.(c01,c02),name.not.gte.c02)", "c01,c02")]
    public async Task A_filter_chooses(string query, string names)
    {
        var reply = await weir.GetAsync("chat_channels?select=name&order=name&" + query);

        reply.Status.ShouldBe(HttpStatusCode.OK, reply.Body);
        string.Join(',', reply.Column("name")).ShouldBe(names);
    }

    [Theory]
    [InlineData("content=eq.one, two", 1)]
    [InlineData("content=in.(\"one, two\",\"a \\\"quoted\\\" (word)\",\"back\\\\slash\")", 3)]
    [InlineData("or=(content.eq.\"one, two\",content.eq.\"a \\\"quoted\\\" (word)\")", 2)]
    [InlineData("content=like.100%25", 1)]
    public async Task A_value_with_commas_quotes_brackets_and_backslashes_is_that_value(string query, int count)
    {
        var reply = await weir.GetAsync("chat_messages?select=id&" + string.Join('&', query.Split('&').Select(p => p.Replace(" ", "%20"))));

        reply.Status.ShouldBe(HttpStatusCode.OK, reply.Body);
        reply.Json.GetArrayLength().ShouldBe(count);
    }

    [Fact]
    public async Task Columns_are_chosen_renamed_and_cast()
    {
        var reply = await weir.GetAsync("organizations?select=label:name,max_agents::text,is_active");

        var row = reply.Json.EnumerateArray().ShouldHaveSingleItem();
        row.EnumerateObject().Select(p => p.Name).ShouldBe(["label", "max_agents", "is_active"]);
        row.GetProperty("max_agents").GetString().ShouldBe("200");
    }

    [Theory]
    [InlineData("id=is.NULL", "")]
    [InlineData("id=not.is.Null&name=eq.c01", "c01")]
    [InlineData("id=is.NOT_NULL&name=eq.c01", "c01")]
    [InlineData("or=(id.is.NULL,name.eq.c01)", "c01")]
    [InlineData("\"name\"=eq.c01", "c01")]
    [InlineData("or=(\"name\".eq.c01,name.eq.c02)", "c01,c02")]
    [InlineData("name=eq.c01&columns=name,id&on_conflict=name", "c01")]
    [InlineData("name=eq.c01&limit=undefined&offset=NaN", "c01")]
    [InlineData("name=eq.c01&limit=&offset=", "c01")]
    [InlineData("name=eq.c01&columns=%22no%20such%22&on_conflict=", "c01")]
    public async Task R11_a_filter_is_read_by_postgrests_rules(string query, string names)
    {
        var reply = await weir.GetAsync("chat_channels?select=name&order=\"name\".asc&" + query);

        reply.Status.ShouldBe(HttpStatusCode.OK, reply.Body);
        string.Join(',', reply.Column("name")).ShouldBe(names);
    }

    [Theory]
    [InlineData("permissions->>content-type")]
    [InlineData("permissions->tools->-1")]
    [InlineData("permissions->>\"first%20name\"")]
    public async Task R11_a_path_may_have_a_dash_a_negative_index_and_quotes(string path)
    {
        (await weir.GetAsync($"agent_mcp_permissions?select=a:{path}")).Status.ShouldBe(HttpStatusCode.OK);
        (await weir.GetAsync($"agent_mcp_permissions?select=id&{path}=is.null")).Status.ShouldBe(HttpStatusCode.OK);
    }

    [Theory]
    [InlineData("\"name\"", "name")]
    [InlineData("\"name\",is_active", "name,is_active")]
    [InlineData("label:\"name\"", "label")]
    [InlineData("\"label\":name", "label")]
    [InlineData("my-label:name", "my-label")]
    [InlineData("the%20label:name", "the label")]
    [InlineData("\"the $ label\":name", "the $ label")]
    [InlineData("\"name\"::text", "name")]
    [InlineData("name,name", "name")]
    [InlineData("id,name,id", "name,id")]
    public async Task R11_columns_may_be_quoted_and_selected_twice(string select, string members)
    {
        var reply = await weir.GetAsync($"organizations?select={select}");

        reply.Status.ShouldBe(HttpStatusCode.OK, reply.Body);
        string.Join(',', reply.Json.EnumerateArray().ShouldHaveSingleItem().EnumerateObject().Select(p => p.Name)).ShouldBe(members);
    }

    [Fact]
    public async Task R11_all_columns_and_one_of_them_again_are_all_columns_and_the_last_of_one_name_counts()
    {
        var all = (await weir.GetAsync("organizations?select=*")).Json[0];
        var again = (await weir.GetAsync("organizations?select=*,name")).Json[0];
        var renamed = (await weir.GetAsync("organizations?select=*,name:id")).Json[0];

        again.EnumerateObject().Select(p => p.Name).Order().ShouldBe(all.EnumerateObject().Select(p => p.Name).Order());
        again.GetProperty("name").GetString().ShouldBe(all.GetProperty("name").GetString());
        renamed.GetProperty("name").GetString().ShouldBe(all.GetProperty("id").GetString());
    }

    [Theory]
    [InlineData("name=eq.a&id=eq.abc&created_at=gt.2026-01-01", "It is about id (uuid).")]
    [InlineData(
        "name=in.(a,b)&workspace_id=in.(01900000-0000-7000-8000-000000000001,x)&created_at=gt.now", "It is about workspace_id (uuid).")]
    [InlineData("name=like.a*&created_at=gt.soon&id=not.is.null", "It is about created_at (timestamp with time zone).")]
    [InlineData("or=(name.eq.a,and(id.eq.1,created_at.lt.2026-01-01))", "It is about id (uuid).")]
    [InlineData("id=eq.x&created_at=eq.y", "It is about id (uuid), created_at (timestamp with time zone).")]
    [InlineData("id=eq(any).{x}&name=eq.a", "It is about id (uuid).")]
    public async Task R11_of_several_filters_the_one_with_a_bad_value_is_named(string query, string details)
    {
        var reply = await weir.GetAsync("chat_channels?" + query);

        reply.Status.ShouldBe(HttpStatusCode.BadRequest, reply.Body);
        reply.Json.GetProperty("details").GetString().ShouldBe(details);
    }

    [Fact]
    public async Task A_path_goes_into_a_json_column()
    {
        var server = new Uri("http://127.0.0.1:9");
        await weir.World.GrantAsync(
            await weir.World.AddRemoteAsync("paths", server), """{"tools": {"read": {}}, "resources": ["file:///a"]}""");

        var reply = await weir.GetAsync(
            "agent_mcp_permissions?select=permissions->resources->>0,tools:permissions->tools&permissions->resources->>0=eq.file:///a&"
                + "order=permissions->>tools.desc");
        var contained = await weir.GetAsync("agent_mcp_permissions?select=id&permissions=cs.{\"tools\":{\"read\":{}}}");

        reply.Body.ShouldBe("""[{"resources":"file:///a","tools":{"read": {}}}]""");
        contained.Json.GetArrayLength().ShouldBe(1);
    }

    [Fact]
    public async Task Rows_are_ordered_and_cut()
    {
        (await weir.GetAsync("chat_channels?select=name&order=name.desc&limit=2&offset=1")).Column("name").ShouldBe(["c12", "c11"]);
        (await weir.GetAsync("chat_channels?select=name&order=created_at.desc.nullslast,name.asc&limit=1")).Column("name")
            .ShouldBe(["c12"]);
        (await weir.GetAsync("chat_channels?limit=0")).Body.ShouldBe("[]");
    }

    [Fact]
    public async Task No_answer_has_more_rows_than_the_configuration_allows()
    {
        (await weir.GetAsync("chat_channels")).Json.GetArrayLength().ShouldBe(RestWorld.MaxRows);
        (await weir.GetAsync("chat_channels?limit=100000")).ContentRange.ShouldBe("0-9/*");
    }

    [Theory]
    [InlineData("chat_channels?limit=3&offset=2", null, HttpStatusCode.PartialContent, "2-4/13")]
    [InlineData("chat_channels?select=name", "4-5", HttpStatusCode.PartialContent, "4-5/13")]
    [InlineData("chat_channels?name=eq.c01", null, HttpStatusCode.OK, "0-0/1")]
    [InlineData("chat_channels?name=eq.none", null, HttpStatusCode.OK, "*/0")]
    [InlineData("chat_channels?offset=13", null, HttpStatusCode.PartialContent, "*/13")]
    public async Task A_count_comes_in_content_range(string path, string? range, HttpStatusCode status, string contentRange)
    {
        var reply = await weir.GetAsync(path, null, [("Prefer", "count=exact"), .. range is null ? [] : new[] { ("Range", range) }]);

        reply.Status.ShouldBe(status, reply.Body);
        reply.ContentRange.ShouldBe(contentRange);
        reply.Headers["Preference-Applied"].ShouldBe("count=exact");
    }

    [Fact]
    public async Task A_range_that_nothing_can_satisfy_is_416()
    {
        (await weir.GetAsync("chat_channels?offset=14", null, ("Prefer", "count=exact"))).ShouldBeError(
            HttpStatusCode.RequestedRangeNotSatisfiable, "PGRST103");
        (await weir.GetAsync("chat_channels?limit=-1")).ShouldBeError(HttpStatusCode.RequestedRangeNotSatisfiable, "PGRST103");
        (await weir.GetAsync("chat_channels", null, ("Range", "9-1"))).ShouldBeError(
            HttpStatusCode.RequestedRangeNotSatisfiable, "PGRST103");
        (await weir.GetAsync("chat_channels?offset=14")).ContentRange.ShouldBe("*/*");
    }

    [Fact]
    public async Task A_head_request_has_the_headers_and_no_body()
    {
        var reply = await weir.SendAsync(HttpMethod.Head, "chat_channels?select=*", null, weir.OwnerToken, ("Prefer", "count=exact"));

        reply.Status.ShouldBe(HttpStatusCode.PartialContent);
        reply.ContentRange.ShouldBe("0-9/13");
        reply.Body.ShouldBeEmpty();
    }

    [Fact]
    public async Task One_object_is_one_row_or_406()
    {
        (string, string) accept = ("Accept", "application/vnd.pgrst.object+json");

        var one = await weir.GetAsync("chat_channels?select=name&name=eq.c01", null, accept);
        one.Body.ShouldBe("""{"name":"c01"}""");
        one.Headers["Content-Type"].ShouldBe("application/vnd.pgrst.object+json; charset=utf-8");
        var none = await weir.GetAsync("chat_channels?name=eq.none", null, accept);
        none.ShouldBeError(HttpStatusCode.NotAcceptable, "PGRST116");
        none.Json.GetProperty("details").GetString().ShouldBe("The result contains 0 rows");
        (await weir.GetAsync("chat_channels?name=like.c*", null, accept)).ShouldBeError(HttpStatusCode.NotAcceptable, "PGRST116");
    }

    [Fact]
    public async Task Nulls_are_left_out_where_asked()
    {
        var reply = await weir.GetAsync(
            "agents?select=id,instructions&limit=1", null, ("Accept", "application/vnd.pgrst.array+json;nulls=stripped"));

        reply.Json[0].TryGetProperty("instructions", out _).ShouldBeFalse();
        reply.Headers["Content-Type"].ShouldStartWith("application/vnd.pgrst.array+json; nulls=stripped");
    }

    [Fact]
    public async Task A_star_is_the_columns_that_are_granted()
    {
        var (_, _) = await weir.World.CreateAgentAsync("keyed");

        var reply = await weir.GetAsync("agent_api_keys?select=*&limit=1");

        reply.Json[0].TryGetProperty("key_id", out _).ShouldBeTrue(reply.Body);
        reply.Json[0].TryGetProperty("secret_hash", out _).ShouldBeFalse();
    }

    [Theory]
    [InlineData("nothing", HttpStatusCode.NotFound, "PGRST205")]
    [InlineData("chat_channels?nothing=eq.1", HttpStatusCode.BadRequest, "42703")]
    [InlineData("chat_channels?select=nothing", HttpStatusCode.BadRequest, "42703")]
    [InlineData("chat_channels?order=nothing", HttpStatusCode.BadRequest, "42703")]
    [InlineData("chat_channels?id=eq.abc", HttpStatusCode.BadRequest, "22P02")]
    [InlineData("chat_channels?id=in.(abc)", HttpStatusCode.BadRequest, "22P02")]
    [InlineData("chat_channels?created_at=gt.yesterday-ish", HttpStatusCode.BadRequest, "22007")]
    [InlineData("chat_channels?created_at=gt.99999999-01-01", HttpStatusCode.BadRequest, "22008")]
    [InlineData("organizations?max_agents=eq.99999999999999", HttpStatusCode.BadRequest, "22003")]
    [InlineData("organizations?name=is.true", HttpStatusCode.BadRequest, "42804")]
    [InlineData("chat_channels?id=like.a*", HttpStatusCode.NotFound, "42883")]
    [InlineData("chat_channels?name=like.c0%5C", HttpStatusCode.BadRequest, "22025")]
    [InlineData("chat_channels?select=name::int", HttpStatusCode.BadRequest, "22P02")]
    [InlineData("chat_channels?select=name::regclass", HttpStatusCode.BadRequest, "PGRST100")]
    [InlineData("chat_channels?select=name->a", HttpStatusCode.BadRequest, "PGRST100")]
    [InlineData("chat_channels?name=c01", HttpStatusCode.BadRequest, "PGRST100")]
    [InlineData("chat_channels?name=fts.c01", HttpStatusCode.BadRequest, "PGRST100")]
    [InlineData("chat_channels?name=in.c01", HttpStatusCode.BadRequest, "PGRST100")]
    [InlineData("chat_channels?name=in.(c01", HttpStatusCode.BadRequest, "PGRST100")]
    [InlineData("chat_channels?name=is.nil", HttpStatusCode.BadRequest, "PGRST100")]
    [InlineData("chat_channels?or=(name.eq.1", HttpStatusCode.BadRequest, "PGRST100")]
    [InlineData("chat_channels?or=()", HttpStatusCode.BadRequest, "PGRST100")]
    [InlineData("chat_channels?order=name.up", HttpStatusCode.BadRequest, "PGRST100")]
    [InlineData("chat_channels?limit=1&limit=2", HttpStatusCode.BadRequest, "PGRST100")]
    public async Task What_cannot_be_answered_says_so_with_postgrests_code(string path, HttpStatusCode status, string code) =>
        (await weir.GetAsync(path)).ShouldBeError(status, code);

    [Fact]
    public async Task A_strict_client_hears_of_a_preference_that_is_not_known()
    {
        (await weir.GetAsync("agents", null, ("Prefer", "handling=strict, count=never"))).ShouldBeError(
            HttpStatusCode.BadRequest, "PGRST122");
        (await weir.GetAsync("agents", null, ("Prefer", "count=never"))).Status.ShouldBe(HttpStatusCode.OK);
    }
}

public sealed class RestReadTests(RestWorld weir) : RestReadSuite(weir), IClassFixture<RestWorld>;

/// <summary>The same on a database as a Supabase project's.</summary>
public sealed class RestReadOnSupabaseTests(SupabaseRestWorld weir) : RestReadSuite(weir), IClassFixture<SupabaseRestWorld>;
