using System.Text.Json;
using System.Text.RegularExpressions;
using Weir.Identity;
using Weir.Postgres;
using Weir.Tests.Infrastructure;
using Weir.Tests.Journeys;

namespace Weir.Tests.Rest;

/// <summary>
/// An application that was written from the requirement's words alone has run once, with supabase-js as it is. A second person, a member,
/// shares a workspace with the world's agent and owns an agent of their own, in no workspace.
/// </summary>
public sealed class RequirementWorld(TestCluster cluster) : RestWorld(cluster)
{
    private const string Password = "a password for tests";

    private EchoServer? _server;

    /// <summary>What came back, by step.</summary>
    internal JsonElement Seen { get; private set; }

    internal string RunningName { get; private set; } = "";

    internal Guid RunningId { get; private set; }

    internal Guid DegradedId { get; private set; }

    internal Guid UngrantedId { get; private set; }

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        _server = await EchoServer.StartAsync();
        await Database.Owner.ExecuteAsync("select weir.set_setting('public_url', '\"https://weir.example\"')", [], CancellationToken.None);
        (RunningName, RunningId) = await AddReadyAsync(_server.Url, """{"tools": {"*": {}}}""");
        DegradedId = await AddDegradedAsync();
        UngrantedId = await World.AddRemoteAsync("ungranted", _server.Url);
        await Until.AsyncTrue(async () => await StatusAsync(UngrantedId) == "running", "the server that nobody was granted runs");
        var (member, own) = await AddMemberAsync();
        var given = JsonSerializer.Serialize(new
        {
            organization = World.OrganizationId,
            agent = World.AgentId,
            own,
            @operator = new { email = await AddOperatorAsync(), password = Password },
            pending = ServerId,
            running = RunningId,
            degraded = DegradedId,
            ungranted = UngrantedId,
        });
        Seen = await NodeScript.RunAsync("requirement.mjs", [Url.ToString(), AnonKey, OwnerToken, TokenOf(member), given], node22: true);
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        await _server!.DisposeAsync();
    }

    private async Task<string?> StatusAsync(Guid id) => (await Database.Superuser.QueryAsync(
        "select status from public.mcp_server_instances where id = $1", [Sql.Uuid(id)], r => r.GetString(0), CancellationToken.None))[0];

    /// <summary>One that ran, was granted, and is there no more.</summary>
    private async Task<Guid> AddDegradedAsync()
    {
        Guid id;
        await using (var gone = await EchoServer.StartAsync())
        {
            (_, id) = await AddReadyAsync(gone.Url, """{"tools": {"*": {}}}""");
        }

        await Database.Superuser.ExecuteAsync(
            "update public.mcp_server_instances set status = 'degraded' where id = $1 and status = 'running'",
            [Sql.Uuid(id)], CancellationToken.None);
        return id;
    }

    private async Task<(Guid Member, Guid Agent)> AddMemberAsync()
    {
        var member = await World.CreateUserAsync(Database);
        await Database.Superuser.ExecuteAsync(
            "insert into public.organization_members (organization_id, user_id, role) values ($1, $2, 'member')",
            [Sql.Uuid(World.OrganizationId), Sql.Uuid(member)], CancellationToken.None);
        await World.CallAsync(
            "select public.add_workspace_member($1, user_id => $2)", Sql.Uuid(World.WorkspaceId), Sql.Uuid(member));
        var agent = await Database.Users.CallAsync(
            member, "select public.create_agent($1, 'of a member')", [Sql.Uuid(World.OrganizationId)], CancellationToken.None);
        return (member, agent.GetProperty("id").GetGuid());
    }

    private async Task<string> AddOperatorAsync()
    {
        const string email = "operator@example.test";
        await Database.Owner.ExecuteAsync(
            "select weir.add_platform_admin(weir.create_user($1, $2))",
            [Sql.Text(email), Sql.Text(Logins.Hash(Password))], CancellationToken.None);
        return email;
    }
}

