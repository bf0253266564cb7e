using System.Net;
using System.Text.Json;
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
        policy.ShouldContain(Convert.ToBase64String(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(style))));
    }
}
