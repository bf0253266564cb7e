using System.Net;
using System.Net.Http.Json;
using Weir.Identity;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Identity;

/// <summary>Who guesses passwords is slowed down, and locks out nobody but themselves: over HTTP, behind a proxy and without one.</summary>
public sealed class SignInLimitTests(OpenWeir proxied, RunningWeir bare) : IClassFixture<OpenWeir>, IClassFixture<RunningWeir>
{
    private const string Password = "a password for tests";

    [Fact]
    public async Task A33_ten_wrong_passwords_lock_out_who_sent_them_and_not_the_person()
    {
        var email = await NewLoginAsync(proxied);
        for (var i = 0; i < 10; i++)
        {
            (await SignInAsync(proxied, email, "wrong", "203.0.113.1")).ShouldBe(HttpStatusCode.BadRequest);
        }

        (await SignInAsync(proxied, email, "wrong", "203.0.113.1")).ShouldBe(HttpStatusCode.TooManyRequests);
        (await SignInAsync(proxied, email, Password, "203.0.113.2")).ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task A33_guesses_from_everywhere_end_and_the_person_signs_in_from_where_they_did_before()
    {
        var email = await NewLoginAsync(proxied);
        (await SignInAsync(proxied, email, Password, "203.0.113.3")).ShouldBe(HttpStatusCode.OK);
        // A hundred and more guesses, without hashing as many passwords.
        var places = await proxied.Database.Superuser.QueryAsync(
            "select b.allowed from generate_series(1, 120) i cross join lateral weir.begin_sign_in($1, ('10.7.' || i || '.1')::inet) b",
            [Sql.Text(email)], r => r.GetBoolean(0), CancellationToken.None);

        places.Count(allowed => allowed).ShouldBe(99);
        (await SignInAsync(proxied, email, Password, "203.0.113.4")).ShouldBe(HttpStatusCode.TooManyRequests);
        (await SignInAsync(proxied, email, Password, "203.0.113.3")).ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task A15_what_a_caller_writes_before_the_proxy_s_word_or_without_a_proxy_is_not_looked_at()
    {
        foreach (var (weir, forwarded) in new[] { (proxied, "198.51.100.{0}, 203.0.113.9"), (bare, "198.51.100.{0}") })
        {
            var email = await NewLoginAsync(weir);
            for (var i = 0; i < 10; i++)
            {
                (await SignInAsync(weir, email, "wrong", forwarded.Replace("{0}", $"{i}"))).ShouldBe(HttpStatusCode.BadRequest);
            }

            (await SignInAsync(weir, email, "wrong", forwarded.Replace("{0}", "11"))).ShouldBe(HttpStatusCode.TooManyRequests);
        }
    }

    private static async Task<string> NewLoginAsync(RunningWeir weir)
    {
        var email = $"{Guid.CreateVersion7(TimeProvider.System.GetUtcNow()):N}@example.test";
        await weir.Database.Owner.ScalarAsync<Guid>(
            "select weir.create_user($1, $2)", [Sql.Text(email), Sql.Text(Logins.Hash(Password))], CancellationToken.None);
        return email;
    }

    private static async Task<HttpStatusCode> SignInAsync(RunningWeir weir, string email, string password, string forwardedFor)
    {
        using var client = weir.Client();
        using var request = new HttpRequestMessage(
            HttpMethod.Post, "/auth/v1/token?grant_type=password") { Content = JsonContent.Create(new { email, password }) };
        request.Headers.TryAddWithoutValidation("X-Forwarded-For", forwardedFor);
        using var response = await client.SendAsync(request);
        return response.StatusCode;
    }
}