/// <summary>What the requirement's application saw; db/tests/1003_requirement.sql is one in SQL.</summary>
public sealed partial class RequirementTests(RequirementWorld weir) : IClassFixture<RequirementWorld>
{
    [Fact]
    public void An_application_of_the_requirements_words_runs()
    {
        Data("none").ToString().ShouldBe("[]");
        Data("nothingPermitted").ToString().ShouldBe("""[{"permissions":{},"expires_at":null}]""");
        Data("list").GetProperty("id").GetGuid().ShouldNotBe(Guid.Empty);
        JsonElement.DeepEquals(
            Data("permissions")[0].GetProperty("permissions"), JsonElement.Parse("""{"tools":{"echo":{},"list_*":{}}}""")).ShouldBeTrue();

        var config = Data("configs").EnumerateArray().Single(c => c.GetProperty("id").GetGuid() == weir.ServerId);
        config.GetProperty("instance_name").GetString().ShouldBe("one");
        config.GetProperty("status").GetString().ShouldBe("pending");
        config.GetProperty("endpoint_url").GetString().ShouldBe("https://weir.example/mcp/one");
        config.GetProperty("has_agent_access").ValueKind.ShouldBe(JsonValueKind.Null);
        config.GetProperty("configuration").GetProperty("max_retries").GetInt32().ShouldBe(1);
        var catalog = config.GetProperty("catalog_server");
        catalog.GetProperty("display_name").GetString().ShouldBe("one");
        foreach (var member in new[] { "name", "description", "version", "capabilities", "docker_image" })
        {
            catalog.TryGetProperty(member, out _).ShouldBeTrue(member);
        }

        Data("instances")[0].GetProperty("endpoint_url").GetString().ShouldBe("https://weir.example/mcp/one");
        Data("catalog").ValueKind.ShouldBe(JsonValueKind.Array);
        Data("agents")[0].GetProperty("user_id").GetGuid().ShouldBe(weir.World.OwnerId);
        Data("valid").GetBoolean().ShouldBeTrue();
        Data("nobody").GetBoolean().ShouldBeFalse();

        var created = Data("created");
        created.GetProperty("success").GetBoolean().ShouldBeTrue();
        created.GetProperty("status").GetString().ShouldBe("pending");
        created.GetProperty("operation_id").ValueKind.ShouldBe(JsonValueKind.Null);
        created.GetProperty("endpoint_url").GetString().ShouldBe("https://weir.example/mcp/theirs");
        Data("deployed").GetProperty("status").GetString().ShouldBe("deploying");
        Data("stopped").GetProperty("status").GetString().ShouldBe("stopping");
        Data("deleted").GetProperty("success").GetBoolean().ShouldBeTrue();
        Message("badName").ShouldEndWith("my-server would fit");
        Data("record").GetProperty("rows")[0].GetProperty("interaction_type").GetString().ShouldBe("lifecycle");
        Data("merged").GetProperty("rows").GetArrayLength().ShouldBe(1);
    }

