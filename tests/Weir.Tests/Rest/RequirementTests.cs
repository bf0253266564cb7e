using System.Text.Json;
using Weir.Postgres;
using Weir.Tests.Infrastructure;
using Weir.Tests.Journeys;

namespace Weir.Tests.Rest;

/// <summary>
/// An application that was written from the requirement's words alone, with supabase-js as it is; and each line of decision 140 where Weir
/// does not follow the requirement.
/// </summary>
public sealed class RequirementTests(RestWorld weir) : IClassFixture<RestWorld>
{
    [Fact]
    public async Task An_application_of_the_requirements_words_runs_and_is_refused_where_it_is_not_followed()
    {
        await weir.Database.Owner.ExecuteAsync("select weir.set_setting('public_url', '\"https://weir.example\"')", [], CancellationToken.None);
        var member = await World.CreateUserAsync(weir.Database);
        await weir.Database.Superuser.ExecuteAsync(
            "insert into public.organization_members (organization_id, user_id, role) values ($1, $2, 'member')",
            [Sql.Uuid(weir.World.OrganizationId), Sql.Uuid(member)], CancellationToken.None);
        var own = (await weir.Database.Users.CallAsync(
            member, "select public.create_agent($1, 'of a member')", [Sql.Uuid(weir.World.OrganizationId)], CancellationToken.None)).GetProperty("id").GetGuid();
        var ids = JsonSerializer.Serialize(new { organization = weir.World.OrganizationId, agent = weir.World.AgentId, own, server = weir.ServerId });

        var seen = await NodeScript.RunAsync("requirement.mjs", [weir.Url.ToString(), weir.AnonKey, weir.OwnerToken, weir.TokenOf(member), ids], node22: true);

        Data(seen, "none").ToString().ShouldBe("[]");
        Data(seen, "nothingPermitted").ToString().ShouldBe("""[{"permissions":{}}]""");
        Data(seen, "list").GetProperty("id").GetGuid().ShouldNotBe(Guid.Empty);
        JsonElement.DeepEquals(
            Data(seen, "permissions")[0].GetProperty("permissions"), JsonElement.Parse("""{"tools":{"echo":{},"list_*":{}}}""")).ShouldBeTrue();
        Data(seen, "permissions")[0].GetProperty("expires_at").ValueKind.ShouldBe(JsonValueKind.Null, "a grant without an end does not deny");

        var config = Data(seen, "configs").EnumerateArray().Single(c => c.GetProperty("id").GetGuid() == weir.ServerId);
        config.GetProperty("instance_name").GetString().ShouldBe("one");
        config.GetProperty("endpoint_url").GetString().ShouldBe("https://weir.example/mcp/one");
        config.GetProperty("has_agent_access").ValueKind.ShouldBe(JsonValueKind.Null);
        config.GetProperty("catalog_server").GetProperty("display_name").GetString().ShouldBe("one");
        config.GetProperty("configuration").GetProperty("max_retries").GetInt32().ShouldBe(1);
        Data(seen, "instances")[0].GetProperty("endpoint_url").GetString().ShouldBe("https://weir.example/mcp/one");
        Data(seen, "catalog").ValueKind.ShouldBe(JsonValueKind.Array);
        Data(seen, "agents")[0].GetProperty("user_id").GetGuid().ShouldBe(weir.World.OwnerId);
        Data(seen, "nobody").GetBoolean().ShouldBeFalse();
        seen.GetProperty("valid").GetProperty("error").ValueKind.ShouldBe(JsonValueKind.Null);

        var created = Data(seen, "created");
        (created.GetProperty("success").GetBoolean(), created.GetProperty("status").GetString(), created.GetProperty("operation_id").ValueKind)
            .ShouldBe((true, "pending", JsonValueKind.Null));
        created.GetProperty("endpoint_url").GetString().ShouldBe("https://weir.example/mcp/theirs");
        (Data(seen, "deployed").GetProperty("status").GetString(), Data(seen, "stopped").GetProperty("status").GetString(), Data(seen, "deleted").GetProperty("success").GetBoolean())
            .ShouldBe(("deploying", "stopping", true));
        seen.GetProperty("badName").GetProperty("error").GetProperty("message").GetString()!.ShouldEndWith("my-server would fit");
        Data(seen, "record").GetProperty("rows")[0].GetProperty("interaction_type").GetString().ShouldBe("lifecycle");
        Data(seen, "merged").GetProperty("rows").GetArrayLength().ShouldBe(1);

        Error(seen, "ownerOfAgentGrants").ShouldBe("403 WR003");
        seen.GetProperty("logTable").GetProperty("error").ToString().ShouldContain("read_audit");
        Error(seen, "forgedRecord").ShouldBe("404 PGRST202");
        seen.GetProperty("vault").GetProperty("error").GetProperty("message").GetString()!.ShouldContain("refers to a secret of a vault");
        Error(seen, "payload").ShouldBe("400 WR001");
        Error(seen, "secret").ShouldBe("404 PGRST202");
    }

    private static JsonElement Data(JsonElement seen, string step) => seen.GetProperty(step).GetProperty("data");

    private static string Error(JsonElement seen, string step) =>
        $"{seen.GetProperty(step).GetProperty("status").GetInt32()} {seen.GetProperty(step).GetProperty("error").GetProperty("code").GetString()}";
}
