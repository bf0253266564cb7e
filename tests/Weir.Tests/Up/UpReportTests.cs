using System.Text.Json;
using Weir.Server.Up;

namespace Weir.Tests.Up;

/// <summary>The line that programs read from `up --json`: issue 2 fixes its members.</summary>
public sealed class UpReportTests
{
    private static readonly string[] Members =
    [
        "url", "mcp", "chat", "agentId", "agentKey", "organizationId", "workspaceId", "channelId", "anonKey", "userToken", "email",
        "password",
        "databaseUrl", "ownerDatabaseUrl",
    ];

    [Fact]
    public void It_is_one_line_with_exactly_these_members_in_this_order()
    {
        var line = Full().ToJsonLine();
        line.ShouldNotContain('\n');
        JsonElement.Parse(line).EnumerateObject().Select(member => member.Name).ShouldBe(Members);
        JsonElement.Parse(line).EnumerateObject().ShouldAllBe(member => member.Value.ValueKind == JsonValueKind.String);
    }

    [Fact]
    public void What_it_cannot_know_is_null_and_not_missing()
    {
        var report = JsonElement.Parse((Full() with { AnonKey = null, UserToken = null, Email = null, Password = null }).ToJsonLine());
        report.EnumerateObject().Select(member => member.Name).ShouldBe(Members);
        report.EnumerateObject().Where(member => member.Value.ValueKind == JsonValueKind.Null).Select(member => member.Name)
            .ShouldBe(["anonKey", "userToken", "email", "password"]);
    }

    [Fact]
    public void A_url_is_written_as_it_is_pasted() =>
        (Full() with { DatabaseUrl = "postgresql://a:b+c@h/d?x=1&y=2" }).ToJsonLine().ShouldContain("\"postgresql://a:b+c@h/d?x=1&y=2\"");

    [Fact]
    public void People_are_told_of_no_login_that_is_not_there() =>
        (Full() with { Email = null, Password = null }).ToText().ShouldNotContain("login");

    [Fact]
    public void Where_people_sign_in_elsewhere_the_chat_command_is_shown_with_their_token()
    {
        (Full() with { UserToken = null }).ToText().ShouldContain("./weir chat --token TOKEN \"what");
        Full().ToText().ShouldContain("./weir chat \"what");
    }

    private static UpReport Full() => new()
    {
        Url = "http://127.0.0.1:1",
        Mcp = "http://127.0.0.1:1/mcp",
        Chat = "http://127.0.0.1:1/functions/v1/chat",
        AgentId = Guid.Empty,
        AgentKey = "weir_k",
        OrganizationId = Guid.Empty,
        WorkspaceId = Guid.Empty,
        ChannelId = Guid.Empty,
        AnonKey = "anon",
        UserToken = "token",
        Email = "a@example.org",
        Password = "p",
        DatabaseUrl = "postgresql://g@h/d",
        OwnerDatabaseUrl = "postgresql://o@h/d",
    };
}