    /// <summary>The lines of decision 140 where the requirement is not followed, each with what Weir does instead.</summary>
    private static Dictionary<string, Func<RequirementTests, Task>> Lines { get; } = new()
    {
        ["pending servers are listed for an agent"] = Sync(t =>
        {
            t.Data("ofAgent").EnumerateArray().Select(c => c.GetProperty("id").GetGuid())
                .ShouldBe([t.World.RunningId, t.World.DegradedId], ignoreOrder: true);
            t.Data("ofAgentForAdmin").EnumerateArray().Where(c => !c.GetProperty("has_agent_access").GetBoolean())
                .Select(c => c.GetProperty("id").GetGuid())
                .ShouldBe([t.World.UngrantedId], "an admin sees what the agent may not use, too");
            t.Data("valid").GetBoolean().ShouldBeTrue("the pending server was granted");
        }),
        ["the agent's owner writes its grants"] = Sync(t =>
        {
            t.Error("ownerOfAgentGrants").ShouldBe("403 WR003");
            t.Data("ownerOfAgentAsks").GetProperty("status").GetString().ShouldBe("open");
        }),
        ["only the owner passes `validate_mcp_access`"] = Sync(t =>
        {
            t.Data("validForMember").GetBoolean().ShouldBeTrue("they share a workspace with the agent");
            t.Data("validForOwnerOfAgent").GetBoolean().ShouldBeTrue();
            t.Data("validWithoutWorkspace").GetBoolean().ShouldBeFalse("the organization's owner shares no workspace with that agent");
        }),
        ["a grant whose expiry is null denies"] = async t =>
        {
            t.Data("forGood").ToString().ShouldBe("""[{"permissions":{"tools":{"echo":{}}},"expires_at":null}]""");
            var agent = new RawClient(t.World.Client(t.World.World.AgentKey));
            var answer = await agent.CallAsync($"{t.World.RunningName}__echo", """{"message":"for good"}""");
            answer.Body.ShouldContain("for good");
            (await t.World.LogAsync()).Where(r => r.Instance == t.World.RunningName).Select(r => r.Phase).ShouldContain("requested");
        },
        ["`running` decides access"] = Sync(t =>
        {
            t.Data("validDegraded").GetBoolean().ShouldBeTrue();
            t.Data("validUngranted").GetBoolean().ShouldBeFalse();
            t.Data("statuses").EnumerateArray().Select(s => (s.GetProperty("id").GetGuid(), s.GetProperty("status").GetString()))
                .ShouldBe([(t.World.DegradedId, "degraded"), (t.World.UngrantedId, "running")], ignoreOrder: true);
            t.Data("ofAgent").EnumerateArray().Single(c => c.GetProperty("id").GetGuid() == t.World.DegradedId)
                .GetProperty("has_agent_access").GetBoolean().ShouldBeTrue();
        }),
        ["an image is named by a tag"] = Sync(t =>
        {
            foreach (var step in new[] { "tag", "digest" })
            {
                t.Error(step).ShouldBe("400 WR001");
                t.Message(step).ShouldContain("docker_image");
            }

            t.Error("movingVersion").ShouldBe("400 WR001");
            t.Data("exactVersion").GetProperty("state").GetString().ShouldBe("published");
        }),
        ["the log's table is read directly"] = Sync(t => t.Seen("logTable").GetProperty("error").ToString().ShouldContain("read_audit")),
        ["everybody calls `audit_mcp_interactions`"] = Sync(t => t.Error("forgedRecord").ShouldBe("404 PGRST202")),
        ["a vault's id stands in `configuration`"] = Sync(t =>
        {
            t.Error("vault").ShouldBe("400 WR001");
            t.Message("vault").ShouldContain("refers to a secret of a vault");
            t.Error("payload").ShouldBe("400 WR001");
        }),
        ["`get_secret` returns the value"] = Sync(t => t.Error("secret").ShouldBe("404 PGRST202")),
    };

    public static TheoryData<string> LinesNotFollowed => [.. Lines.Keys];

    [Theory]
    [MemberData(nameof(LinesNotFollowed))]
    public Task Where_the_requirement_is_not_followed_Weir_does_as_decision_140_says(string line) => Lines[line](this);

    [Fact]
    public void Decision_140_has_these_lines_and_no_others() =>
        Row().Matches(File.ReadAllText(Repository.PathOf("docs/decisions/0140-shapes-of-the-requirement.md")))
            .Select(m => m.Groups["line"].Value).Skip(1).ShouldBe(Lines.Keys);

    private RequirementWorld World => weir;

    private JsonElement Seen(string step) => weir.Seen.GetProperty(step);

    private JsonElement Data(string step)
    {
        Seen(step).GetProperty("error").ValueKind.ShouldBe(JsonValueKind.Null, $"{step}: {Seen(step)}");
        return Seen(step).GetProperty("data");
    }

    private string Error(string step) =>
        $"{Seen(step).GetProperty("status").GetInt32()} {Seen(step).GetProperty("error").GetProperty("code").GetString()}";

    private string Message(string step) => Seen(step).GetProperty("error").GetProperty("message").GetString()!;

    private static Func<RequirementTests, Task> Sync(Action<RequirementTests> assert) => test =>
    {
        assert(test);
        return Task.CompletedTask;
    };

    /// <summary>The first column of a table; the line of dashes is none.</summary>
    [GeneratedRegex(@"^\| (?<line>[^|-][^|]*?) \|", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Row();
}
