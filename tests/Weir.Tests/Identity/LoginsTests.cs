using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Weir.Configuration;
using Weir.Identity;
using Weir.Keys;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Identity;

/// <summary>Where anybody may sign up.</summary>
public sealed class OpenWeir(TestCluster cluster) : RunningWeir(cluster)
{
    private int _addresses;

    /// <summary>A network address that nobody else of the tests has.</summary>
    internal IPAddress NextAddress() => new([10, 0, (byte)(Interlocked.Increment(ref _addresses) >> 8), (byte)_addresses]);

    private protected override WeirConfig Configure(WeirConfig config) => config with
    {
        Auth = config.Auth with { SignUp = true },
        Http = config.Http with { TrustedProxies = ["127.0.0.0/8"] },
    };
}

/// <summary>The embedded issuer: passwords, families of refresh tokens, signing out and up.</summary>
public sealed class LoginsTests(OpenWeir weir) : IClassFixture<OpenWeir>
{
    private const string Password = "a password for tests";

    private Logins Logins => weir.Services.GetRequiredService<Logins>();

    [Fact]
    public async Task A_login_is_a_session_as_gotrue_has_it()
    {
        var email = await NewLoginAsync();

        var (status, session) = await PostAsync("token?grant_type=password", new { email, password = Password });

        status.ShouldBe(HttpStatusCode.OK, session.ToString());
        session.EnumerateObject().Select(p => p.Name)
            .ShouldBe(["access_token", "token_type", "expires_in", "expires_at", "refresh_token", "user"]);
        session.GetProperty("user").GetProperty("email").GetString().ShouldBe(email);
        var user = await UserAsync(session);
        user.GetProperty("id").GetString().ShouldBe(session.GetProperty("user").GetProperty("id").GetString());
    }

    [Theory]
    [InlineData("wrong", "invalid_credentials", 400)]
    [InlineData("", "validation_failed", 400)]
    public async Task A_wrong_password_and_an_unknown_address_are_told_apart_by_nothing(string password, string code, int status)
    {
        var wrong = await PostAsync("token?grant_type=password", new { email = await NewLoginAsync(), password });
        var unknown = await PostAsync("token?grant_type=password", new { email = "nobody@example.test", password });

        ((int)wrong.Status).ShouldBe(status);
        wrong.Body.GetProperty("error_code").GetString().ShouldBe(code);
        wrong.Body.GetProperty("code").GetInt32().ShouldBe(status);
        (wrong.Status, wrong.Body.ToString()).ShouldBe((unknown.Status, unknown.Body.ToString()));
    }

    [Fact]
    public async Task Nor_by_the_time_that_the_answer_takes()
    {
        var email = await NewLoginAsync();
        var (known, unknown) = (new List<double>(), new List<double>());
        for (var i = 0; i < 9; i++)
        {
            known.Add(await TimeAsync(email));
            unknown.Add(await TimeAsync("nobody-at-all@example.test"));
        }

        // Without the comparison the second takes a tenth of the first. Of each the least: a busy machine only adds.
        unknown.Min().ShouldBeGreaterThan(known.Min() * 0.4);
    }

    [Fact]
    public async Task A_refresh_token_is_good_once_and_again_for_ten_seconds()
    {
        var login = await LoginAsync();

        var second = await Logins.RefreshAsync(login.RefreshToken, IPAddress.Loopback, default);
        var again = await Logins.RefreshAsync(login.RefreshToken, IPAddress.Loopback, default);

        // Not two chains: both hold the same next token, whichever is used first.
        var third = await Logins.RefreshAsync(second.RefreshToken, IPAddress.Loopback, default);
        (await Logins.RefreshAsync(again.RefreshToken, IPAddress.Loopback, default)).User.Id.ShouldBe(login.User.Id);
        (await Should.ThrowAsync<AuthException>(() => Logins.RefreshAsync(login.RefreshToken, IPAddress.Loopback, default))).Code.ShouldBe(
            "refresh_token_already_used");
        (await Should.ThrowAsync<AuthException>(() => Logins.RefreshAsync(third.RefreshToken, IPAddress.Loopback, default))).Code.ShouldBe(
            "session_not_found");
    }

