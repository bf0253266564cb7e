using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using Weir.Identity;
using Weir.Nodes;
using Weir.Postgres;
using Weir.Tests.Identity;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys;

/// <summary>
/// What a caller without a valid identity sends raises nothing in PostgreSQL, whose log is several lines for each error. Errors are counted
/// as the database counts them: each is a transaction that was rolled back.
/// </summary>
public sealed class QuietDatabaseTests(OpenWeir weir) : IClassFixture<OpenWeir>
{
    private const string Password = "a password for tests";

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task F08_no_request_without_a_valid_identity_raises_an_error_in_the_database()
    {
        var email = $"{Guid.CreateVersion7(TimeProvider.System.GetUtcNow()):N}@example.test";
        (await PostAsync("/auth/v1/signup", new { email, password = Password })).ShouldBe(HttpStatusCode.OK);
        await FailOnceAsync();
        await Until.AsyncTrue(async () => await RolledBackAsync() > 0, "a failed statement is counted");
        var before = await RolledBackAsync();

        var refused = new List<(string What, HttpStatusCode Status)>();
        await foreach (var answer in UnknownCallersAsync(email))
        {
            refused.Add(answer);
        }

        // One more of our own, so that what was counted before it is there to be seen.
        await FailOnceAsync();
        await FlushAsync();
        await Until.AsyncTrue(async () => await RolledBackAsync() > before, "the last failed statement is counted");
        (await RolledBackAsync() - before).ShouldBe(1);
        refused.Where(r => (int)r.Status is < 400 or >= 500).ShouldBeEmpty();
    }

    private async IAsyncEnumerable<(string What, HttpStatusCode Status)> UnknownCallersAsync(string taken)
    {
        var node = new
        {
            apiUrl = "http://127.0.0.1:1",
            apiKey = new string('k', 40),
            capabilityVersion = NodeContract.CapabilityVersion,
            isolation = "user",
            runtimes = new[] { "process" },
        };
        var token = NodeKeys.Token(Guid.CreateVersion7(TimeProvider.System.GetUtcNow()), NodeKeys.NewSecret());
        yield return (
            "register",
            await PostAsync(
                "/nodes/v1/register", new { token, node.apiUrl, node.apiKey, node.capabilityVersion, node.isolation, node.runtimes }));
        var status = new
        {
            node.capabilityVersion,
            version = "1",
            node.isolation,
            node.runtimes,
            servers = 0,
            children = 0,
            uptimeSeconds = 1,
        };
        yield return ("heartbeat",
            await PostAsync("/nodes/v1/heartbeat", new { node.apiUrl, status, servers = Array.Empty<object>() }, NodeKeys.NewSecret()));

        var key = AgentKey.Create().Text;
        foreach (var path in new[] { "/mcp", "/mcp?tools=search", "/mcp/files" })
        {
            var raw = new RawClient(weir.Client(key), path);
            foreach (var method in new[]
            {
                "tools/list",
                "prompts/list",
                "resources/list",
                "resources/templates/list",
                "server/discover",
                "subscriptions/listen",
            })
            {
                yield return ($"{path} {method}", (await raw.ModernAsync(method)).Status);
            }

            yield return ($"{path} call", (await raw.CallAsync("files__read")).Status);
            yield return ($"{path} find", (await raw.CallAsync("find_tools", """{"query":"read"}""")).Status);
            yield return ($"{path} initialize", (await raw.PostAsync(
                """{"jsonrpc":"2."""
                    + """0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"nam"""
                    + """e":"raw","version":"1"}}}""")).Status);
            yield return ($"{path} get", (await raw.SendAsync(HttpMethod.Get, content: null)).Status);
        }

        foreach (var path in new[]
        {
            "agents?select=id",
            "agents?id=eq.x",
            "organizations?select=*",
            "mcp_server_catalog",
            "nothing",
            "rpc/read_audit?organization_id=x",
            "rpc/nothing",
        })
        {
            yield return ($"GET {path}", await GetAsync("/rest/v1/" + path, bearer: null));
        }

        yield return ("rpc", await PostAsync("/rest/v1/rpc/create_organization", new { name = "x" }));
        var organizationKey = OrganizationKey.Create().Text;
        yield return ("read_audit",
            await PostAsync("/rest/v1/rpc/read_audit", new { organization_id = "not a uuid", limit = "many" }, organizationKey));
        yield return ("read_usage", await PostAsync("/rest/v1/rpc/read_usage", new { since = "never" }, organizationKey));

        foreach (var filter in new[] { """{"filter":{"a":"\u0000"}}""", """{"filter":{"a":"\ud800"}}""", """{"filter":{"\u0000":1}}""" })
        {
            yield return (filter, await SendAsync("/rest/v1/rpc/read_audit", filter, OrganizationKey.Create().Text));
        }

        yield return ("%00", await GetAsync("/rest/v1/rpc/read_usage?since=%00", organizationKey));

        yield return ("sign-in", await PostAsync("/auth/v1/token?grant_type=password", new { email = taken, password = "wrong" }));
        yield return ("signup", await PostAsync("/auth/v1/signup", new { email = taken, password = Password }));
        yield return ("refresh", await PostAsync("/auth/v1/token?grant_type=refresh_token", new { refresh_token = "x" }));
        yield return ("user", await GetAsync("/auth/v1/user", "a.b.c"));
        yield return ("chat", await PostAsync("/functions/v1/chat", new { message = "hello" }, key));
        yield return ("documents", await PostAsync("/functions/v1/documents", new { }, "a.b.c"));
    }

    private async Task<HttpStatusCode> PostAsync(string path, object body, string? bearer = null)
    {
        using var client = weir.Client(bearer);
        using var response = await client.PostAsJsonAsync(path, body, Cancelled);
        return response.StatusCode;
    }

    private async Task<HttpStatusCode> SendAsync(string path, string json, string bearer)
    {
        using var client = weir.Client(bearer);
        using var content = new StringContent(json, System.Text.Encoding.UTF8, "application/json");
        using var response = await client.PostAsync(path, content, Cancelled);
        return response.StatusCode;
    }

    private async Task<HttpStatusCode> GetAsync(string path, string? bearer)
    {
        using var client = weir.Client(bearer);
        using var response = await client.GetAsync(path, Cancelled);
        return response.StatusCode;
    }

    /// <summary>On a connection of its own, which reports what it counted when it ends.</summary>
    private async Task FailOnceAsync()
    {
        await using var source = TestCluster.Source(weir.Database.OwnerUrl);
        await Should.ThrowAsync<Weir.Errors.WeirException>(() => source.ExecuteAsync("select 1 / 0", [], Cancelled));
    }

    /// <summary>A connection reports what it counted when it ends, else only after a while.</summary>
    private Task FlushAsync() => weir.Database.Superuser.ExecuteAsync(
        """
        select pg_terminate_backend(a.pid, 5000) from pg_stat_activity a
        where a.datname = current_database() and a.application_name like 'weir-%' and a.state = 'idle' and a.pid <> pg_backend_pid()
        """, [], Cancelled);

    private Task<long> RolledBackAsync() => weir.Database.Superuser.ScalarAsync<long>(
        "select xact_rollback from pg_stat_database where datname = current_database()", [], Cancelled);
}
