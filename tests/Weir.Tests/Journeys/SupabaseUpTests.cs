using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.IdentityModel.Tokens;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys;

/// <summary>`weir up` on a Supabase project's database, for somebody who signed up there.</summary>
public sealed class UpOnSupabase : RunningUp
{
    private IReadOnlyList<string> _verification = ["--jwt-secret", SupabaseProject.JwtSecret];

    public SupabaseProject Project { get; private set; } = null!;

    public Guid Owner { get; private set; }

    /// <summary>What is Supabase's own, before Weir saw it.</summary>
    public string Untouched { get; private set; } = "";

    private protected override IReadOnlyDictionary<string, string> Variables => new Dictionary<string, string>
    {
        ["WEIR_DATABASE_URL"] = Project.GatewayUrl,
        ["WEIR_ENGINE_DATABASE_URL"] = Project.EngineUrl,
        ["WEIR_OWNER_DATABASE_URL"] = Project.OwnerUrl,
        ["WEIR_AUTH_ISSUER"] = SupabaseProject.Issuer,
    };

    private protected override IReadOnlyList<string> Options => ["--owner-user", Owner.ToString(), .. _verification];

    public override async ValueTask InitializeAsync()
    {
        Project = await SupabaseProject.StartAsync();
        Owner = await Project.SignUpAsync();
        Untouched = await Project.DumpOfSupabasesOwnAsync();
        await base.InitializeAsync();
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        await Project.DisposeAsync();
    }

    /// <summary>Stops it and starts it again on the same database.</summary>
    /// <param name="verification">How it verifies people's tokens from now on; none: as before.</param>
    internal async Task RestartAsync(params string[] verification)
    {
        (await StopAsync()).ShouldBe(0);
        _verification = verification is [] ? _verification : verification;
        await StartAsync();
    }

    /// <summary>A start on a data directory of its own, that is to fail.</summary>
    internal Task<(int ExitCode, string Output, string Errors)> TryAnotherAsync(string directory, params string[] options) =>
        RunAsync(Variables, ["up", "--json", "--data", directory, .. options]);

    /// <summary>The demo's servers, each with its state, and where it has failed the reason.</summary>
    internal async Task<IReadOnlyList<string>> ServersAsync()
    {
        await using var superuser = Project.Superuser;
        return await superuser.QueryAsync(
            "select concat_ws(' ', instance_name, status, last_error) from public.mcp_server_instances order by instance_name", [],
            r => r.GetString(0), CancellationToken.None);
    }

    internal RawClient Agent() => new(Client(this["agentKey"]));

    /// <summary>One message to the demo's agent, with that token.</summary>
    internal async Task<(HttpStatusCode Status, string Body)> ChatAsync(string token)
    {
        using var client = Client(token);
        using var response = await client.PostAsJsonAsync(
            this["chat"], new { agentId = this["agentId"], channelId = this["channelId"], message = "what files are in the demo folder?" });
        return (response.StatusCode, await response.Content.ReadAsStringAsync());
    }

    internal HttpClient Client(string bearer)
    {
        // The tests speak to Weir from outside; the product's egress is not theirs.
#pragma warning disable RS0030
        var client = new HttpClient { BaseAddress = new Uri(this["url"]) };
#pragma warning restore RS0030
        client.DefaultRequestHeaders.Authorization = new("Bearer", bearer);
        return client;
    }
}

/// <summary>People and their tokens are the project's, everything else is as on any database.</summary>
public sealed class SupabaseUpTests(UpOnSupabase up) : IClassFixture<UpOnSupabase>
{
    [Fact]
    public void What_up_cannot_know_is_null_and_the_rest_is_there()
    {
        up.Report.EnumerateObject().Where(member => member.Value.ValueKind == JsonValueKind.Null).Select(member => member.Name)
            .ShouldBe(["anonKey", "userToken", "email", "password"]);
        up["databaseUrl"].ShouldBe(up.Project.GatewayUrl);
        up["ownerDatabaseUrl"].ShouldBe(up.Project.OwnerUrl);
    }

    [Fact]
    public async Task No_login_is_made_the_owner_is_who_was_named_and_nothing_of_supabases_is_touched()
    {
        await using var superuser = up.Project.Superuser;
        (await superuser.QueryAsync("select id from auth.users", [], r => r.GetGuid(0), CancellationToken.None)).ShouldBe([up.Owner]);
        (await superuser.QueryAsync(
            "select user_id, role from public.organization_members", [], r => (r.GetGuid(0), r.GetString(1)), CancellationToken.None))
            .ShouldBe([(up.Owner, "owner")]);
        (await superuser.QueryAsync(
            "select user_id from weir.platform_admins", [], r => r.GetGuid(0), CancellationToken.None)).ShouldBeEmpty();
        (await up.Project.DumpOfSupabasesOwnAsync()).ShouldBe(up.Untouched);

        using var client = up.Client("");
        using var signIn =
            await client.PostAsJsonAsync("/auth/v1/token?grant_type=password", new { email = "a@example.test", password = "p" });
        signIn.StatusCode.ShouldBe(HttpStatusCode.NotFound, "people sign in with the project");
    }

    [Fact]
    public async Task The_agents_key_calls_a_tool_and_is_held_to_its_rule()
    {
        (await up.ServersAsync()).ShouldBe(["everything running", "filesystem running", "memory running"]);
        (await ListDemoFolderAsync(up.DemoFolder)).Body.ShouldContain("[FILE] welcome.txt");
        (await ListDemoFolderAsync(up.DemoFolder + "/..")).ErrorCode.ShouldBe(1011);
    }

