using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Weir.Errors;
using Weir.Server.Docs;
using Weir.Server.Http;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Http;

/// <summary>What anybody gets at <c>/docs/</c>.</summary>
public sealed class DocsTests(RunningWeir weir) : IClassFixture<RunningWeir>
{
    [Theory]
    [InlineData("", "text/html")]
    [InlineData("errors", "text/html")]
    [InlineData("decisions/0002-dbup-executes-we-guard", "text/html")]
    [InlineData("style.css", "text/css")]
    public async Task A_page_needs_no_identity_and_may_run_nothing(string page, string type)
    {
        using var answer = await SendAsync(HttpMethod.Get, "/docs/" + page);

        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        answer.Content.Headers.ContentType!.ToString().ShouldBe(type + "; charset=utf-8");
        answer.Headers.GetValues("Content-Security-Policy")
            .ShouldBe(["default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"]);
        answer.Headers.GetValues("X-Content-Type-Options").ShouldBe(["nosniff"]);
        (await answer.Content.ReadAsByteArrayAsync()).Length.ShouldBe((int)answer.Content.Headers.ContentLength!.Value);
    }

    [Fact]
    public async Task Head_says_what_get_would_answer()
    {
        using var got = await SendAsync(HttpMethod.Get, "/docs/errors");
        using var head = await SendAsync(HttpMethod.Head, "/docs/errors");

        head.StatusCode.ShouldBe(HttpStatusCode.OK);
        head.Content.Headers.ContentLength.ShouldBe(got.Content.Headers.ContentLength);
        head.Headers.ETag.ShouldBe(got.Headers.ETag);
        (await head.Content.ReadAsByteArrayAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task Who_has_a_page_already_is_not_sent_it_again()
    {
        using var got = await SendAsync(HttpMethod.Get, "/docs/errors");
        var tag = got.Headers.ETag!.ToString();
        foreach (var (sent, status) in new[]
        {
            (tag, 304),
            ("W/" + tag, 304),
            ("\"x\", " + tag, 304),
            ("*", 304),
            ("\"x\"", 200),
            ("not a tag", 200),
        })
        {
            using var answer = await SendAsync(HttpMethod.Get, "/docs/errors", ("If-None-Match", sent));
            ((int)answer.StatusCode).ShouldBe(status, sent);
        }

        using var other = await SendAsync(HttpMethod.Get, "/docs/rest", ("If-None-Match", tag));
        other.StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Theory]
    [InlineData("/docs/nothing")]
    [InlineData("/docs/errors.md")]
    [InlineData("/docs/errors/")]
    [InlineData("/docs/README")]
    [InlineData("/docs/..%2fsrc%2fWeir%2fx.cs")]
    [InlineData("/docs/decisions")]
    public async Task What_is_no_page_is_404(string path)
    {
        using var answer = await SendAsync(HttpMethod.Get, path);

        answer.StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await answer.Content.ReadAsStringAsync()).ShouldContain("\"WR004\"");
    }

    [Fact]
    public async Task Without_the_slash_it_leads_to_the_first_page()
    {
        using var answer = await SendAsync(HttpMethod.Get, "/docs");

        answer.StatusCode.ShouldBe(HttpStatusCode.Found);
        answer.Headers.Location!.ToString().ShouldBe("docs/");
    }

    [Fact]
    public async Task Nothing_is_written_there()
    {
        using var answer = await SendAsync(HttpMethod.Post, "/docs/errors");

        answer.StatusCode.ShouldBe(HttpStatusCode.MethodNotAllowed);
    }

    [Fact]
    public async Task F03_one_address_has_few_pages_open_at_once()
    {
        var limit = weir.Services.GetRequiredService<DocsConcurrencyLimit>();
        var ends = Enumerable.Range(0, UnknownBodies.MostOfOneAddress).Select(_ => Enter(limit)).ToArray();

        using (var refused = await SendAsync(HttpMethod.Get, "/docs/errors"))
        {
            refused.StatusCode.ShouldBe(HttpStatusCode.TooManyRequests);
            (await refused.Content.ReadAsStringAsync()).ShouldContain(ErrorCode.RateLimited.Sqlstate());
        }

        foreach (var end in ends)
        {
            await end();
        }

        using var answered = await SendAsync(HttpMethod.Get, "/docs/errors");
        answered.StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    /// <returns>Ends the request.</returns>
    private static Func<Task> Enter(DocsConcurrencyLimit limit)
    {
        var response = new Ending();
        var http = new DefaultHttpContext { Connection = { RemoteIpAddress = IPAddress.Loopback } };
        http.Features.Set<IHttpResponseFeature>(response);
        limit.Enter(http);
        return response.EndAsync;
    }

    private async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, params (string Name, string Value)[] headers)
    {
#pragma warning disable RS0030 // The tests speak to Weir from outside; the product's egress is not theirs.
        using var client = new HttpClient(new HttpClientHandler { AllowAutoRedirect = false }) { BaseAddress = weir.Url };
#pragma warning restore RS0030
        using var request = new HttpRequestMessage(method, path);
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        return await client.SendAsync(request);
    }

    private sealed class Ending : HttpResponseFeature
    {
        private readonly List<(Func<object, Task> End, object State)> _ends = [];

        public override void OnCompleted(Func<object, Task> callback, object state) => _ends.Add((callback, state));

        public async Task EndAsync()
        {
            foreach (var (end, state) in _ends)
            {
                await end(state);
            }
        }
    }
}
