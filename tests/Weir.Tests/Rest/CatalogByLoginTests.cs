using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Weir.Identity;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Rest;

/// <summary>The catalog by login, as supabase-js calls it: who publishes, with which sign-in, and what a block does to calls.</summary>
public sealed class CatalogByLoginTests(RestWorld weir) : IClassFixture<RestWorld>
{
    private const string Password = "a password for tests";

    [Fact]
    public async Task A_platform_admin_who_has_just_signed_in_publishes_withdraws_blocks_and_unblocks()
    {
        var (_, token) = await SignInAsync(isAdmin: true);
        var slug = NewSlug();

        (await PublishAsync(slug, token)).Json.GetProperty("state").GetString().ShouldBe("published");
        (await CallAsync("withdraw_catalog_server", new { slug }, token)).Json.GetProperty("versions")[0].GetString().ShouldBe("1.0.0");
        (await StateAsync(slug, token)).ShouldBe("withdrawn");
        (await PublishAsync(slug, token)).Json.GetProperty("state").GetString().ShouldBe("published");
        (await CallAsync("block_catalog_server", new { slug, version = "1.0.0", reason = "It leaks." }, token)).Status.ShouldBe(
            HttpStatusCode.OK);
        (await StateAsync(slug, token)).ShouldBe("blocked");
        (await PublishAsync(slug, token)).Json.GetProperty("state").GetString().ShouldBe("blocked", "only unblock ends a block");
        (await CallAsync("unblock_catalog_server", new { slug }, token)).Status.ShouldBe(HttpStatusCode.OK);
        (await StateAsync(slug, token)).ShouldBe("published");
    }

    [Fact]
    public async Task Nobody_else_publishes_whatever_they_hold()
    {
        var (_, member) = await SignInAsync(isAdmin: false);
        var (key, keyId, secret) = OrganizationKey.Create();
        await weir.World.CallAsync(
            "select public.create_organization_api_key($1, 'k', $2, $3, '{servers.read}')", Sql.Uuid(weir.World.OrganizationId),
            Sql.Text(keyId), Sql.Text(secret));
        var slug = NewSlug();

        (await PublishAsync(slug, weir.OwnerToken)).ShouldBeError(HttpStatusCode.Forbidden, "WR003");
        (await PublishAsync(slug, member)).ShouldBeError(HttpStatusCode.Forbidden, "WR003");
        foreach (var token in new[] { weir.World.AgentKey, key, weir.AnonKey })
        {
            ((int)(await PublishAsync(slug, token)).Status).ShouldBeInRange(400, 499);
        }

        (await weir.Database.Superuser.ScalarAsync<long>(
            "select count(*) from public.mcp_server_catalog where slug = $1", [Sql.Text(slug)], CancellationToken.None)).ShouldBe(0);
    }

    [Fact]
    public async Task A_sign_in_of_sixteen_minutes_ago_publishes_nothing_and_hears_what_to_do()
    {
        var (user, token) = await SignInAsync(isAdmin: true);
        var slug = NewSlug();
        (await PublishAsync(slug, weir.TokenOf(user))).ShouldBeError(HttpStatusCode.Forbidden, "WR003");
        await weir.Database.Superuser.ExecuteAsync(
            "update weir.sign_ins set created_at = created_at - interval '16 minutes' where user_id = $1", [Sql.Uuid(user)],
            CancellationToken.None);
        var refreshed = await PostAuthAsync(
            "token?grant_type=refresh_token", new { refresh_token = _sessions[token].GetProperty("refresh_token").GetString() });

        var reply = await PublishAsync(slug, refreshed.GetProperty("access_token").GetString()!);

        reply.ShouldBeError(HttpStatusCode.Forbidden, "WR003");
        reply.Json.GetProperty("hint").GetString().ShouldBe("Sign in again, then repeat the request.");
    }

    [Fact]
    public async Task A_published_version_is_not_changed_and_the_answer_names_what_differs()
    {
        var (_, token) = await SignInAsync(isAdmin: true);
        var slug = NewSlug();
        await PublishAsync(slug, token);

        (await PublishAsync(slug, token)).Status.ShouldBe(HttpStatusCode.OK);
        var reply = await PublishAsync(slug, token, bin: "other");

        reply.ShouldBeError(HttpStatusCode.Conflict, "WR005");
        reply.Json.GetProperty("message").GetString()!.ShouldStartWith("entry.bin: only the description of a published version can change");
    }