    [Fact]
    public async Task The_projects_token_of_the_owner_chats_and_lists_and_nobody_elses_does()
    {
        var (status, body) = await up.ChatAsync(SupabaseProject.Token(up.Owner));
        status.ShouldBe(HttpStatusCode.OK, body);
        body.ShouldContain("welcome.txt");
        (await ToolsAsync(SupabaseProject.Token(up.Owner))).Body.ShouldContain("filesystem__list_directory");

        // Somebody with a good token of the project, and no member of the organization.
        var stranger = SupabaseProject.Token(Guid.Parse("01900000-0000-7000-8000-00000000dead"));
        (await up.ChatAsync(stranger)).Status.ShouldBe(HttpStatusCode.NotFound);
        (await ToolsAsync(stranger)).Body.ShouldNotContain("filesystem__list_directory");
    }

    [Fact]
    public async Task A08_the_projects_service_role_and_anon_keys_are_refused_everywhere()
    {
        foreach (var token in (string[])
        [
            SupabaseProject.Token(null, "service_role"), SupabaseProject.Token(up.Owner, "service_role"),
            SupabaseProject.Token(null, "anon"), SupabaseProject.Token(up.Owner, "anon"),
        ])
        {
            (await up.ChatAsync(token)).Status.ShouldBe(HttpStatusCode.Unauthorized);
            (await ToolsAsync(token)).Status.ShouldBe(HttpStatusCode.Unauthorized);
            (await new RawClient(up.Client(token)).ModernAsync("tools/list")).Status.ShouldBe(HttpStatusCode.Unauthorized);
        }
    }

    [Fact]
    public async Task The_chat_command_takes_the_projects_token_and_without_one_says_so()
    {
        var with = await RunningUp.RunAsync(
            "chat", "what files are in the demo folder?", "--data", up.Directory, "--token", SupabaseProject.Token(up.Owner));
        (with.ExitCode, with.Output.Contains("welcome.txt", StringComparison.Ordinal)).ShouldBe(
            (0, true), with.Errors + string.Join("; ", await up.ServersAsync()));
        var without = await RunningUp.RunAsync("chat", "hello", "--data", up.Directory);
        (without.ExitCode, without.Errors.Trim()).ShouldBe((2, "weir: --token: it must be given, for people sign in elsewhere."));
    }

    [Fact]
    public async Task A_second_start_finds_everything_again()
    {
        string[] kept = ["agentId", "agentKey", "organizationId", "workspaceId", "channelId"];
        var before = kept.Select(member => up[member]).ToArray();
        await up.RestartAsync();
        kept.Select(member => up[member]).ShouldBe(before);
        (await up.ServersAsync()).ShouldBe(["everything running", "filesystem running", "memory running"]);
        (await ListDemoFolderAsync(up.DemoFolder)).Body.ShouldContain("[FILE] welcome.txt");
        (await up.ChatAsync(SupabaseProject.Token(up.Owner))).Status.ShouldBe(HttpStatusCode.OK);
        await using var superuser = up.Project.Superuser;
        (await superuser.ScalarAsync<long>("select count(*) from public.organizations", [], CancellationToken.None)).ShouldBe(1);
    }

    [Fact]
    public async Task With_the_projects_published_keys_their_tokens_are_taken_and_the_secrets_no_more()
    {
        using var key = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP256);
        var signing = new SigningCredentials(new ECDsaSecurityKey(key) { KeyId = "k1" }, SecurityAlgorithms.EcdsaSha256);
        await using var issuer = await JwksServer.StartAsync(key, "k1");
        await up.RestartAsync("--jwks", issuer.Url.ToString());
        try
        {
            (await up.ChatAsync(SupabaseProject.Token(up.Owner, credentials: signing))).Status.ShouldBe(HttpStatusCode.OK);
            (await up.ChatAsync(SupabaseProject.Token(up.Owner, "service_role", signing))).Status.ShouldBe(HttpStatusCode.Unauthorized);
            (await up.ChatAsync(SupabaseProject.Token(up.Owner))).Status.ShouldBe(HttpStatusCode.Unauthorized);
        }
        finally
        {
            await up.RestartAsync("--jwt-secret", SupabaseProject.JwtSecret);
        }
    }

    [Fact]
    public async Task An_owner_whom_the_project_does_not_know_is_one_line()
    {
        var directory = Directory.CreateTempSubdirectory("weir-nobody-").FullName;
        try
        {
            var nobody = "01900000-0000-7000-8000-00000000beef";
            var (code, output, errors) =
                await up.TryAnotherAsync(directory, "--owner-user", nobody, "--jwt-secret", SupabaseProject.JwtSecret);
            (code, output).ShouldBe((1, ""));
            errors.Trim().Split('\n').Last()
                .ShouldBe($"weir: The database has no user {nobody}. Name one of the project's with --owner-user.");
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private Task<RawAnswer> ListDemoFolderAsync(string path) =>
        up.Agent().CallAsync("filesystem__list_directory", JsonSerializer.Serialize(new { path }));

    private Task<RawAnswer> ToolsAsync(string token) =>
        new RawClient(up.Client(token), $"/mcp/agents/{up["agentId"]}").ModernAsync("tools/list");
}
