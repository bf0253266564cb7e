using System.Net;
using System.Text.Json;
using Weir.Configuration;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Http;

/// <summary>The page at <c>/</c>, to which the links of invitations and recoveries lead.</summary>
public sealed class HomeTests(RunningWeir weir) : IClassFixture<RunningWeir>
{
    [Fact]
    public async Task It_says_where_to_go_as_json()
    {
        using var client = weir.Client();
        using var response = await client.GetAsync("/");
        response.StatusCode.ShouldBe(HttpStatusCode.OK);
        var body = JsonElement.Parse(await response.Content.ReadAsStringAsync());
        body.GetProperty("name").GetString().ShouldBe("Weir");
        body.GetProperty("docs").GetString().ShouldBe(weir.Url + "docs/");
    }

    [Fact]
    public async Task HEAD_is_answered_like_GET_without_the_body()
    {
        using var client = weir.Client();
        using var request = new HttpRequestMessage(HttpMethod.Head, "/");
        request.Headers.Add("Accept", "text/html");
        using var response = await client.SendAsync(request);
        response.StatusCode.ShouldBe(HttpStatusCode.OK);
        response.Content.Headers.ContentType!.ToString().ShouldBe("text/html; charset=utf-8");
        response.Headers.Contains("Content-Security-Policy").ShouldBeTrue();
        (await response.Content.ReadAsStringAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_browser_gets_a_page_that_says_what_uses_a_token_and_cannot_send_it_anywhere()
    {
        using var client = weir.Client();
        client.DefaultRequestHeaders.Add("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
        using var response = await client.GetAsync("/");
        var page = await response.Content.ReadAsStringAsync();

        response.Content.Headers.ContentType!.ToString().ShouldBe("text/html; charset=utf-8");
        page.ShouldContain("verifyOtp({ type: 'invite', token_hash: 'TOKEN' })");
        page.ShouldContain("verifyOtp({ type: 'recovery', token_hash: 'TOKEN' })");
        page.ShouldContain("rpc('accept_invitation', { token: 'TOKEN' })");
        page.ShouldContain($"{weir.Url}docs/");
        page.ShouldNotContain("<script");
        page.ShouldNotContain("<form");
        page.ShouldNotContain("<img");
        var policy = response.Headers.GetValues("Content-Security-Policy").Single();
        policy.ShouldStartWith("default-src 'none'; style-src 'sha256-");
        policy.ShouldEndWith("base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
        policy.ShouldNotContain("script-src");
        response.Headers.GetValues("Referrer-Policy").ShouldBe(["no-referrer"]);
        // The style is the one that the policy names.
        var style = page[(page.IndexOf("<style>", StringComparison.Ordinal) + 7)..page.IndexOf("</style>", StringComparison.Ordinal)];
        policy.ShouldContain(
            Convert.ToBase64String(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(style))));
    }
}

/// <summary>Where people sign in elsewhere, invitations are accepted here all the same.</summary>
public sealed class HomeOfAnotherIssuerTests(HomeOfAnotherIssuer weir) : IClassFixture<HomeOfAnotherIssuer>
{
    [Fact]
    public async Task It_says_what_accepts_an_invitation_and_nothing_of_an_issuer_that_is_not_there()
    {
        using var client = weir.Client();
        client.DefaultRequestHeaders.Add("Accept", "text/html");
        var page = await client.GetStringAsync("/");
        page.ShouldContain("rpc('accept_invitation', { token: 'TOKEN' })");
        page.ShouldNotContain("verifyOtp");
        page.ShouldNotContain("/auth/v1");
    }
}

public sealed class HomeOfAnotherIssuer(TestCluster cluster) : RunningWeir(cluster)
{
    private protected override WeirConfig Configure(WeirConfig config) =>
        config with { Auth = new AuthConfig { JwtSecret = SupabaseProject.JwtSecret, Issuer = SupabaseProject.Issuer } };
}
