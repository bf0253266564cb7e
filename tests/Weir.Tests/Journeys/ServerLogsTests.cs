using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Weir.Errors;
using Weir.Identity;
using Weir.Nodes;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys;

/// <summary>What a server on a node has printed, as its organization's admins read it.</summary>
public sealed class ServerLogsTests(WeirWithNode weir) : IClassFixture<WeirWithNode>
{
    private const string Secret = "t0ken-of-the-tenant";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_admin_reads_the_lines_masked_and_recorded_and_nobody_else_does()
    {
        var id = await AddAsync("chatty");
        var agent = new RawClient(weir.Client(weir.World.AgentKey));
        (await agent.CallAsync("chatty__shout", $$"""{"text":"hello ', said {{Secret}}"}""")).Body.ShouldContain("shouted");

        var answer = await ReadUntilAsync(new { server_instance_id = id }, "hello");
        answer.GetProperty("server_instance_id").GetGuid().ShouldBe(id);
        answer.GetProperty("truncated").GetBoolean().ShouldBeFalse();
        // Plain UTF-8, as a client prints it.
        answer.GetRawText().ShouldContain("hello ', said ***");
        answer.GetRawText().ShouldNotContain(Secret);
        var line = answer.GetProperty("lines").EnumerateArray()
            .Single(l => l.GetProperty("text").GetString()!.StartsWith("hello", StringComparison.Ordinal));
        line.GetProperty("source").GetString().ShouldBe("stderr");

        (await ReadAsync(
            new
            {
                server_instance_id = id,
                since = line.GetProperty("at").GetDateTimeOffset().AddMilliseconds(1).ToString("O"),
            })).GetProperty("lines").GetArrayLength().ShouldBe(0);
        (await ReadAsync(new { server_instance_id = id, tail = 1 })).GetProperty("lines").GetArrayLength().ShouldBe(1);
        (await weir.LogAsync()).Count(r => r is { Kind: "admin_read", Item: "get_mcp_server_logs", Instance: "chatty", Reason: null })
            .ShouldBeGreaterThanOrEqualTo(3);
    }

    [Fact]
    public async Task Who_may_not_read_a_log_is_refused_before_its_node_is_asked_and_plain_SQL_never_asks_it()
    {
        var id = await AddAsync("quiet");
        var before = await ReadingsAsync();
        using (var refused = await PostAsync(await World.CreateUserAsync(weir.Database), new { server_instance_id = id }))
        {
            refused.StatusCode.ShouldBe(HttpStatusCode.NotFound);
        }

        using (var get = await Person(weir.World.OwnerId).GetAsync($"/rest/v1/rpc/get_mcp_server_logs?server_instance_id={id}", Token))
        {
            get.StatusCode.ShouldBe(HttpStatusCode.MethodNotAllowed, "it records the reading");
        }

        using (var wrong = await PostAsync(weir.World.OwnerId, new { server_instance_id = id, tail = 1001 }))
        {
            wrong.StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        }

        (await Should.ThrowAsync<WeirException>(weir.World.CallAsync("select public.get_mcp_server_logs($1)", Sql.Uuid(id)))).Code.ShouldBe(
            ErrorCode.NotSupported);
        (await ReadingsAsync()).ShouldBe(before);
    }

    [Fact]
    public async Task However_much_a_server_prints_an_answer_is_bounded_and_ends_with_the_newest_line()
    {
        var id = await AddAsync("loud");
        var agent = new RawClient(weir.Client(weir.World.AgentKey));
        (await agent.CallAsync("loud__shout", $$"""{"text":"{{new string('x', 3000)}}","times":200}""")).Body.ShouldContain("shouted");
        var lines = (await ReadUntilAsync(new { server_instance_id = id, tail = 1000 }, "x 199\"")).GetProperty("lines");
        lines[lines.GetArrayLength() - 1].GetProperty("text").GetString()!.ShouldEndWith("x 199");
        lines.GetArrayLength().ShouldBeLessThan(100);
        Encoding.UTF8.GetByteCount(lines.GetRawText()).ShouldBeLessThanOrEqualTo(ServerLogs.MostBytes + 2);
    }

    private Task<long> ReadingsAsync() => weir.Database.Superuser.ScalarAsync<long>(
        "select count(*) from public.mcp_interaction_logs where instance_name = 'quiet' and kind = 'admin_read' and decision = 'allowed'",
        [], Token);

    private async Task<Guid> AddAsync(string name)
    {
        var entry = new
        {
            slug = name, display_name = name, transport = "stdio", runtime = "process", package = "weir-fixture", version = "1.0.0",
            bin = "weir-fixture",
            env = new Dictionary<string, string> { ["TOKEN"] = "${config.token}" },
            configuration_schema = new { type = "object", properties = new { token = new { type = "string" } } },
        };
        await weir.Database.Owner.ScalarAsync<Guid>(
            "select weir.publish_catalog_server($1)", [Sql.Jsonb(JsonSerializer.Serialize(entry))], Token);
        var id = await weir.World.AddCatalogAsync(name, name, JsonSerializer.Serialize(new { token = Secret }));
        await weir.World.GrantAsync(id, """{"tools": {"*": {}}}""");
        var agent = new RawClient(weir.Client(weir.World.AgentKey));
        await Until.AsyncTrue(
            async () => (await agent.ModernAsync("tools/list")).Body.Contains($"\"{name}__", StringComparison.Ordinal),
            $"the catalog of {name}", TimeSpan.FromMinutes(3));
        return id;
    }

    private HttpClient Person(Guid user) =>
        weir.Client(weir.Services.GetRequiredService<PersonTokens>().Issue(user, "someone@example.test"));

    private Task<HttpResponseMessage> PostAsync(Guid user, object arguments) =>
        Person(user).PostAsJsonAsync("/rest/v1/rpc/get_mcp_server_logs", arguments, Token);

    private async Task<JsonElement> ReadUntilAsync(object arguments, string printed)
    {
        var answer = default(JsonElement);
        await Until.AsyncTrue(async () => (answer = await ReadAsync(arguments)).GetRawText().Contains(printed, StringComparison.Ordinal),
            "the line is there");
        return answer;
    }

    private async Task<JsonElement> ReadAsync(object arguments)
    {
        using var response = await PostAsync(weir.World.OwnerId, arguments);
        var body = await response.Content.ReadAsStringAsync(Token);
        response.StatusCode.ShouldBe(HttpStatusCode.OK, body);
        return JsonElement.Parse(body);
    }
}