    [Fact]
    public async Task A_blocked_server_is_in_no_list_and_its_call_is_denied_with_one_text_and_its_own_reason_in_the_record()
    {
        var (_, token) = await SignInAsync(isAdmin: true);
        await using var server = await EchoServer.StartAsync();
        var (name, id) = await weir.AddReadyAsync(server.Url, """{"tools": {"echo": {}}}""");
        var agent = new RawClient(weir.Client(weir.World.AgentKey));
        var slug = NewSlug();
        await PublishAsync(slug, token);
        // The same server, as if it were of the catalog: nothing is forwarded to it any more.
        await weir.Database.Superuser.ExecuteAsync(
            "update public.mcp_server_instances set url = null, catalog_server_id = (select id from public.mcp_server_catalog where slug = "
                + "$2) where id = $1",
            [Sql.Uuid(id), Sql.Text(slug)], CancellationToken.None);
        (await agent.ModernAsync("tools/list")).Body.ShouldContain($"{name}__echo");

        await CallAsync("block_catalog_server", new { slug, reason = "It steals tokens." }, token);

        await Until.AsyncTrue(async () => !(await agent.ModernAsync("tools/list")).Body.Contains($"{name}__echo", StringComparison.Ordinal),
            "a list without the blocked server");
        var denied = await agent.CallAsync($"{name}__echo", """{"message":"x"}""");
        (denied.ErrorCode, denied.ErrorMessage).ShouldBe((1003, "The operator has blocked this server."));
        denied.Body.ShouldNotContain("steals");
        await Until.AsyncTrue(
            async () => (await weir.LogAsync()).Any(r => r.Instance == name && r.Reason == "catalog_blocked"), "the denial's row");
        var all = await weir.GetAsync($"mcp_server_catalog?select=state,block_reason&slug=eq.{slug}");
        all.Json[0].GetProperty("block_reason").GetString().ShouldBe("It steals tokens.", "an admin sees why");
    }

    private readonly Dictionary<string, JsonElement> _sessions = [];

    private static string NewSlug() => "s" + Guid.CreateVersion7(TimeProvider.System.GetUtcNow()).ToString("N");

    private Task<RestReply> CallAsync(string function, object body, string token) =>
        weir.RpcAsync(function, JsonSerializer.Serialize(body), token);

    private Task<RestReply> PublishAsync(string slug, string token, string bin = "tried") => CallAsync(
        "publish_catalog_server",
        new { entry = new { slug, version = "1.0.0", display_name = "Tried", transport = "stdio", package = "tried", bin } },
        token);

    private async Task<string?> StateAsync(string slug, string token) =>
        (await weir.GetAsync($"mcp_server_catalog?select=state&slug=eq.{slug}", token)).Json[0].GetProperty("state").GetString();

    private async Task<(Guid User, string Token)> SignInAsync(bool isAdmin)
    {
        var email = $"{NewSlug()}@example.test";
        var user = await weir.Database.Owner.ScalarAsync<Guid>(
            "select weir.create_user($1, $2)", [Sql.Text(email), Sql.Text(Logins.Hash(Password))], CancellationToken.None);
        if (isAdmin)
        {
            await weir.Database.Owner.ExecuteAsync("select weir.add_platform_admin($1)", [Sql.Uuid(user)], CancellationToken.None);
        }

        var session = await PostAuthAsync("token?grant_type=password", new { email, password = Password });
        var token = session.GetProperty("access_token").GetString()!;
        _sessions[token] = session;
        return (user, token);
    }

    private async Task<JsonElement> PostAuthAsync(string path, object body)
    {
        using var client = weir.Client();
        using var response = await client.PostAsJsonAsync("/auth/v1/" + path, body);
        response.StatusCode.ShouldBe(HttpStatusCode.OK);
        return await response.Content.ReadFromJsonAsync<JsonElement>();
    }
}
