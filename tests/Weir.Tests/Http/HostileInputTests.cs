using System.Net;
using System.Text;
using Weir.Tests.Infrastructure;
using Weir.Tests.Journeys;

namespace Weir.Tests.Http;

/// <summary>Inputs that once made a parser throw more than was caught, each answered as what it is.</summary>
public sealed class HostileInputTests(EmbeddedIssuerWeir weir) : IClassFixture<EmbeddedIssuerWeir>
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("/auth/v1/token?grant_type=password", """{"\ud800":1}""")]
    [InlineData("/auth/v1/token?grant_type=password", """{"email":"\ud800","password":"x"}""")]
    [InlineData("/auth/v1/token?grant_type=password", """{"email":"a@b.c","password":"x\u0000"}""")]
    [InlineData("/auth/v1/token?grant_type=refresh_token", """{"refresh_token":"\udc00"}""")]
    [InlineData("/auth/v1/signup", """{"\ud800":1}""")]
    [InlineData("/functions/v1/chat", """{"\ud800":1}""")]
    [InlineData("/functions/v1/chat", """{"agentId":null,"message":"\ud800"}""")]
    [InlineData("/functions/v1/documents", """{"\ud800":1}""")]
    [InlineData("/functions/v1/documents/search", """{"\ud800":1}""")]
    [InlineData("/rest/v1/rpc/create_agent", """{"\ud800":1}""")]
    [InlineData("/rest/v1/rpc/create_agent", """{"name":{"\ud800":1}}""")]
    [InlineData("/nodes/v1/register", """{"\ud800":1}""")]
    [InlineData(
        "/nodes/v1/register",
        """{"token":"x","apiUrl":"http://"""
            + """a","apiKey":"0123456789012345678901234567890123456789","capabilityVersion":1,"isolation":"no\u0000ne","runtimes":["pr"""
            + """o\u0000cess"]}""")]
    [InlineData(
        "/nodes/v1/register",
        """{"token":"x","apiUrl":"http://"""
            + """a","apiKey":"0123456789012345678901234567890123456789","capabilityVersion":1,"isolation":"none","runtimes":[null]}""")]
    public async Task F06_a_text_that_is_none_is_a_bad_request(string path, string body) =>
        (await PostAsync(
            path, body,
            path.StartsWith("/auth", StringComparison.Ordinal) || path.StartsWith("/nodes", StringComparison.Ordinal)
                ? null : KnownCallers.PersonToken(weir)))
            .ShouldBe(HttpStatusCode.BadRequest);

    [Fact]
    public async Task F06_an_argument_in_a_query_string_that_names_half_a_pair_is_a_bad_request()
    {
        using var http = weir.Client(KnownCallers.PersonToken(weir));
        using var answer = await http.GetAsync("/rest/v1/rpc/read_audit?filter=" + Uri.EscapeDataString("""{"\ud800":1}"""), Cancelled);
        answer.StatusCode.ShouldBe(HttpStatusCode.BadRequest, await answer.Content.ReadAsStringAsync(Cancelled));
    }

    [Theory]
    [InlineData("=?base64?=")]
    [InlineData("=?base64?")]
    [InlineData("=?base64?!?=")]
    [InlineData("=?base64?gA==?=")]
    public async Task F06_a_name_in_a_header_that_cannot_be_decoded_differs_from_the_body(string name)
    {
        var raw = new RawClient(weir.Client(weir.World.AgentKey));
        var answer = await raw.PostAsync(
            """{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","_meta":{"io.modelcontextprotocol/"""
                + """protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}""",
            RawClient.ModernHeaders("tools/call", name));
        answer.Status.ShouldBe(HttpStatusCode.BadRequest, answer.Body);
        answer.ErrorMessage.ShouldContain("Mcp-Name");
    }

    [Theory]
    [InlineData("""{"servers":[null]}""")]
    [InlineData(
        """{"apiUrl":"http://127.0.0."""
            + """1:1","status":{"capabilityVersion":1,"version":"0","isolation":"none","runtimes":[]},"servers":[null]}""")]
    [InlineData(
        """{"apiUrl":"http://127.0.0."""
            + """1:1","status":{"capabilityVersion":1,"version":"0","isolation":"none","runtimes":[]},"servers":[{}]}""")]
    [InlineData("""{"apiUrl":"http://127.0.0.1:1","status":{"capabilityVersion":1},"servers":[]}""")]
    [InlineData(
        """{"apiUrl":"http://127.0.0."""
            + """1:1","status":{"capabilityVersion":1,"version":"0","isolation":"none","runtimes":[],"problem":"\u0000"},"servers":[]}""")]
    public async Task F06_a_heartbeat_that_leaves_out_what_it_must_say_is_a_bad_request(string body) =>
        (await PostAsync(
            "/nodes/v1/heartbeat", body,
            await KnownCallers.NodeKeyAsync(weir, "n" + Guid.CreateVersion7(TimeProvider.System.GetUtcNow()).ToString("N")))).ShouldBe(
            HttpStatusCode.BadRequest);

    [Fact]
    public async Task F03_a_heartbeat_of_more_servers_than_a_node_may_have_is_a_bad_request() => (await PostAsync(
        "/nodes/v1/heartbeat",
        $$"""{"apiUrl":"http://127.0.0.1:1","status":{"capabilityVersion":1,"version":"0","isolation":"none","runtimes":[]},"servers":[{{string.Join(',', Enumerable.Repeat("{}", 100_000))}}]}""",
        await KnownCallers.NodeKeyAsync(weir, "many"))).ShouldBe(HttpStatusCode.BadRequest);

    [Fact]
    public async Task F03_a_node_registers_with_its_token_as_the_bearer()
    {
        var token = await KnownCallers.NodeTokenAsync(weir, "bearer");
        const string Body =
            """{"apiUrl":"http://127.0.0."""
                + """1:1","apiKey":"0123456789012345678901234567890123456789","capabilityVersion":1,"isolation":"none","runtimes":["proce"""
                + """ss"],"name":"x"}""";
        (await PostAsync("/nodes/v1/register", Body, "not a token")).ShouldBe(HttpStatusCode.Unauthorized);
        (await PostAsync("/nodes/v1/register", Body, token)).ShouldBe(HttpStatusCode.OK);
        (await PostAsync("/nodes/v1/register", Body, token)).ShouldBe(HttpStatusCode.Unauthorized);
    }

    private async Task<HttpStatusCode> PostAsync(string path, string body, string? bearer)
    {
        using var http = weir.Client(bearer);
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var answer = await http.PostAsync(path, content, Cancelled);
        return answer.StatusCode;
    }
}