    [Fact]
    public async Task A_crowd_that_refreshes_one_token_at_once_makes_one_next_token()
    {
        var login = await LoginAsync();

        var crowd =
            await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => Logins.RefreshAsync(login.RefreshToken, IPAddress.Loopback, default)));

        var ring = weir.Services.GetRequiredService<Keyring>();
        crowd.Select(l => RefreshToken.Open(ring, l.RefreshToken)!.Value.Counter).ShouldAllBe(counter => counter == 1);
        (await Logins.RefreshAsync(crowd[7].RefreshToken, IPAddress.Loopback, default)).User.Id.ShouldBe(login.User.Id);
    }

    [Fact]
    public async Task The_database_holds_nothing_that_could_be_used_as_a_token()
    {
        var login = await LoginAsync();

        var row = await weir.Database.Superuser.ScalarAsync<string>(
            "select string_agg(s::text, ' ') from weir.sign_ins s where s.user_id = $1", [Sql.Uuid(login.User.Id)], default);

        row!.ShouldNotContain(login.RefreshToken);
        var id = await weir.Database.Superuser.ScalarAsync<Guid>(
            "select s.id from weir.sign_ins s where s.user_id = $1", [Sql.Uuid(login.User.Id)], default);
        var forged = new RefreshToken(id, 0).Seal(Keyring.Parse([Convert.ToBase64String(new byte[32])]));
        foreach (var text in new[]
        {
            forged,
            $"{id}",
            "x",
            "",
            new string('A', 5000),
            login.RefreshToken[..^1] + (login.RefreshToken[^1] == 'A' ? 'Q' : 'A'),
        })
        {
            (await Should.ThrowAsync<AuthException>(() => Logins.RefreshAsync(text, IPAddress.Loopback, default))).Code.ShouldBe(
                "refresh_token_not_found", text);
        }

        (await Logins.RefreshAsync(login.RefreshToken, IPAddress.Loopback, default)).User.Id.ShouldBe(login.User.Id);
    }

    [Theory]
    [InlineData("global", 0, 0)]
    [InlineData("local", 0, 1)]
    [InlineData("others", 1, 0)]
    public async Task Signing_out_ends_what_its_scope_says(string scope, int first, int second)
    {
        var email = await NewLoginAsync();
        var (_, one) = await PostAsync("token?grant_type=password", new { email, password = Password });
        var (_, two) = await PostAsync("token?grant_type=password", new { email, password = Password });

        (await SendAsync(HttpMethod.Post, "logout?scope=" + scope, one)).Status.ShouldBe(HttpStatusCode.NoContent);

        (await PostAsync(
            "token?grant_type=refresh_token", new { refresh_token = one.GetProperty("refresh_token").GetString() })).Status.ShouldBe(
            first == 1 ? HttpStatusCode.OK : HttpStatusCode.BadRequest);
        (await PostAsync(
            "token?grant_type=refresh_token", new { refresh_token = two.GetProperty("refresh_token").GetString() })).Status.ShouldBe(
            second == 1 ? HttpStatusCode.OK : HttpStatusCode.BadRequest);
        var (status, body) = await SendAsync(HttpMethod.Get, "user", one);
        status.ShouldBe(first == 1 ? HttpStatusCode.OK : HttpStatusCode.Forbidden);
        if (first == 0)
        {
            body.GetProperty("error_code").GetString().ShouldBe("session_not_found");
        }
    }

    [Fact]
    public async Task Attempts_at_one_e_mail_address_are_limited_by_where_they_come_from()
    {
        var (email, address) = (await NewLoginAsync(), weir.NextAddress());
        for (var i = 0; i < 10; i++)
        {
            (await Should.ThrowAsync<AuthException>(() => Logins.PasswordAsync(email, "wrong", address, default))).Code.ShouldBe(
                "invalid_credentials");
        }

        // Also with the right password: otherwise the limit would say which one it is.
        var refused =
            await Should.ThrowAsync<AuthException>(() => Logins.PasswordAsync(email.ToUpperInvariant(), Password, address, default));
        (refused.Status, refused.Code).ShouldBe((429, "over_request_rate_limit"));
    }

    [Fact]
    public async Task Attempts_are_limited_by_network_address()
    {
        var address = weir.NextAddress();
        var answers = new System.Collections.Concurrent.ConcurrentBag<string>();
        await Parallel.ForEachAsync(Enumerable.Range(0, 40), new ParallelOptions { MaxDegreeOfParallelism = 4 }, async (i, ct) =>
            answers.Add(
                (await Should.ThrowAsync<AuthException>(() => Logins.PasswordAsync($"n{i}@example.test", "wrong", address, ct))).Code));

        answers.Count(code => code == "invalid_credentials").ShouldBe(30);
        answers.Count(code => code == "over_request_rate_limit").ShouldBe(10);
    }

    [Fact]
    public async Task A_person_makes_themselves_a_login_where_that_is_on()
    {
        var email = $"New-{Guid.CreateVersion7(TimeProvider.System.GetUtcNow()):N}@example.test";

        var login = await Logins.SignUpAsync(email, Password, weir.NextAddress(), default);

        login.User.Email.ShouldBe(email.ToLowerInvariant());
        (await Logins.PasswordAsync(email, Password, weir.NextAddress(), default)).User.Id.ShouldBe(login.User.Id);
        (await Should.ThrowAsync<AuthException>(() => Logins.SignUpAsync(email, Password, weir.NextAddress(), default))).Code.ShouldBe(
            "user_already_exists");
        (await Should.ThrowAsync<AuthException>(
            () => Logins.SignUpAsync("x@example.test", "short", weir.NextAddress(), default))).Code.ShouldBe("weak_password");
        (await Should.ThrowAsync<AuthException>(
            () => Logins.SignUpAsync("no address", Password, weir.NextAddress(), default))).Code.ShouldBe("validation_failed");
    }

    [Theory]
    [InlineData("token?grant_type=password", "{", "bad_json")]
    [InlineData("token?grant_type=password", "[]", "bad_json")]
    [InlineData("token?grant_type=password", "{\"email\":\"a@b.c\",\"email\":\"d@e.f\",\"password\":\"x\"}", "bad_json")]
    [InlineData("token?grant_type=password", "{\"email\":\"\\ud800@b.c\",\"password\":\"x\"}", "bad_json")]
    [InlineData("token?grant_type=password", "{\"email\":\"a\\u0000@b.c\",\"password\":\"x\"}", "bad_json")]
    [InlineData("token?grant_type=password", "{\"email\":7,\"password\":{}}", "validation_failed")]
    [InlineData("token?grant_type=id_token", "{}", "invalid_credentials")]
    [InlineData("token?grant_type=refresh_token", "{}", "refresh_token_not_found")]
    [InlineData("otp", "{}", "feature_disabled")]
    [InlineData("admin/users", "{}", "feature_disabled")]
    public async Task A_bad_request_has_gotrues_code(string path, string body, string code)
    {
        using var client = weir.Client();
        using var content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
        using var response = await client.PostAsync("/auth/v1/" + path, content);
        ((int)response.StatusCode).ShouldBeInRange(400, 404);
        JsonElement.Parse(await response.Content.ReadAsStringAsync()).GetProperty("error_code").GetString().ShouldBe(code);
    }

    [Fact]
    public async Task Settings_and_health_are_there()
    {
        using var client = weir.Client();
        var settings = await client.GetFromJsonAsync<JsonElement>("/auth/v1/settings");
        settings.GetProperty("disable_signup").GetBoolean().ShouldBeFalse();
        settings.GetProperty("external").GetProperty("email").GetBoolean().ShouldBeTrue();
        (await client.GetFromJsonAsync<JsonElement>("/auth/v1/health")).GetProperty("name").GetString().ShouldBe("Weir");
    }

    private async Task<string> NewLoginAsync()
    {
        var email = $"{Guid.CreateVersion7(TimeProvider.System.GetUtcNow()):N}@example.test";
        await weir.Database.Owner.ScalarAsync<Guid>(
            "select weir.create_user($1, $2)", [Sql.Text(email), Sql.Text(Logins.Hash(Password))], default);
        return email;
    }

    private async Task<Login> LoginAsync() => await Logins.PasswordAsync(await NewLoginAsync(), Password, weir.NextAddress(), default);

    private async Task<double> TimeAsync(string email)
    {
        var started = Stopwatch.GetTimestamp();
        await Should.ThrowAsync<AuthException>(() => Logins.PasswordAsync(email, "wrong", weir.NextAddress(), default));
        return Stopwatch.GetElapsedTime(started).TotalMilliseconds;
    }

    private async Task<JsonElement> UserAsync(JsonElement session)
    {
        var (status, body) = await SendAsync(HttpMethod.Get, "user", session);
        status.ShouldBe(HttpStatusCode.OK, body.ToString());
        return body;
    }

    private async Task<(HttpStatusCode Status, JsonElement Body)> SendAsync(HttpMethod method, string path, JsonElement session)
    {
        using var client = weir.Client(session.GetProperty("access_token").GetString());
        using var request = new HttpRequestMessage(method, "/auth/v1/" + path);
        using var response = await client.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        return (response.StatusCode, text.Length == 0 ? default : JsonElement.Parse(text));
    }

    private async Task<(HttpStatusCode Status, JsonElement Body)> PostAsync(string path, object body)
    {
        using var client = weir.Client();
        using var response = await client.PostAsJsonAsync("/auth/v1/" + path, body);
        return (response.StatusCode, JsonElement.Parse(await response.Content.ReadAsStringAsync()));
    }
}
