using System.Security.Cryptography;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Weir.Configuration;
using Weir.Identity;
using Weir.Keys;
using Weir.Postgres;
using Weir.Tests.Chat;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys;

/// <summary>A replica where people sign in with Weir itself.</summary>
public sealed class EmbeddedIssuerWeir(TestCluster cluster) : RunningWeir(cluster)
{
    private protected override WeirConfig Configure(WeirConfig config) => config with { Auth = new AuthConfig { SignUp = true } };
}

/// <summary>A replica where people come by the published keys of another issuer.</summary>
public sealed class OtherIssuerWeir(TestCluster cluster) : RunningWeir(cluster)
{
    public const string Issuer = "https://issuer.example";
    private JwksServer _jwks = null!;

    internal ECDsa Key { get; } = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    public override async ValueTask InitializeAsync()
    {
        _jwks = await JwksServer.StartAsync(Key, "k");
        await base.InitializeAsync();
        await Database.Owner.ExecuteAsync(
            "select weir.set_setting('identity_issuers', to_jsonb(array[$1]))", [Sql.Text(Issuer)], CancellationToken.None);
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        await _jwks.DisposeAsync();
        Key.Dispose();
    }

    private protected override WeirConfig Configure(WeirConfig config) =>
        config with { Auth = new AuthConfig { JwksUrl = _jwks.Url, Issuer = Issuer } };
}

/// <summary>Every endpoint that Weir maps, read from the running program, with requests that are hostile in each of their parts.</summary>
public abstract class EndpointFuzzSuite(RunningWeir weir, ITestOutputHelper output)
{
    private const string Meta =
        "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\"io.modelcontextprotocol/clientInfo\":{\"name\":\"f\","
            + "\"version\":\"1\"},\"io.modelcontextprotocol/clientCapabilities\":{}}";

    [Fact]
    public async Task F06_no_request_at_any_endpoint_is_answered_with_an_internal_error_or_logs_an_exception()
    {
        using var log = new LogKeeper();
        weir.Services.GetRequiredService<ILoggerFactory>().AddProvider(log);
        await using var server = await FixtureServer.StartAsync(FixtureServer.Tool("echo", () => "hello"));
        var (name, _) = await weir.AddReadyAsync(server.Url, """{"tools": {"*": {}}}""");

        var answered = await new EndpointFuzzer(weir.Url.Port, await WorldAsync(name), output).RunAsync();

        // The grammar is no use if nothing gets through, or if everything does.
        answered.GetValueOrDefault(200).ShouldBeGreaterThan(20);
        answered.GetValueOrDefault(400).ShouldBeGreaterThan(100);
        answered.GetValueOrDefault(401).ShouldBeGreaterThan(100);
        log.Failures.ShouldBeEmpty();
    }

    private protected abstract Task<HostileTokens> TokensAsync();

    private async Task<EndpointWorld> WorldAsync(string instance)
    {
        var tokens = await TokensAsync();
        var session = (await new RawClient(weir.Client(weir.World.AgentKey)).InitializeAsync()).Value;
        return new EndpointWorld(
            weir.Url.Authority,
            [.. weir.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>().Select(e =>
                new MappedRoute(e.RoutePattern.RawText!, [.. e.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? []]))],
            new Dictionary<string, string[]>(StringComparer.Ordinal)
            {
                ["instance"] = [instance, "missing", "agents"],
                ["agent"] = [weir.World.AgentId.ToString(), Guid.Empty.ToString()],
                ["table"] = ["agents", "organizations", "chat_messages", "mcp_server_catalog", "rpc", "missing"],
                ["function"] = [
                    "get_organization_mcp_configs", "create_agent", "manage_mcp_servers", "grant_mcp_access", "read_audit", "read_usage",
                    "get_mcp_tool_changes", "missing",
                ],
                ["path"] = ["x", "a/b", "errors", "decisions/0002-dbup-executes-we-guard", "style.css"],
                ["rest"] = ["oauth-authorization-server", "a/b/c"],
                ["next"] = ["x"],
            },
            Bodies(instance),
            [
                weir.World.AgentKey, weir.World.AgentKey, tokens.Good, tokens.Good, tokens.Good,
                await KnownCallers.OrganizationKeyAsync(weir), await KnownCallers.NodeKeyAsync(weir, "fuzzed"), AgentKey.Create().Text,
                OrganizationKey.Create().Text, session,
            ],
            tokens.Next);
    }