public sealed class HostileTokenTests(OtherIssuerWeir weir) : IClassFixture<OtherIssuerWeir>
{
    [Fact]
    public async Task F06_a_token_that_is_signed_well_and_names_no_issuer_is_unauthenticated()
    {
        var expires = TimeProvider.System.GetUtcNow().AddHours(1).ToUnixTimeSeconds()
            .ToString(System.Globalization.CultureInfo.InvariantCulture);
        var token = new HostileTokens(
            text => weir.Key.SignData(text, System.Security.Cryptography.HashAlgorithmName.SHA256),
            """{"alg":"ES256","typ":"JWT","kid":"k"}""",
            new Dictionary<string, string>(StringComparer.Ordinal)
            {
                ["sub"] = "\"somebody\"",
                ["exp"] = expires,
                ["aud"] = "\"authenticated\"",
                ["iss"] = "null",
            }).Good;
        (await BodyProbe.AnnouncedAsync(weir.Url, "POST", "/functions/v1/documents/search", token, 100)).ShouldBe(401);
    }

    [Theory]
    [InlineData("a.b.c")]
    [InlineData("..")]
    [InlineData("e30.e30.e30")]
    [InlineData("eyJraWQiOiJcdWQ4MDAifQ.e30.AAAA")]
    [InlineData("a.b.c.d.e")]
    public async Task F06_a_bearer_that_is_no_token_is_unauthenticated_where_people_come_by_published_keys(string token)
    {
        foreach (var path in (string[])["/functions/v1/chat", "/rest/v1/rpc/create_agent", "/mcp/agents/" + weir.World.AgentId])
        {
            (await BodyProbe.AnnouncedAsync(weir.Url, "POST", path, token, 100)).ShouldBe(401, path);
        }
    }
}
