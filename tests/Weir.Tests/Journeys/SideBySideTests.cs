using System.Net;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Weir.Identity;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys;

/// <summary>Attacks 2 to 7 at the same time, in small numbers, beside an organization that only makes its calls.</summary>
public sealed class SideBySideTests(RunningWeir weir) : IClassFixture<RunningWeir>
{
    private const int Calls = 15;
    private const int AtOnce = 3;

    private const string Costly = """{"tools": {"echo": {"args": {"text": {"matches": "[ab]*a[ab]{34}x"}}}, "huge": {}}}""";

    [Fact]
    public async Task F02_to_F07_side_by_side_harm_no_bystander()
    {
        await using var server = await OddServer.StartAsync();
        var (name, _) = await weir.AddReadyAsync(server.Url, Costly);
        var bystander = await World.CreateAsync(weir.Database);
        await bystander.GrantAsync(await bystander.AddRemoteAsync("quiet", server.Url), """{"tools": {"echo": {}}}""");
        var quiet = new RawClient(weir.Client(bystander.AgentKey));
        await Until.AsyncTrue(
            async () => (await quiet.ModernAsync("tools/list")).Body.Contains("quiet__echo", StringComparison.Ordinal),
            "the bystander's catalog");

        var outsider = await World.CreateUserAsync(weir.Database);
        using var stranger = weir.Client();
        using var signedIn = weir.Client(weir.Services.GetRequiredService<PersonTokens>().Issue(outsider, "outsider@example.test"));
        var agent = new RawClient(weir.Client(weir.World.AgentKey));
        var numbers =
            $$"""{"organization_id":"{{bystander.OrganizationId}}","action":"create","server_config":{"x":[{{Many(
                "1e131000", 7000)}}] } }""";
        var servers = $$"""{"servers":[{{Many("{}", 300_000)}}]}""";
        var costly = $$"""{"text":"{{string.Concat(Enumerable.Repeat("abbab", 819))}}"}""";

        using var over = new CancellationTokenSource();
        Task<HttpStatusCode>[] attacks =
        [
            .. Repeat(() => PostAsync(signedIn, "/rest/v1/rpc/manage_mcp_servers", numbers)),
            .. Repeat(() => PostAsync(stranger, "/nodes/v1/heartbeat", servers)),
            .. Repeat(async () => (await agent.CallAsync($"{name}__echo", costly)).Status),
            .. Repeat(async () => (await agent.CallAsync($"{name}__huge")).Status),
            .. Repeat(() => PostAsync(stranger, "/auth/v1/token?grant_type=password", "{\"\\ud800\":1}")),
            .. Repeat(
                () => PostAsync(stranger, "/auth/v1/token?grant_type=password", """{"email":"nobody@example.test","password":"wrong"}""")),
        ];
        for (var i = 0; i < Calls; i++)
        {
            (await quiet.CallAsync("quiet__echo")).Body.ShouldContain("\"ok\"");
        }

        await over.CancelAsync();
        (await Task.WhenAll(attacks)).ShouldNotContain(HttpStatusCode.InternalServerError);

        // Each attack again and again, a few at once, as long as the bystander calls; the worst of its answers.
        IEnumerable<Task<HttpStatusCode>> Repeat(Func<Task<HttpStatusCode>> attempt) =>
            Enumerable.Range(0, AtOnce).Select(_ => Task.Run(async () =>
            {
                var worst = HttpStatusCode.OK;
                do
                {
                    var status = await attempt();
                    worst = status == HttpStatusCode.InternalServerError ? status : worst;
                }
                while (!over.IsCancellationRequested);
                return worst;
            }));
    }

    private static string Many(string value, int count) => string.Join(',', Enumerable.Repeat(value, count));

    private static async Task<HttpStatusCode> PostAsync(HttpClient client, string path, string body)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        try
        {
            using var answer = await client.PostAsync(path, content, TestContext.Current.CancellationToken);
            return answer.StatusCode;
        }
        catch (HttpRequestException)
        {
            // Refused before the body was read: the connection is closed.
            return HttpStatusCode.RequestEntityTooLarge;
        }
    }
}