    private (string Pattern, string Body)[] Bodies(string instance)
    {
        var (organization, agent, workspace) = (weir.World.OrganizationId, weir.World.AgentId, weir.World.WorkspaceId);
        return
        [
            ("/auth/v1/",
                """{"email":"a@example.test","password":"a password for tests","data":{},"gotrue_meta_security":{"captcha_token":null}}"""),
            ("/auth/v1/", """{"refresh_token":"AAAA"}"""),
            ("/functions/v1/chat",
                $$"""{"agentId":"{{agent}}","workspaceId":"{{workspace}}","channelId":null,"message":"hello """
                    + $$"""there","clientMessageId":"c"}"""),
            ("/functions/v1/documents",
                $$"""{"datastoreId":"{{agent}}","title":"t","source":"s","mediaType":"text/html","content":"<p>x</p>"}"""),
            ("/functions/v1/documents/search", $$"""{"agentId":"{{agent}}","query":"what is it","limit":5}"""),
            ("/nodes/v1/register",
                """{"token":"x","apiUrl":"http://127.0.0."""
                    + """1:1","apiKey":"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk","capabilityVersion":1,"isolation":"none","runtimes":["p"""
                    + """rocess"],"name":"n","region":null}"""),
            ("/nodes/v1/heartbeat",
                $$"""{"apiUrl":"http://127.0.0.1:1","status":{"capabilityVersion":1,"version":"0","isolation":"none","runtimes":["process"],"servers":0,"children":0,"uptimeSeconds":1,"problem":null},"servers":[{"id":"{{agent}}","generation":1,"state":"running","errorCode":"x","error":"y"}]}"""),
            ("/rest/v1/rpc/", $$"""{"org_id":"{{organization}}","agent_id":"{{agent}}"}"""),
            ("/rest/v1/rpc/", $$"""{"organization_id":"{{organization}}","name":"x"}"""),
            ("/rest/v1/rpc/",
                $$"""{"action":"create","organization_id":"{{organization}}","server_config":{"instance_name":"x","url":"https://x.example"} }"""),
            ("/rest/v1/rpc/", """{"organization_id":null,"filter":{"interaction_type":"tool_execution"},"before":null,"limit":5}"""),
            ("/mcp",
                $$"""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"{{instance}}__echo","arguments":{"a":1},{{Meta}} } }"""),
            ("/mcp", $$"""{"jsonrpc":"2.0","id":"x","method":"tools/list","params":{"cursor":"AAAA",{{Meta}} } }"""),
            ("/mcp",
                """{"jsonrpc":"2."""
                    + """0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"roots":{},"extension"""
                    + """s":{"a":1} },"clientInfo":{"name":"f","version":"1"} } }"""),
            ("/mcp", """{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"reason":"x"}}"""),
            ("/mcp",
                $$"""{"jsonrpc":"2.0","id":2,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["a://b"]},{{Meta}} } }"""),
        ];
    }
}

public sealed class EndpointFuzzTests(EmbeddedIssuerWeir weir, ITestOutputHelper output) : EndpointFuzzSuite(
    weir, output), IClassFixture<EmbeddedIssuerWeir>
{
    private protected override Task<HostileTokens> TokensAsync()
    {
        var key = weir.Services.GetRequiredService<Keyring>().DeriveKey("auth/jwt");
        return Task.FromResult(
            new HostileTokens(text => HMACSHA256.HashData(key, text), """{"alg":"HS256","typ":"JWT"}""",
                new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["sub"] = $"\"{weir.World.OwnerId}\"",
            ["exp"] = TimeProvider.System.GetUtcNow().AddHours(1).ToUnixTimeSeconds()
                .ToString(System.Globalization.CultureInfo.InvariantCulture),
            ["aud"] = "\"authenticated\"",
            ["iss"] = "\"weir\"",
            ["role"] = "\"authenticated\"",
        }));
    }
}

public sealed class OtherIssuerEndpointFuzzTests(OtherIssuerWeir weir, ITestOutputHelper output) : EndpointFuzzSuite(
    weir, output), IClassFixture<OtherIssuerWeir>
{
    private protected override Task<HostileTokens> TokensAsync() => Task.FromResult(new HostileTokens(
        text =>
        {
            lock (weir.Key)
            {
                return weir.Key.SignData(text, HashAlgorithmName.SHA256);
            }
        },
        """{"alg":"ES256","typ":"JWT","kid":"k"}""",
        new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["sub"] = "\"somebody\"",
            ["exp"] = TimeProvider.System.GetUtcNow().AddHours(1).ToUnixTimeSeconds()
                .ToString(System.Globalization.CultureInfo.InvariantCulture),
            ["aud"] = "\"authenticated\"",
            ["iss"] = $"\"{OtherIssuerWeir.Issuer}\"",
            ["email"] = "\"somebody@example.test\"",
            ["email_verified"] = "true",
        }));
}
