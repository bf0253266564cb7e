using System.Net.Http.Json;
using System.Text.Json;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys;

/// <summary>The first hour of a newcomer: `up`, then unmodified clients and real servers.</summary>
public sealed class DemoTests(RunningUp up) : IClassFixture<RunningUp>
{
    [Theory]
    [InlineData("legacy.mjs", "legacy", "legacy")]
    [InlineData("modern.mjs", "auto", "modern")]
    [InlineData("modern.mjs", "legacy", "legacy")]
    public async Task The_typescript_clients_list_and_call_tools_of_two_servers(string script, string mode, string era)
    {
        var answers = await up.ClientAsync(
            script,
            new object[]
            {
                new { list = true },
                new { call = "everything__echo", arguments = new { message = "hello" } },
                new { call = "filesystem__list_directory", arguments = new { path = up.DemoFolder } },
                new { call = "everything__trigger-long-running-operation", arguments = new { duration = 0.3, steps = 3 }, progress = true },
            },
            mode);
        answers[0].GetProperty("era").GetString().ShouldBe(era);
        var tools = answers[1].EnumerateArray().Select(t => t.GetString()).ToArray();
        tools.ShouldContain("everything__echo");
        tools.ShouldContain("filesystem__list_directory");
        tools.ShouldNotContain("filesystem__write_file");
        tools.ShouldNotContain(t => t!.StartsWith("memory__"));
        Text(answers[2]).ShouldBe("Echo: hello");
        Text(answers[3]).ShouldContain("[FILE] welcome.txt");
        answers[4].GetProperty("progress").EnumerateArray().Select(p => p.GetDouble()).ShouldBe([1, 2, 3]);
    }

    [Fact]
    public async Task The_login_that_up_made_is_a_platform_admin() =>
        (await up.LookAsync("select u.email from weir.platform_admins p join auth.users u on u.id = p.user_id",
            r => r.GetString(0))).ShouldBe([up["email"]]);

    [Fact]
    public async Task The_demo_agent_reads_resources_and_gets_prompts_of_everything()
    {
#pragma warning disable RS0030 // The tests speak to Weir from outside; the product's egress is not theirs.
        using var http = new HttpClient { BaseAddress = new Uri(up["url"]) };
#pragma warning restore RS0030
        http.DefaultRequestHeaders.Authorization = new("Bearer", up["agentKey"]);
        var raw = new RawClient(http);
        var resources = (await raw.ModernAsync("resources/list")).Json.GetProperty("result").GetProperty("resources").EnumerateArray()
            .ToArray();
        var prompts = (await raw.ModernAsync("prompts/list")).Json.GetProperty("result").GetProperty("prompts").EnumerateArray()
            .Select(p => p.GetProperty("name").GetString()!).ToArray();

        resources.Select(r => r.GetProperty("uri").GetString()!)
            .ShouldContain(uri => uri.StartsWith("weir://everything/", StringComparison.Ordinal));
        prompts.ShouldContain("everything__simple-prompt");
        var uri = resources[0].GetProperty("uri").GetString()!;
        var session = await raw.InitializeAsync();
        var read = await raw.PostAsync($$"""{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"{{uri}}"} }""", [session]);
        read.Body.ShouldContain("\"contents\"");
        var got = await raw.PostAsync(
            """{"jsonrpc":"2.0","id":2,"method":"prompts/get","params":{"name":"everything__simple-prompt"} }""", [session]);
        got.Body.ShouldContain("\"messages\"");
    }

    [Fact]
    public async Task A_hint_of_an_error_is_an_address_at_which_a_newcomer_finds_the_page()
    {
        (await up.LookAsync("select weir.public_url()", r => r.GetString(0))).ShouldBe([up["url"]]);
#pragma warning disable RS0030 // The tests speak to Weir from outside; the product's egress is not theirs.
        using var http = new HttpClient();
#pragma warning restore RS0030
        using var refused = await http.GetAsync(up["url"] + "/rest/v1/");
        var hint = JsonElement.Parse(await refused.Content.ReadAsStringAsync()).GetProperty("hint").GetString()!;
        hint.ShouldBe($"See {up["url"]}/docs/rest#served");
        (await http.GetStringAsync(hint["See ".Length..])).ShouldContain("id=\"served\"");
    }

    [Fact]
    public async Task What_was_begun_with_up_is_backed_up_by_its_directory_alone()
    {
        var file = Path.Combine(up.Directory, "backup-" + Path.GetRandomFileName());
        var (code, output, errors) = await RunningUp.RunAsync("backup", file, "--data", up.Directory, "--json");
        code.ShouldBe(0, errors);
        var report = JsonElement.Parse(output);
        report.GetProperty("logRows").GetInt64().ShouldBeGreaterThan(0);
        report.GetProperty("keyring").GetString()!.Length.ShouldBe(64);
    }

