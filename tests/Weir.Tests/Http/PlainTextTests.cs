using System.Text.RegularExpressions;
using Weir.Identity;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Http;

/// <summary>What a client prints is text in UTF-8, and no <c>\u0027</c>.</summary>
public sealed partial class PlainTextTests(RunningWeir weir) : IClassFixture<RunningWeir>
{
    private const string Odd = "it's <é> 日本 & +";

    /// <summary>Files whose JSON goes to servers, to the database or into a sealed text, and to no client.</summary>
    private static readonly string[] NotForClients = ["ForwardedBody.cs", "InputForServer.cs", "ClientCapabilities.cs"];

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public static TheoryData<string, string, string, string> Requests => new()
    {
        { "GET", "/rest/v1/it's-é", "", "'public.it's-é'" },
        { "POST", "/rest/v1/rpc/it's-é", "{}", "it's-é" },
        { "POST", "/functions/v1/chat", """{"agentId": "it's"}""", "'" },
        { "POST", "/functions/v1/documents", "{}", "" },
        { "POST", "/auth/v1/token?grant_type=it's", "{}", "" },
        { "GET", "/auth/v1/user", "", "" },
        { "GET", "/healthz", "", "" },
        { "GET", "/readyz", "", "" },
        { "POST", "/nodes/v1/heartbeat", "{}", "'" },
        { "POST", "/mcp", """{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"it's <é>"}}""", "'" },
    };

    [Theory]
    [MemberData(nameof(Requests))]
    public async Task An_endpoint_answers_in_plain_text(string method, string path, string body, string contains)
    {
        foreach (var bearer in new[] { null, "weir_it's", weir.World.AgentKey })
        {
            using var http = weir.Client();
            using var request = new HttpRequestMessage(new HttpMethod(method), path);
            request.Headers.Authorization = bearer is null ? null : new("Bearer", bearer);
            request.Content = method == "POST" ? new StringContent(body, System.Text.Encoding.UTF8, "application/json") : null;
            using var answer = await http.SendAsync(request, Cancelled);
            var text = await answer.Content.ReadAsStringAsync(Cancelled);
            text.ShouldNotMatch(@"\\u00[2-9a-fA-F]|\\u[1-9a-fA-F]");
            if (bearer is null && contains.Length > 0 && path.StartsWith("/rest", StringComparison.Ordinal))
            {
                text.ShouldContain(contains);
            }
        }
    }

    [Fact]
    public async Task The_name_of_an_unknown_tool_is_plain_text()
    {
        var raw = new RawClient(weir.Client(weir.World.AgentKey));
        var session = await raw.InitializeAsync();
        var unknown = await raw.PostAsync($$"""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"{{Odd}}"} }""", [session]);
        unknown.Body.ShouldContain($"Unknown tool: {Odd}");
    }

    [Fact]
    public async Task A_key_that_is_not_good_is_one_text_on_every_endpoint()
    {
        var agent = AgentKey.Create().Text;
        var organization = OrganizationKey.Create().Text;
        var texts = new[]
        {
            await TextAsync("/mcp", agent, """{"jsonrpc":"2.0","id":1,"method":"tools/list"}"""),
            await TextAsync("/mcp", agent[..^1], """{"jsonrpc":"2.0","id":1,"method":"tools/list"}"""),
            await TextAsync("/rest/v1/rpc/read_audit", organization, "{}"),
            await TextAsync("/rest/v1/rpc/read_audit", organization[..^1], "{}"),
            await TextAsync("/rest/v1/rpc/create_agent", agent, "{}"),
        };
        texts.ShouldAllBe(t => t.Contains("\"The key is unknown, expired or revoked.\"", StringComparison.Ordinal));
    }

    [Fact]
    public void Every_writer_of_what_clients_read_has_the_plain_form()
    {
        var files =
            new[] { "src/Weir/Gateway", "src/Weir/Mcp" }.SelectMany(
                d => Directory.EnumerateFiles(Repository.PathOf(d), "*.cs", SearchOption.AllDirectories))
            .Where(f => !NotForClients.Contains(Path.GetFileName(f))).ToArray();
        files.Length.ShouldBeGreaterThan(50);
        files.Where(f => Writer().IsMatch(File.ReadAllText(f))).Select(Path.GetFileName)
            .ShouldBeEmpty("new Utf8JsonWriter(…, PlainJson.Writing)");
        Directory.EnumerateFiles(Repository.PathOf("src/Weir.Server/Commands"), "*.cs")
            .Select(f => (Name: Path.GetFileName(f), Text: File.ReadAllText(f)))
            .Where(f => f.Text.Split("JsonSerializer.Serialize(").Length != f.Text.Split("PlainJson.Line").Length).Select(f => f.Name)
            .ShouldBeEmpty("JsonSerializer.Serialize(…, PlainJson.Line)");
    }

    private async Task<string> TextAsync(string path, string bearer, string body)
    {
        using var http = weir.Client(bearer);
        using var content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
        content.Headers.ContentType = new("application/json");
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = content };
        request.Headers.Add("Accept", "application/json, text/event-stream");
        using var answer = await http.SendAsync(request, Cancelled);
        return await answer.Content.ReadAsStringAsync(Cancelled);
    }

    [GeneratedRegex(@"new Utf8JsonWriter\([^,()]*\)", RegexOptions.None, 1000)]
    private static partial Regex Writer();
}