    [Fact]
    public async Task The_argument_rule_holds_the_filesystem_server_to_the_demo_folder_and_every_step_is_recorded()
    {
        var before = (await up.LogAsync()).Count;
        var answers = await up.ClientAsync("legacy.mjs", new object[]
        {
            new { call = "filesystem__list_directory", arguments = new { path = up.DemoFolder + "/../" } },
            new { call = "filesystem__list_directory", arguments = new { path = new[] { up.DemoFolder } } },
            new { call = "filesystem__list_directory", arguments = new { } },
            new { call = "filesystem__list_directory", arguments = new { path = up.DemoFolder + "base" } },
            new { call = "filesystem__list_directory" },
            new { call = "filesystem__read_multiple_files", arguments = new { paths = new[] { up.DemoFolder + "/welcome.txt" } } },
            new { call = "memory__read_graph", arguments = new { } },
            new { call = "nothing__of_the_kind", arguments = new { } },
            new { call = "filesystem__read_text_file", arguments = new { path = up.DemoFolder + "/welcome.txt" } },
        });
        answers.EnumerateArray().Skip(1).Take(5).ShouldAllBe(a => a.GetProperty("error").GetProperty("code").GetInt32() == 1011);
        answers.EnumerateArray().Skip(6).Take(3).ShouldAllBe(a => a.GetProperty("error").GetProperty("code").GetInt32() == -32602);
        answers.EnumerateArray().Skip(6).Take(3)
            .ShouldAllBe(a => a.GetProperty("error").GetProperty("message").GetString()!.Contains("Unknown tool: "));
        Text(answers[9]).ShouldContain("Welcome to Weir");

        await Until.AsyncTrue(async () => (await up.LogAsync()).Count >= before + 10, "the rows of nine calls, one of them completed");
        var rows = (await up.LogAsync()).Skip(before).ToArray();
        rows.Count(r => r.Reason == "argument_rule").ShouldBe(5);
        rows.Count(r => r is { Phase: "denied", Reason: "unknown" or "no_grant" or "item_not_granted" }).ShouldBe(3);
        rows.ShouldContain(r => r.Phase == "requested" && r.Item == "read_text_file");
        rows.ShouldContain(r => r.Phase == "completed" && r.Item == "read_text_file" && r.Outcome == "ok");
    }

    [Fact]
    public async Task The_chat_command_answers_from_the_filesystem_server()
    {
        var (exitCode, output, _) = await RunningUp.RunAsync("chat", "what files are in the demo folder?", "--data", up.Directory);
        exitCode.ShouldBe(0);
        output.ShouldContain("`filesystem` answered to `list_directory`:");
        output.ShouldContain("> [FILE] welcome.txt");
    }

    [Fact]
    public async Task Supabase_js_signs_in_and_chats_unmodified()
    {
        var body = JsonSerializer.Serialize(
            new
            {
                agentId = up["agentId"],
                workspaceId = up["workspaceId"],
                channelId = up["channelId"],
                message = "what files are in the demo folder?",
            });
        var answer = await NodeScript.RunAsync("chat.mjs", [up["url"], up["anonKey"], up["email"], up["password"], body], node22: true);
        answer.GetProperty("data").GetProperty("message").GetString()!.ShouldContain("welcome.txt");
    }

    [Fact]
    public async Task A_wrong_password_is_refused_through_supabase_js()
    {
        var answer = await NodeScript.RunAsync("chat.mjs", [up["url"], up["anonKey"], up["email"], "wrong", "{}"], node22: true);
        answer.GetProperty("signInError").GetProperty("status").GetInt32().ShouldBe(400);
    }

    [Fact]
    public async Task A_second_up_on_the_same_directory_says_so_and_fails()
    {
        var (exitCode, _, errors) = await RunningUp.RunAsync("up", "--json", "--data", up.Directory);
        exitCode.ShouldBe(1);
        errors.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length.ShouldBe(1);
        errors.ShouldContain("already runs");
    }

    [Fact]
    public async Task A_call_in_flight_ends_when_the_platform_blocks_what_its_server_runs()
    {
#pragma warning disable RS0030 // The tests speak to Weir from outside; the product's egress is not theirs.
        using var agent = new HttpClient { BaseAddress = new Uri(up["url"]) };
        using var admin = new HttpClient { BaseAddress = new Uri(up["url"]) };
#pragma warning restore RS0030
        agent.DefaultRequestHeaders.Authorization = new("Bearer", up["agentKey"]);
        admin.DefaultRequestHeaders.Add("apikey", up["anonKey"]);
        var session = await PostAsync(admin, "/auth/v1/token?grant_type=password", new { email = up["email"], password = up["password"] });
        admin.DefaultRequestHeaders.Authorization = new("Bearer", session.GetProperty("access_token").GetString());
        var entry = (await up.LookAsync(
            "select c.slug from public.mcp_server_instances i join public.mcp_server_catalog c on c.id = i.catalog_server_id where "
                + "i.instance_name = 'everything'",
            r => r.GetString(0))).Single();

        var before = (await up.LogAsync()).Count;
        var call = new RawClient(agent).CallAsync("everything__trigger-long-running-operation", """{"duration": 600, "steps": 2}""");
        await Until.AsyncTrue(async () => (await up.LogAsync()).Count > before, "the call is recorded");
        (await PostAsync(admin, "/rest/v1/rpc/block_catalog_server", new { slug = entry, reason = "It leaks." })).TryGetProperty(
            "error", out _).ShouldBeFalse();
        try
        {
            var answer = await call.WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System);
            answer.ErrorCode.ShouldBe(1003, answer.Body);
            answer.ErrorMessage.ShouldNotContain("It leaks.");
            (await new RawClient(agent).CallAsync("everything__echo", """{"message": "hello"}""")).ErrorCode.ShouldBe(1003);
        }
        finally
        {
            await PostAsync(admin, "/rest/v1/rpc/unblock_catalog_server", new { slug = entry });
        }
    }

    private static async Task<JsonElement> PostAsync(HttpClient http, string path, object body)
    {
        using var response = await http.PostAsJsonAsync(path, body);
        return JsonElement.Parse(await response.Content.ReadAsStringAsync());
    }

    internal static string Text(JsonElement result) => result.GetProperty("content")[0].GetProperty("text").GetString()!;
}
